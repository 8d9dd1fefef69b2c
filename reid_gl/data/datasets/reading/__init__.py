"""What several readers of published data sets share."""
