"""Every key an experiment file may set, with its default, unit and meaning."""

from __future__ import annotations

from yacs.config import CfgNode


def default_config() -> CfgNode:
    """A fresh copy of all defaults."""
    config = CfgNode()
    config.SEED = 0
    config.OUTPUT_DIR = ""  # run folder; empty: runs/<name of the config file>

    config.DATA = CfgNode()
    config.DATA.ROOT = "data"  # folder of the data set, or its parent
    config.DATA.NAMES = "market1501"  # see data/README.md
    config.DATA.NUM_WORKERS = 2  # processes that read and augment; 0: none
    config.DATA.HOLDOUT = (
        0.0  # share of training identities kept for choosing the best epoch; 0: keep the last
    )

    config.INPUT = CfgNode()
    config.INPUT.SIZE = [256, 128]  # height, width in pixels
    config.INPUT.KERNEL = "linear"  # linear | cubic | area
    config.INPUT.MEAN = [0.485, 0.456, 0.406]  # RGB, of values in [0, 1]
    config.INPUT.STD = [0.229, 0.224, 0.225]
    config.INPUT.FLIP = 0.5  # chance
    config.INPUT.PAD = 10  # pixels around the picture before the random crop
    config.INPUT.ERASE = 0.5  # chance of random erasing
    config.INPUT.ERASE_AREA = [0.02, 0.4]  # share of the picture
    config.INPUT.COLOR_GAIN = 0.0  # deviation of the logarithm of random gains, of each channel and of all
    config.INPUT.ERASE_ASPECT = 0.3  # smallest height / width

    config.MODEL = CfgNode()
    config.MODEL.BACKBONE = "resnet50"  # every torchvision ResNet and ResNeXt; osnet_x1_0 and its kin
    config.MODEL.DEVICE = "auto"  # auto | cuda | mps | cpu
    config.MODEL.WEIGHTS = ""  # checkpoint to test
    config.MODEL.PRETRAINED = "imagenet"  # start of training: imagenet | none | a file with backbone weights
    config.MODEL.LAST_STRIDE = 1  # 1 | 2
    config.MODEL.POOLING = "average"  # average | max | mixed | gem
    config.MODEL.MIXED_WEIGHT = 0.5  # share of max in mixed pooling
    config.MODEL.GEM_EXPONENT = 3.0  # first exponent of gem pooling
    config.MODEL.NECK = "bnneck"  # bnneck | none

    config.LOSS = CfgNode()
    config.LOSS.NAMES = ["group", "cross_entropy"]
    config.LOSS.WEIGHTS = [1.0, 1.0]  # of the losses, in the same order
    config.LOSS.GROUP = CfgNode()
    config.LOSS.GROUP.FEATURE = "before_neck"  # before_neck | after_neck
    config.LOSS.GROUP.NUM_STEPS = 2  # replicator updates
    config.LOSS.GROUP.TEMPERATURE = 70.0
    config.LOSS.GROUP.ANCHORS_PER_CLASS = 2
    config.LOSS.GROUP.ANCHOR_CHOICE = "random"  # random | first
    config.LOSS.GROUP.SELF_SIMILARITY = True  # a picture supports its own belief, as in the authors' code
    config.LOSS.CROSS_ENTROPY = CfgNode()
    config.LOSS.CROSS_ENTROPY.LABEL_SMOOTHING = 0.1

    config.SOLVER = CfgNode()
    config.SOLVER.NUM_EPOCHS = 70
    config.SOLVER.IDENTITIES_PER_BATCH = 16  # P
    config.SOLVER.IMAGES_PER_IDENTITY = 4  # K
    config.SOLVER.OPTIMIZER = "adam"  # adam | adamw | sgd | radam
    config.SOLVER.BASE_LR = 3.5e-4
    config.SOLVER.BACKBONE_LR_FACTOR = 1.0
    config.SOLVER.WEIGHT_DECAY = 5e-4
    config.SOLVER.MOMENTUM = 0.9  # sgd
    config.SOLVER.SCHEDULE = "multistep"  # multistep | cosine | constant
    config.SOLVER.MILESTONES = [30]  # epochs, multistep
    config.SOLVER.GAMMA = 0.1  # factor at each milestone
    config.SOLVER.FINAL_FACTOR = 0.002  # share of the rate at the end, cosine
    config.SOLVER.WARMUP_EPOCHS = 0.0
    config.SOLVER.WARMUP_FACTOR = 0.01  # share of the rate at the start
    config.SOLVER.FREEZE_EPOCHS = 0  # first epochs in which only the head learns
    config.SOLVER.PRECISION = "auto"  # auto | float32 | bfloat16 | float16
    config.SOLVER.CLIP_NORM = 0.0  # longest gradient; 0: no limit
    config.SOLVER.MICRO_BATCH = 0  # pictures in the backbone at once; 0: the whole batch
    config.SOLVER.EMA_DECAY = 0.0  # of averaged weights, per step; 0: off
    config.SOLVER.COMPILE = False  # torch.compile the backbone
    config.SOLVER.CHECKPOINT_EVERY = 5  # epochs
    config.SOLVER.EVALUATE_EVERY = 10  # epochs; 0: never. On held-out identities if there are any

    config.TEST = CfgNode()
    config.TEST.FEATURE = "before_neck"  # before_neck | after_neck
    config.TEST.METRIC = "cosine"  # cosine | euclidean
    config.TEST.CAMERA_FILTER = "auto"  # auto | on | off
    config.TEST.BATCH_SIZE = 128
    config.TEST.PRECISION = "float32"  # as SOLVER.PRECISION
    return config
