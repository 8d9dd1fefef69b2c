"""MOT Challenge sequences: read, write, crop, convert to re-ID."""
