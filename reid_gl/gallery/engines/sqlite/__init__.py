"""Rows in one SQLite file, and exact search in memory."""
