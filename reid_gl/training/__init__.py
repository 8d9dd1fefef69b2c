"""Training: one flat loop and what it needs."""
