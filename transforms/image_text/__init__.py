"""Image-text pools as DataComp has them: uids and files of them, scores, filters, shards."""
