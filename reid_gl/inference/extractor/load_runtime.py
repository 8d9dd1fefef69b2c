"""From a file of weights, ours or somebody else's, to what computes features with them."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from torch import nn

from reid_gl.data.loading.transforms import Preprocessing
from reid_gl.inference.exporting.exported_network import EXAMPLE
from reid_gl.inference.exporting.open_exported import EXPORTED_SUFFIXES, load_exported
from reid_gl.inference.extractor.embedder import stored_preprocessing, stored_strategies
from reid_gl.inference.extractor.reid_folder import config_beside, read_reid_config
from reid_gl.inference.extractor.runtime import Runtime, TorchRuntime
from reid_gl.inference.strategies.settings import InferenceSettings
from reid_gl.models import load_net
from reid_gl.models.foreign import load_foreign
from reid_gl.models.safetensors_files import SUFFIX as SAFETENSORS
from reid_gl.models.weight_files import check_weight_file
from reid_gl.models.weights import NoCheckpointError


@dataclass(frozen=True)
class GivenPreprocessing:
    """What the caller says of the images a network takes; None where he says nothing.

    Attributes:
        input_size: (height, width).
        mean: per channel RGB, in units of pixel_range.
        std: as mean.
        pixel_range: what the network takes for white, 1.0 or 255.0.
        channel_order: of the planes that the network takes, "rgb" or "bgr".
        kernel: of the resize, as Preprocessing names it; the only one of these that may be left open.
    """

    input_size: Sequence[int] | None = None
    mean: Sequence[float] | None = None
    std: Sequence[float] | None = None
    pixel_range: float | None = None
    channel_order: str | None = None
    kernel: str | None = None

    def facts(self) -> dict[str, object]:
        """What must be said in full or not at all."""
        return {key: value for key, value in vars(self).items() if key != "kernel"}

    def is_empty(self) -> bool:
        """Whether nothing was said that must be said in full."""
        return all(value is None for value in self.facts().values())

    def build(self, name: str, *, kernel: str = "linear") -> Preprocessing:
        """What was said as preprocessing.

        Args:
            name: how errors call the network.
            kernel: where none was said.

        Raises:
            ValueError: something was left open, or cannot be; nothing is guessed.
        """
        missing = [key for key, value in self.facts().items() if value is None]
        if (
            self.input_size is None
            or self.mean is None
            or self.std is None
            or self.pixel_range is None
            or self.channel_order is None
        ):
            raise ValueError(
                f"{name} does not say what images it takes: give {', '.join(missing)}, {EXAMPLE}"
            )
        if self.pixel_range not in (1.0, 255.0):
            raise ValueError(
                f"pixel_range is 1.0 or 255.0, what the network takes for white, got {self.pixel_range}"
            )
        height, width = self.input_size
        self._check_range(self.mean, self.std, self.pixel_range)
        mean, std = (tuple(number / self.pixel_range for number in side) for side in (self.mean, self.std))
        return Preprocessing(
            height,
            width,
            self.kernel or kernel,
            mean,  # type: ignore[arg-type]
            std,  # type: ignore[arg-type]
            channel_order=self.channel_order,
        )

    @staticmethod
    def _check_range(mean: Sequence[float], std: Sequence[float], white: float) -> None:
        """Raise where mean and deviation belong to the other range of pixels."""
        given = f"mean {tuple(mean)} and std {tuple(std)}"
        if not all(0 <= number <= white for number in mean) or not all(0 < number <= white for number in std):
            raise ValueError(
                f"{given} are not of pixels in [0, {white:g}]: give them in units of pixel_range, or "
                "pixel_range=255.0"
            )
        if white > 1 and any(mean) and max(*mean, *std) <= 1:
            raise ValueError(
                f"{given} are of pixels in [0, 1], not in [0, {white:g}]: multiply them by {white:g}, or "
                "give pixel_range=1.0"
            )


def load_runtime(
    path: Path,
    *,
    device: str,
    precision: str,
    flip: bool | None,
    architecture: str | None,
    backbone: nn.Module | None,
    given: GivenPreprocessing,
) -> Runtime:
    """What computes features with a file; the arguments are those of FeatureExtractor.

    Raises:
        FileNotFoundError: no such file.
        ValueError: the file cannot be used, or lacks what only the caller can say.
    """
    config = config_beside(path)
    if config is not None and backbone is None:
        return _load_reid_folder(path, config, device, precision, flip, architecture, given)
    if path.suffix.lower() != SAFETENSORS:
        check_weight_file(path, is_exported=path.suffix.lower() in EXPORTED_SUFFIXES)
    if backbone is not None and (architecture is not None or path.suffix.lower() in EXPORTED_SUFFIXES):
        raise ValueError(
            f"backbone is for a reid_gl checkpoint of a network of your own: leave it out, or architecture, "
            f"for {path}"
        )
    if path.suffix.lower() in EXPORTED_SUFFIXES:
        if flip:
            raise ValueError(f"flip is part of a network in torch, {path} is exported: export it with flip")
        preprocessing = None if given.is_empty() else given.build(str(path))
        return load_exported(path, preprocessing, device=device, precision=precision, kernel=given.kernel)
    if precision == "int8":
        raise ValueError(
            f"int8 needs a calibrated export of {path}: reid-gl export --format openvino --precision int8"
        )
    if architecture is not None:
        return _load_foreign(path, architecture, device, precision, flip, given)
    if path.suffix.lower() == SAFETENSORS:
        raise ValueError(f"{path} is of a foreign network, give the architecture, such as 'osnet_x1_0'")
    if not given.is_empty() or given.kernel:
        raise ValueError(f"{path} is a reid_gl checkpoint and knows the images it takes: say nothing of them")
    try:
        loaded = load_net(path, backbone=copy.deepcopy(backbone))
    except NoCheckpointError as error:
        raise ValueError(
            f"{error}; of a foreign network, give the architecture, such as 'osnet_x1_0'"
        ) from None
    preprocessing = stored_preprocessing(loaded.checkpoint)
    stored = stored_strategies(loaded.checkpoint)
    inference = stored.settings if flip is None else replace(stored.settings, flip=flip)
    return TorchRuntime(
        loaded.net,
        preprocessing,
        feature=stored.feature,
        device=device,
        precision=precision,
        inference=inference,
    )


def _load_foreign(
    path: Path,
    architecture: str,
    device: str,
    precision: str,
    flip: bool | None,
    given: GivenPreprocessing | Preprocessing,
) -> Runtime:
    """A network of another project; what it does not say of its images, the caller does."""
    foreign = load_foreign(path, architecture)
    if isinstance(given, Preprocessing):
        preprocessing = given
    elif given.is_empty():
        kernel = given.kernel or foreign.kernel
        preprocessing = Preprocessing(kernel=kernel, mean=foreign.mean, std=foreign.std)
    else:
        preprocessing = given.build(str(path), kernel=foreign.kernel)
    return TorchRuntime(
        foreign.net,
        preprocessing,
        feature=foreign.feature,
        device=device,
        precision=precision,
        inference=InferenceSettings(flip=bool(flip)),
    )


def _load_reid_folder(
    path: Path,
    config_file: Path,
    device: str,
    precision: str,
    flip: bool | None,
    architecture: str | None,
    given: GivenPreprocessing,
) -> Runtime:
    """A network of Roboflow's `reid`, whose configuration says all that others must be told."""
    config = read_reid_config(config_file)
    if not given.is_empty() or architecture not in (None, config.architecture):
        raise ValueError(
            f"{config_file} says that {path} is {config.architecture} and what images it takes: say "
            "nothing of them, or give weights that lie elsewhere"
        )
    return _load_foreign(path, config.architecture, device, precision, flip, config.preprocessing)
