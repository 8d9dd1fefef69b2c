"""Adapters that give each tracker features in the form it expects; no tracker is imported."""

from reid_gl.tracking.bot_sort import BotSortEncoder
from reid_gl.tracking.boxmot import BoxmotFeatures
from reid_gl.tracking.boxmot_files import write_boxmot_cache
from reid_gl.tracking.deep_oc_sort import DeepOcSortEmbedder
from reid_gl.tracking.deep_sort import DeepSortEncoder
from reid_gl.tracking.deep_sort_files import write_deep_sort_file
from reid_gl.tracking.deep_sort_realtime import DeepSortRealtimeEmbedder
from reid_gl.tracking.motpy import MotpyFeatures
from reid_gl.tracking.norfair import NorfairEmbeddings, norfair_distance
from reid_gl.tracking.roboflow import RoboflowExtractor
from reid_gl.tracking.tracklets import PooledTracklets, Tracklet, associate_tracklets, pool_tracklets
from reid_gl.tracking.ultralytics import UltralyticsEncoder

__all__ = [
    "BotSortEncoder",
    "BoxmotFeatures",
    "DeepOcSortEmbedder",
    "DeepSortEncoder",
    "DeepSortRealtimeEmbedder",
    "MotpyFeatures",
    "NorfairEmbeddings",
    "PooledTracklets",
    "RoboflowExtractor",
    "Tracklet",
    "UltralyticsEncoder",
    "associate_tracklets",
    "norfair_distance",
    "pool_tracklets",
    "write_boxmot_cache",
    "write_deep_sort_file",
]
