"""Reading olmOCR-mix: rows, labels, tarballs and extracted folders."""
