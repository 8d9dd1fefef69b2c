"""Read untrusted files: their kind, size and declared sizes are checked before their content is read."""
