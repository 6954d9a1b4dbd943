"""Filters: measures of documents (a file for each family, its source cited), and rules that compare them with thresholds."""
