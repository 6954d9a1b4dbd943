"""Files anywhere: local disks and every Beam file system, atomic by construction."""
