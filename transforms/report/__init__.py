"""report.html, and the summaries that it shows."""
