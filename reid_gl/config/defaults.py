"""Every key an experiment file may set, with its default, unit and meaning."""

from __future__ import annotations

from yacs.config import CfgNode

from reid_gl.config.loss_defaults import loss_defaults


def default_config() -> CfgNode:
    """A fresh copy of all defaults."""
    config = CfgNode()
    config.SEED = 0
    config.OUTPUT_DIR = ""  # run folder; empty: runs/<name of the config file>
    config.DATA = _data()
    config.INPUT = _input()
    config.MODEL = _model()
    config.LOSS = loss_defaults()
    config.SOLVER = _solver()
    config.TEST = _test()
    config.COMPARE = CfgNode()
    config.COMPARE.NUM_EPOCHS = 0  # of every run when losses are compared; 0: SOLVER.NUM_EPOCHS
    return config


def _data() -> CfgNode:
    """Which pictures, and how they are read."""
    data = CfgNode()
    data.ROOT = "data"  # folder of the data set, or its parent
    data.NAMES = "market1501"  # see data/README.md; several with commas: trained on together
    data.TEST_NAMES = ""  # sets to test on, the first of them also while training; empty: those of NAMES
    data.PATTERN = ""  # regular expression of the set `pattern`
    data.NUM_WORKERS = 2  # processes that read and augment; 0: none
    data.CACHE = ""  # folder of training pictures decoded once, see docs/input.md; empty: none
    data.HOLDOUT = 0.0  # share of training identities on which the best epoch is chosen; 0: keep the last
    return data


def _input() -> CfgNode:
    """How pictures become input, and how they are changed while training."""
    pictures = CfgNode()
    pictures.SIZE = [256, 128]  # height, width in pixels
    pictures.SHORTER_SIDE = 0  # pixels after a resize that keeps the shape, SIZE is its centre; 0: squeeze
    pictures.KERNEL = "linear"  # linear | cubic | area
    pictures.MEAN = [0.485, 0.456, 0.406]  # RGB, of values in [0, 1]
    pictures.STD = [0.229, 0.224, 0.225]
    pictures.FLIP = 0.5  # chance
    pictures.PAD = 10  # pixels around the picture before the random crop
    pictures.CROP_AREA = [0.0, 0.0]  # share of the picture in a random crop, needs PAD 0; [0, 0]: none
    pictures.ERASE = 0.5  # chance of random erasing
    pictures.ERASE_AREA = [0.02, 0.4]  # share of the picture
    pictures.COLOR_GAIN = 0.0  # deviation of the logarithm of random gains, of each channel and of all
    pictures.ERASE_ASPECT = 0.3  # smallest height / width
    return pictures


def _model() -> CfgNode:
    """The network."""
    model = CfgNode()
    model.BACKBONE = "resnet50"  # any ResNet or ResNeXt of torchvision; osnet_x1_0 and its kin; timm:<name>
    model.DEVICE = "auto"  # auto | cuda | mps | cpu
    model.WEIGHTS = ""  # checkpoint to test
    model.PRETRAINED = "imagenet"  # start of training: imagenet | package | none | a file with weights
    model.LAST_STRIDE = 1  # 1 | 2
    model.POOLING = "average"  # average | max | mixed | gem
    model.MIXED_WEIGHT = 0.5  # share of max in mixed pooling
    model.GEM_EXPONENT = 3.0  # first exponent of gem pooling
    model.NECK = "bnneck"  # bnneck | none
    model.EMBEDDING_DIM = 0  # numbers of an embedding, by a linear layer; 0: as the backbone gives
    return model


def _solver() -> CfgNode:
    """How training goes."""
    solver = CfgNode()
    solver.NUM_EPOCHS = 70
    solver.IDENTITIES_PER_BATCH = 16  # P
    solver.IMAGES_PER_IDENTITY = 4  # K
    solver.BALANCED = True  # of several training sets, each has its share of every batch; else by size
    solver.OPTIMIZER = "adam"  # adam | adamw | sgd | radam
    solver.BASE_LR = 3.5e-4
    solver.BACKBONE_LR_FACTOR = 1.0
    solver.WEIGHT_DECAY = 5e-4
    solver.MOMENTUM = 0.9  # sgd
    solver.SCHEDULE = "multistep"  # multistep | cosine | constant
    solver.MILESTONES = [30]  # epochs, multistep
    solver.GAMMA = 0.1  # factor at each milestone
    solver.FINAL_FACTOR = 0.002  # share of the rate at the end, cosine
    solver.WARMUP_EPOCHS = 0.0
    solver.WARMUP_FACTOR = 0.01  # share of the rate at the start
    solver.FREEZE_EPOCHS = 0  # first epochs in which only the head learns
    solver.PRECISION = "auto"  # auto | float32 | bfloat16 | float16
    solver.CLIP_NORM = 0.0  # longest gradient; 0: no limit
    solver.MICRO_BATCH = 0  # pictures in the backbone at once; 0: the whole batch
    solver.EMA_DECAY = 0.0  # of averaged weights, per step; 0: off
    solver.COMPILE = False  # torch.compile the backbone
    solver.CHECKPOINT_EVERY = 5  # epochs
    solver.EVALUATE_EVERY = 10  # epochs; 0: never. On held-out identities if there are any
    return solver


def _test() -> CfgNode:
    """How scores are made."""
    test = CfgNode()
    test.FEATURE = "before_neck"  # before_neck | after_neck | concatenated, each of length one
    test.PRESET = "none"  # none | cub | cars | sop | in_shop | person: MIXING to BETA, METRIC, RERANK
    test.MIXING = -1.0  # share of max pooling; negative: the pooling trained with
    test.SLOPE = 0.0  # of a leaky ReLU instead of the last ReLU; 1: no ReLU
    test.BETA = 0.0  # x / |x| + BETA * x; needs METRIC euclidean; 0: off
    test.FLIP = False  # average with the mirror image
    test.NUM_CROPS = 1  # 1 | 5 views averaged: corners and centre of a larger picture
    test.METRIC = "cosine"  # cosine | euclidean
    test.MULTI_QUERY = "none"  # none | average | max: pool each query with gt_bbox, in Market-1501's layout
    test.CAMERA_FILTER = "auto"  # auto | on | off
    test.CLUSTERING = True  # NMI, AMI and F1 of k-means, for sets of image retrieval
    test.BATCH_SIZE = 128
    test.PRECISION = "float32"  # as SOLVER.PRECISION
    test.RERANK = CfgNode()
    test.RERANK.ENABLED = False  # k-reciprocal re-ranking
    test.RERANK.K1 = 20  # neighbours
    test.RERANK.K2 = 6  # neighbours whose sets are averaged
    test.RERANK.LAMBDA = 0.3  # share of the original distance
    test.RERANK.DOUBLED_POOL = False  # sets that search themselves: every picture twice, as their authors did
    test.RERANK.MAX_MEMORY_GB = 0.0  # beyond the features; 0: no limit, small blocks
    return test
