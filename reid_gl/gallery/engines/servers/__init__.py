"""Rows on a server: Qdrant and Milvus."""
