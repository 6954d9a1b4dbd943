"""Running on Flink: finding a job server, checking the cluster first, watching the job, submitting it again."""
