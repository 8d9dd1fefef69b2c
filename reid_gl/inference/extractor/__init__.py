"""FeatureExtractor: crops in, features out, on any runtime."""
