"""Code shared by several readers of published data sets."""
