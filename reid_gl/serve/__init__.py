"""An HTTP service in front of a network and a gallery: features, searches, additions."""
