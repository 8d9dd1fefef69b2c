"""Extract features from images and score them; imports nothing from training."""

from reid_gl.inference.evaluate import evaluate
from reid_gl.inference.extract import extract_features
from reid_gl.inference.feature_statistics import FeatureStatistics, extract_statistics
from reid_gl.inference.similarity_maps import SimilarityMaps, similarity_maps
from reid_gl.inference.strategies.settings import PRESETS, InferenceSettings, Preset, beta_normalize

__all__ = [
    "PRESETS",
    "FeatureStatistics",
    "InferenceSettings",
    "Preset",
    "SimilarityMaps",
    "beta_normalize",
    "evaluate",
    "extract_features",
    "extract_statistics",
    "similarity_maps",
]
