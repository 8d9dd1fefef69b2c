"""Defines every key that an experiment file may set.

If a key is an argument of a class or function, `argument` takes its default and meaning from there. The
other keys are settings of the commands; their defaults and meanings are written here.
"""

from __future__ import annotations

from yacs.config import CfgNode

from reid_gl.config.keys import Key, argument
from reid_gl.config.loss_keys import loss_keys
from reid_gl.data.datasets.own.detections import MIN_SCORE
from reid_gl.data.loading.augmentation import Augmentation
from reid_gl.data.loading.transforms import Preprocessing
from reid_gl.evaluation.reranking.rerank import RerankSettings
from reid_gl.inference.evaluate import evaluate
from reid_gl.inference.strategies.settings import InferenceSettings
from reid_gl.models import NetSettings
from reid_gl.training.fit import FitSettings
from reid_gl.training.optimizer import make_optimizer
from reid_gl.training.schedule import Schedule
from reid_gl.training.step import StepSettings


def default_config() -> CfgNode:
    """Return a new configuration with all defaults."""
    config = CfgNode()
    for section, keys in all_keys().items():
        node = config
        for part in section.split(".") if section else ():
            if part not in node:
                node[part] = CfgNode()
            node = node[part]
        for name, key in keys.items():
            node[name] = list(key.default) if isinstance(key.default, list) else key.default
    return config


def all_keys() -> dict[str, dict[str, Key]]:
    """Return the keys of each section in the order of the documentation; "" is the top level."""
    return {
        "": {
            "SEED": argument(
                FitSettings,
                "seed",
                meaning="random seed of weights, batches, augmentation and held-out identities",
            ),
            "OUTPUT_DIR": Key("", "run folder; empty: runs/<name of the config file>"),
        },
        "DATA": DATA,
        "INPUT": INPUT,
        "MODEL": MODEL,
        **loss_keys(),
        "SOLVER": SOLVER,
        "TEST": TEST,
        "TEST.RERANK": RERANK,
        "COMPARE": {
            "NUM_EPOCHS": Key(0, "epochs of each run when losses are compared; 0: SOLVER.NUM_EPOCHS"),
        },
    }


DATA = {
    "ROOT": Key("data", "folder of the data set, or its parent"),
    "NAMES": Key("market1501", "data sets to train on, separated by commas; see data/README.md"),
    "TEST_NAMES": Key("", "sets to test on; the first is also tested during training; empty: those of NAMES"),
    "PATTERN": Key("", "regular expression of the data set `pattern`"),
    "SPLIT_MAP": Key(
        "", "meaning of other split names in `pattern` and `folders`, such as `probe=query,*=ignore`"
    ),
    "LEAVE_OUT": Key("", "regular expression of the paths that `pattern` leaves out"),
    "DETECTIONS": Key("", "table of a detector's boxes for person search; empty: the true boxes"),
    "MIN_DETECTION_SCORE": Key(MIN_SCORE, "boxes of `DATA.DETECTIONS` with a lower score are left out"),
    "NUM_WORKERS": Key(2, "processes that read and augment images; 0: none"),
    "CACHE": Key("", "folder for the cache of decoded training images, see docs/input.md; empty: no cache"),
    "HOLDOUT": Key(0.0, "share of training identities held out to choose the best epoch; 0: keep the last"),
}

INPUT = {
    "SIZE": Key([Preprocessing.height, Preprocessing.width], "height, width in pixels"),
    "SHORTER_SIDE": argument(Preprocessing, "shorter_side"),
    "KERNEL": argument(Preprocessing, "kernel"),
    "MEAN": argument(Preprocessing, "mean"),
    "STD": argument(Preprocessing, "std"),
    "FLIP": argument(Augmentation, "flip"),
    "PAD": argument(Augmentation, "pad"),
    "CROP_AREA": argument(Augmentation, "crop_area"),
    "ERASE": argument(Augmentation, "erase"),
    "ERASE_AREA": argument(Augmentation, "erase_area"),
    "COLOR_GAIN": argument(Augmentation, "color_gain"),
    "ERASE_ASPECT": argument(Augmentation, "erase_aspect"),
}

