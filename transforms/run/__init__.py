"""What a run is: its sources and parts, folders, start-up check, signs of life, journal."""
