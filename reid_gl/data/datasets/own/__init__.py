"""Loads the user's own data: labels come from a table, from folders or from file names."""
