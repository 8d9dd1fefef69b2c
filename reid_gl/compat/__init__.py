"""Interfaces of other projects, implemented with this package: to switch, change one import line."""

from reid_gl.compat.torchreid_extractor import TorchreidFeatureExtractor

__all__ = ["TorchreidFeatureExtractor"]
