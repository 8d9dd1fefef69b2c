"""Reads files that nobody has checked: their kind, size and what they declare come before their content."""
