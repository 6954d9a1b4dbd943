"""What became of each record, collected, checked and saved."""
