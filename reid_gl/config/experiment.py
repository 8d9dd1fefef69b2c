"""The record of an experiment: everything that a configuration says, read once and typed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from reid_gl.data.loading.augmentation import Augmentation
from reid_gl.data.loading.transforms import Preprocessing
from reid_gl.evaluation.reranking.rerank import RerankSettings
from reid_gl.inference.strategies.apply import Strategies
from reid_gl.inference.strategies.settings import InferenceSettings
from reid_gl.models import NetSettings
from reid_gl.training.fit import FitSettings


@dataclass(frozen=True)
class Holdout:
    """Training identities to hold out.

    Attributes:
        share: share of the identities; 0 for none.
        seed: seed of the choice.
    """

    share: float
    seed: int


@dataclass(frozen=True)
class DataSettings:
    """Which data sets to use, and how to read their images.

    Attributes:
        root: folder of the data sets, or its parent.
        names: training sets, separated by commas.
        test_names: test sets, separated by commas.
        pattern: regular expression of the data set "pattern".
        split_map: the split of other names in "pattern" and "folders".
        leave_out: regular expression of the paths that "pattern" leaves out.
        detections: table of a detector's boxes for person search; empty for the true boxes.
        min_detection_score: boxes of a detector with a lower score are left out.
        holdout: training identities to hold out.
        num_workers: processes that read training images.
        cache: folder for decoded training images; None for no cache.
    """

    root: str
    names: str
    test_names: str
    pattern: str
    split_map: str
    leave_out: str
    detections: str
    min_detection_score: float
    holdout: Holdout
    num_workers: int
    cache: Path | None


@dataclass(frozen=True)
class BatchShape:
    """A training batch.

    Attributes:
        num_identities: P, at least 1.
        num_images: K, images of each identity, at least 1.
        balanced: equal shares of each batch for each of several training sets.
    """

    num_identities: int
    num_images: int
    balanced: bool


@dataclass(frozen=True)
class LossSection:
    """The content of section LOSS.<NAME>.

    Attributes:
        settings: keyword arguments of the loss.
        feature: embedding that it gets, "before_neck" or "after_neck".
        lr_factor: learning rate of its own parameters, as a multiple of the base rate.
    """

    settings: Mapping[str, Any]
    feature: str
    lr_factor: float


@dataclass(frozen=True)
class LossSettings:
    """Which losses to minimise, and the settings of every loss.

    Attributes:
        weights: weight of each loss in the sum, by name, in order.
        sections: section of each registered loss, by name; also of those that have no weight.
    """

    weights: Mapping[str, float]
    sections: Mapping[str, LossSection]


@dataclass(frozen=True)
class Scoring:
    """How to compute, compare and re-rank features; the arguments of `reid_gl.inference.evaluate`.

    Attributes:
        feature: "before_neck", "after_neck" or "concatenated".
        metric: "cosine" or "euclidean".
        inference: test-time strategies.
        rerank: settings of re-ranking; None for no re-ranking.
        max_memory_gb: memory limit of re-ranking; None for no limit.
        camera_filter: "auto", "on" or "off".
        batch_size: images per batch.
        num_workers: processes that read images.
        precision: dtype of the network's layers.
    """

    feature: str
    metric: str
    inference: InferenceSettings
    rerank: RerankSettings | None
    max_memory_gb: float | None
    camera_filter: str
    batch_size: int
    num_workers: int
    precision: str

    def arguments(self, *, without: tuple[str, ...] = ()) -> dict[str, Any]:
        """Return these settings as keyword arguments, except those in `without`."""
        return {one.name: getattr(self, one.name) for one in fields(self) if one.name not in without}

    @property
    def strategies(self) -> Strategies:
        """The part that checkpoints store."""
        return Strategies(self.feature, self.inference)


@dataclass(frozen=True)
class Experiment:
    """Everything that a configuration says.

    Nothing here depends on the machine or on files: devices are chosen and data sets are loaded when they
    are needed.

    Attributes:
        seed: seed of weights, batches, augmentation and held-out identities.
        output_dir: run folder.
        data: data sets.
        preprocessing: resizing and normalisation.
        augmentation: random changes of training images.
        batches: shape of training batches.
        net: the network, for a single identity.
        pretrained: initial weights of the backbone: "imagenet", "package", "none" or a file.
        device: name of the device, or "auto".
        weights: checkpoint to test; None if the configuration names none.
        losses: losses and their weights.
        optimizer: keyword arguments of `reid_gl.training.optimizer.make_optimizer`.
        fit: the training loop, for float32 on the CPU.
        precision: number format of training, or "auto".
        scoring: how features are computed and compared.
        multi_query: how a query is pooled with its extra images: "none", "average" or "max".
        clustering: whether clusters are scored too, for image retrieval.
        comparison_epochs: epochs of each run when losses are compared.
        config_text: the whole configuration as YAML, for run folders and checkpoints.
    """

    seed: int
    output_dir: Path
    data: DataSettings
    preprocessing: Preprocessing
    augmentation: Augmentation
    batches: BatchShape
    net: NetSettings
    pretrained: str
    device: str
    weights: Path | None
    losses: LossSettings
    optimizer: Mapping[str, Any]
    fit: FitSettings
    precision: str
    scoring: Scoring
    multi_query: str
    clustering: bool
    comparison_epochs: int
    config_text: str

    def weights_to_test(self) -> Path:
        """Return the checkpoint to test.

        Raises:
            ValueError: the configuration names none.
        """
        if self.weights is None:
            raise ValueError("no weights to test: add MODEL.WEIGHTS <run folder>/model.ckpt to the command")
        return self.weights
