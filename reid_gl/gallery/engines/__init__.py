"""The engines that keep the rows of a gallery: SQLite, an index by faiss beside it, and servers."""
