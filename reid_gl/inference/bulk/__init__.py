"""Features of very many crops: lists, tables, videos, parts on disk."""
