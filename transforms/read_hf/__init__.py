"""Reading any dataset of the Hub's layouts, from the Hub or a folder: which files, what units, records with provenance."""
