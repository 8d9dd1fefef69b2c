"""Other projects' interfaces over our engine, so that moving is a matter of one import line."""

from reid_gl.compat.torchreid_extractor import TorchreidFeatureExtractor

__all__ = ["TorchreidFeatureExtractor"]
