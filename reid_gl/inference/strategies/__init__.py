"""Test-time strategies: views, pooling, normalisation."""
