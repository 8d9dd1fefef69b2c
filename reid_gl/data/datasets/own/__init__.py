"""One's own data: a table, folders or file names that carry the labels."""
