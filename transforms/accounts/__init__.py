"""What happened to every record: records, tallies, journal, ledger, report and finishing."""
