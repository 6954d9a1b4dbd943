"""Cleaning, filtering and deduplicating documents part by part: stage 2 of the two-stage mixture, and any other dataset of text."""
