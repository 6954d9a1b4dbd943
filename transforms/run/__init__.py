"""What a run is: its folders, start-up check, signs of life, journal."""
