"""Scores of ranked galleries."""

from reid_gl.evaluation.expansion import expand_queries
from reid_gl.evaluation.protocol import Preflight, check_protocol
from reid_gl.evaluation.ranking import evaluate_features, evaluate_ranking
from reid_gl.evaluation.rerank import RerankSettings, k_reciprocal_rerank, k_reciprocal_rerank_distances

__all__ = [
    "Preflight",
    "RerankSettings",
    "check_protocol",
    "evaluate_features",
    "evaluate_ranking",
    "expand_queries",
    "k_reciprocal_rerank",
    "k_reciprocal_rerank_distances",
]
