"""Cleaning: steps from text to text, a file each, and the chain that they make."""
