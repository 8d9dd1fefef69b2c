"""Re-ranking: k-reciprocal neighbours, in bounded memory, and its GNN form."""
