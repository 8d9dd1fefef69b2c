"""Person re-identification and image retrieval with Group Loss.

Names are loaded when they are first used: importing the package loads neither torch nor numpy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.2.0"

if TYPE_CHECKING:
    from reid_gl.data.datasets import load_dataset as load_dataset
    from reid_gl.data.loading.transforms import Preprocessing as Preprocessing
    from reid_gl.evaluation import evaluate_features as evaluate_features
    from reid_gl.evaluation import evaluate_ranking as evaluate_ranking
    from reid_gl.inference import evaluate as evaluate
    from reid_gl.inference import extract_features as extract_features
    from reid_gl.inference.extractor.feature_extractor import FeatureExtractor as FeatureExtractor
    from reid_gl.models import ReidNet as ReidNet
    from reid_gl.models import load_net as load_net
    from reid_gl.records import Features as Features
    from reid_gl.records import RankingResult as RankingResult
    from reid_gl.records import ReidDataset as ReidDataset
    from reid_gl.records import Sample as Sample

_HOMES = {
    "FeatureExtractor": "reid_gl.inference.extractor.feature_extractor",
    "Features": "reid_gl.records",
    "Preprocessing": "reid_gl.data.loading.transforms",
    "RankingResult": "reid_gl.records",
    "ReidDataset": "reid_gl.records",
    "ReidNet": "reid_gl.models",
    "Sample": "reid_gl.records",
    "evaluate": "reid_gl.inference",
    "evaluate_features": "reid_gl.evaluation",
    "evaluate_ranking": "reid_gl.evaluation",
    "extract_features": "reid_gl.inference",
    "load_dataset": "reid_gl.data.datasets",
    "load_net": "reid_gl.models",
}
__all__ = [*sorted(_HOMES), "__version__"]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