MODEL = {
    "BACKBONE": Key(
        "resnet50",
        "any ResNet or ResNeXt of torchvision; with IBN: resnet50_ibn_a; OSNets: osnet_x1_0; timm:<name>",
    ),
    "DEVICE": Key("auto", "auto | cuda | mps | cpu"),
    "WEIGHTS": Key("", "checkpoint to test"),
    "PRETRAINED": Key("imagenet", "initial weights: imagenet | package | none | a file with weights"),
    "LAST_STRIDE": argument(NetSettings, "last_stride"),
    "POOLING": argument(NetSettings, "pooling"),
    "MIXED_WEIGHT": argument(NetSettings, "mixed_weight"),
    "GEM_EXPONENT": argument(NetSettings, "gem_exponent"),
    "NECK": argument(NetSettings, "neck"),
    "EMBEDDING_DIM": argument(NetSettings, "embedding_dim"),
}

SOLVER = {
    "NUM_EPOCHS": Key(120, "epochs of training; a cosine schedule ends there"),
    "IDENTITIES_PER_BATCH": Key(16, "P, identities in a batch"),
    "IMAGES_PER_IDENTITY": Key(4, "K, images of each identity in a batch"),
    "BALANCED": Key(True, "several training sets: equal shares of each batch; False: shares by size"),
    "OPTIMIZER": argument(make_optimizer, "name"),
    "BASE_LR": argument(make_optimizer, "lr"),
    "BACKBONE_LR_FACTOR": argument(make_optimizer, "backbone_lr_factor"),
    "WEIGHT_DECAY": argument(make_optimizer, "weight_decay"),
    "MOMENTUM": argument(make_optimizer, "momentum"),
    "SCHEDULE": argument(Schedule, "kind"),
    "MILESTONES": argument(Schedule, "milestones"),
    "GAMMA": argument(Schedule, "gamma"),
    "FINAL_FACTOR": argument(Schedule, "final_factor"),
    "WARMUP_EPOCHS": argument(Schedule, "warmup_epochs"),
    "WARMUP_FACTOR": argument(Schedule, "warmup_factor"),
    "FREEZE_EPOCHS": argument(FitSettings, "freeze_epochs"),
    "PRECISION": Key("auto", "number format of training: auto | float32 | bfloat16 | float16"),
    "CLIP_NORM": argument(StepSettings, "clip_norm"),
    "MICRO_BATCH": argument(StepSettings, "micro_batch"),
    "GATHER": argument(StepSettings, "gather"),
    "SYNC_BATCH_NORM": argument(StepSettings, "sync_batch_norm"),
    "EMA_DECAY": argument(FitSettings, "ema_decay"),
    "COMPILE": argument(FitSettings, "compile_backbone"),
    "CHECKPOINT_EVERY": argument(FitSettings, "checkpoint_every"),
    "EVALUATE_EVERY": argument(FitSettings, "evaluate_every"),
}

TEST = {
    "FEATURE": argument(evaluate, "feature"),
    "PRESET": Key(
        "none",
        "none | cub | cars | sop | in_shop | person: sets FEATURE, MIXING, SLOPE, BETA, METRIC, RERANK",
    ),
    "MIXING": argument(InferenceSettings, "mixing"),
    "SLOPE": argument(InferenceSettings, "slope"),
    "BETA": argument(InferenceSettings, "beta"),
    "FLIP": argument(InferenceSettings, "flip"),
    "NUM_CROPS": argument(InferenceSettings, "num_crops"),
    "METRIC": argument(evaluate, "metric"),
    "MULTI_QUERY": Key(
        "none", "none | average | max: pool each query with its gt_bbox images (Market-1501's layout)"
    ),
    "CAMERA_FILTER": argument(evaluate, "camera_filter"),
    "CLUSTERING": Key(True, "also report NMI, AMI and F1 of k-means clusters for image retrieval sets"),
    "BATCH_SIZE": argument(evaluate, "batch_size"),
    "PRECISION": argument(evaluate, "precision"),
}

RERANK = {
    "ENABLED": Key(False, "k-reciprocal re-ranking"),
    "K1": argument(RerankSettings, "k1"),
    "K2": argument(RerankSettings, "k2"),
    "LAMBDA": argument(RerankSettings, "lambda_value"),
    "DOUBLED_POOL": argument(RerankSettings, "doubled_pool"),
    "MAX_MEMORY_GB": argument(
        evaluate,
        "max_memory_gb",
        none=0.0,
        meaning="memory limit in addition to the features, in GB; 0: no limit",
    ),
}
