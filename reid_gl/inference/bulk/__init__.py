"""Features of very many crops: lists of crops, tables, videos, and parts stored on disk."""
