"""The caller's description of weights of other projects: the network and its input images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from reid_gl.data.loading.transforms import Preprocessing
from reid_gl.inference.exported.exported_network import EXAMPLE


@dataclass(frozen=True)
class GivenPreprocessing:
    """The caller's description of a network's input images; None for anything not given.

    Attributes:
        input_size: (height, width).
        mean: per channel RGB, in units of pixel_range.
        std: as mean.
        pixel_range: value of white in the network's input, 1.0 or 255.0.
        channel_order: order of the network's input channels, "rgb" or "bgr".
        kernel: resize kernel, as Preprocessing names it; the only optional one of these.
    """

    input_size: Sequence[int] | None = None
    mean: Sequence[float] | None = None
    std: Sequence[float] | None = None
    pixel_range: float | None = None
    channel_order: str | None = None
    kernel: str | None = None

    def facts(self) -> dict[str, object]:
        """Return the values that must be given all together or not at all."""
        return {key: value for key, value in vars(self).items() if key != "kernel"}

    def is_empty(self) -> bool:
        """Return whether none of the required values is given."""
        return all(value is None for value in self.facts().values())

    def build(self, name: str, *, kernel: str = "linear") -> Preprocessing:
        """Return the description as preprocessing.

        Args:
            name: name of the network in messages.
            kernel: kernel to use if none was given.

        Raises:
            ValueError: a value is missing or impossible; nothing is guessed.
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
                f"pixel_range must be 1.0 or 255.0, the network's value for white, got {self.pixel_range}"
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
        """Raise if mean and standard deviation fit the other range of pixels."""
        given = f"mean {tuple(mean)} and std {tuple(std)}"
        if not all(0 <= number <= white for number in mean) or not all(0 < number <= white for number in std):
            raise ValueError(
                f"{given} are not for pixels in [0, {white:g}]: give them in units of pixel_range, or "
                "pixel_range=255.0"
            )
        if white > 1 and any(mean) and max(*mean, *std) <= 1:
            raise ValueError(
                f"{given} are for pixels in [0, 1], not in [0, {white:g}]: multiply them by {white:g}, or "
                "give pixel_range=1.0"
            )


@dataclass(frozen=True)
class Foreign:
    """The caller's description of weights of another project; empty for our checkpoints.

    Attributes:
        architecture: the network, as FeatureExtractor takes it.
        images: its input images.
        output_name: the output with the features, for an exported file with several outputs.
    """

    architecture: str | None = None
    images: GivenPreprocessing = GivenPreprocessing()
    output_name: str | None = None

    def is_empty(self) -> bool:
        """Return whether the description is empty."""
        return all(value is None for value in self.arguments().values())

    def arguments(self) -> dict[str, Any]:
        """Return the description as keyword arguments of FeatureExtractor."""
        return {"architecture": self.architecture, **vars(self.images), "output_name": self.output_name}


NOTHING_SAID = Foreign()
