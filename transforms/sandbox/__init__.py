"""Limited child processes for native decoders of strangers' bytes: a pool, its children, and what they are told to do."""
