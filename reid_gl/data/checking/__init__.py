"""Find what is wrong with a data set: counts, copies, near duplicates."""
