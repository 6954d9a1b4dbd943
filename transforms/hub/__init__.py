"""The Hugging Face Hub as a place to read from and to publish to: hf:// paths for everything that opens files."""
