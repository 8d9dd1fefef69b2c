"""Synthetic data: rendered people as six low-quality cameras would see them, in Market-1501 layout."""
