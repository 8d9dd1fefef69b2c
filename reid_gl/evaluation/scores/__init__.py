"""Scores of features: ranking, retrieval, clustering, verification."""
