"""Evaluate features: ranking, retrieval, clustering, verification, re-ranking and search."""

from reid_gl.evaluation.expansion import expand_queries
from reid_gl.evaluation.multi_query import pool_queries
from reid_gl.evaluation.reranking.gnn import GnnRerankSettings, gnn_rerank
from reid_gl.evaluation.reranking.rerank import (
    RerankSettings,
    k_reciprocal_rerank,
    k_reciprocal_rerank_distances,
)
from reid_gl.evaluation.scores.breakdown import CameraPair, evaluate_camera_pairs, mean_ap_interval
from reid_gl.evaluation.scores.clustering import ClusteringResult, evaluate_clustering
from reid_gl.evaluation.scores.draws import evaluate_draws
from reid_gl.evaluation.scores.group_protocols import evaluate_group_protocols
from reid_gl.evaluation.scores.matching import GroupRule
from reid_gl.evaluation.scores.person_search import evaluate_person_search
from reid_gl.evaluation.scores.protocol import Preflight, check_protocol
from reid_gl.evaluation.scores.ranking import evaluate_features, evaluate_ranking
from reid_gl.evaluation.scores.reassociation import Reassociation, evaluate_reassociation
from reid_gl.evaluation.scores.retrieval import RetrievalResult, evaluate_retrieval
from reid_gl.evaluation.scores.single_shot import SingleShotResult, evaluate_single_shot
from reid_gl.evaluation.scores.verification import VerificationResult, verify_pairs
from reid_gl.evaluation.search import search_gallery
from reid_gl.evaluation.track_pooling import pool_tracks

__all__ = [
    "CameraPair",
    "ClusteringResult",
    "GnnRerankSettings",
    "GroupRule",
    "Preflight",
    "Reassociation",
    "RerankSettings",
    "RetrievalResult",
    "SingleShotResult",
    "VerificationResult",
    "check_protocol",
    "evaluate_camera_pairs",
    "evaluate_clustering",
    "evaluate_draws",
    "evaluate_features",
    "evaluate_group_protocols",
    "evaluate_person_search",
    "evaluate_ranking",
    "evaluate_reassociation",
    "evaluate_retrieval",
    "evaluate_single_shot",
    "expand_queries",
    "gnn_rerank",
    "k_reciprocal_rerank",
    "k_reciprocal_rerank_distances",
    "mean_ap_interval",
    "pool_queries",
    "pool_tracks",
    "search_gallery",
    "verify_pairs",
]
