"""Find problems of a data set: counts, copies, near-duplicates."""
