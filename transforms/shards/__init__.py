"""Records to shards: gz JSON lines or Parquet, one file for each part, with the card that `datasets` finds them by."""
