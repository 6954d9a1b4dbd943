"""Stage 1 of the mixture: from each entry of a YAML exactly its quota of rows, of which only the bytes that this takes are read."""
