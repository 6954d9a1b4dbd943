"""Running on Flink: finding a job server, looking at the cluster before, watching the job, submitting it again."""
