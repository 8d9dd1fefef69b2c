"""An approximate index of compressed features (IVF-PQ by faiss) beside the SQLite file."""
