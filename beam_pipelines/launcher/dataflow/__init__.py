"""Running on Dataflow: checking the command line first, submitting by the SDK's client, following the job, finding it again."""
