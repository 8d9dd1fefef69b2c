"""What may be done at test time: views, pooling, normalisation."""
