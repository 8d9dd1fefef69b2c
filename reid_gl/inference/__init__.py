"""From pictures to features and scores; imports nothing of training."""

from reid_gl.inference.evaluate import evaluate
from reid_gl.inference.extract import extract_features

__all__ = ["evaluate", "extract_features"]
