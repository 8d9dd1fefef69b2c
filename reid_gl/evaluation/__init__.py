"""Scores of ranked galleries."""

from reid_gl.evaluation.protocol import Preflight, check_protocol
from reid_gl.evaluation.ranking import evaluate_features, evaluate_ranking

__all__ = ["Preflight", "check_protocol", "evaluate_features", "evaluate_ranking"]
