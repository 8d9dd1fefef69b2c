"""What only the caller can say of weights of other projects: the network, and the images it takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from reid_gl.data.loading.transforms import Preprocessing

EXAMPLE = (
    "for example input_size=(256, 128), mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225), "
    'pixel_range=1.0, channel_order="rgb"'
)
"""What a caller can say of a network whose file says nothing."""


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


@dataclass(frozen=True)
class Foreign:
    """What the caller says of weights of another project; nothing for checkpoints of ours.

    Attributes:
        architecture: the network, as FeatureExtractor takes it.
        images: what it takes.
        output_name: the output of an exported file that holds the features, of several.
    """

    architecture: str | None = None
    images: GivenPreprocessing = GivenPreprocessing()
    output_name: str | None = None

    def is_empty(self) -> bool:
        """Whether nothing is said."""
        return all(value is None for value in self.arguments().values())

    def arguments(self) -> dict[str, Any]:
        """The same as keyword arguments of FeatureExtractor."""
        return {"architecture": self.architecture, **vars(self.images), "output_name": self.output_name}


NOTHING_SAID = Foreign()
