"""Combine, split, hold out and write data sets."""
