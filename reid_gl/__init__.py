"""Person re-identification and image retrieval with Group Loss."""

__version__ = "0.1.0"
