"""Re-ranking in bounded memory: k-reciprocal encoding and a GNN approximation of it."""
