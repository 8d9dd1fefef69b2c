"""What was loaded of a file of another project, and the network that it fills."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from reid_gl.models.state_names import Tensors

logger = logging.getLogger(__name__)

MIN_SHARE = 0.9
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
Colors = tuple[float, float, float]


@dataclass(frozen=True)
class LoadReport:
    """The tensors of a network that a file filled.

    Classifiers and batch counters (num_batches_tracked) do not count, since features do not depend on them.

    Attributes:
        project: project that the tensor names come from: "torchreid", "timm", "reid-strong-baseline",
            "fast-reid" or "TransReID".
        loaded: tensors of the network that the file filled.
        missing: tensors of the network that the file lacks or has in another shape.
        unexpected: tensors of the file, by their names in the file, that the network does not have.
        share: share of the network's tensors that were filled, in [0, 1].
    """

    project: str
    loaded: tuple[str, ...]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    share: float


@dataclass(frozen=True)
class ForeignNet:
    """A network of another project, with its preprocessing.

    Attributes:
        net: on the CPU, in evaluation mode; returns a tensor (N, D) or a ReidOutput.
        architecture: its name, given or recognised.
        feature: field of the ReidOutput that the project compares.
        kernel: interpolation of the project's resize, by its name in Preprocessing; all three projects
            resize with PIL.
        report: what was loaded.
        mean: per channel RGB in [0, 1]; from the file if it holds one, else ImageNet's.
        std: as mean.
        height: of the input in pixels, as the project's published settings have it.
        width: as height.
    """

    net: nn.Module
    architecture: str
    feature: str
    kernel: str
    report: LoadReport
    mean: Colors = IMAGENET_MEAN
    std: Colors = IMAGENET_STD
    height: int = 256
    width: int = 128


def _counts(name: str) -> bool:
    """Return whether features depend on a tensor of that name."""
    return not name.startswith("classifier") and not name.endswith("num_batches_tracked")


def fill_network(
    net: nn.Module, tensors: Tensors, rename: Callable[[str], str], *, project: str, path: Path
) -> LoadReport:
    """Copy the tensors that fit into the network; raise ValueError if less than MIN_SHARE is filled."""
    own = {name: value for name, value in net.state_dict().items() if _counts(name)}
    given = {name: rename(name) for name in tensors}
    fitting = {}
    for name, target in given.items():
        if target in own and own[target].numel() == tensors[name].numel() == 1:
            fitting[target] = tensors[name].reshape(
                own[target].shape
            )  # fast-reid's GeM exponent has shape (1,)
        elif target in own and own[target].shape == tensors[name].shape:
            fitting[target] = tensors[name]
    net.load_state_dict(fitting, strict=False)
    missing = tuple(name for name in own if name not in fitting)
    unexpected = tuple(name for name, target in given.items() if _counts(target) and target not in fitting)
    report = LoadReport(project, tuple(fitting), missing, unexpected, len(fitting) / len(own))
    summary = (
        f"{path}, names of {project}: {len(fitting)} of {len(own)} tensors of the network are filled"
        f"{_some('missing', missing)}{_some('unexpected', unexpected)}"
    )
    if report.share < MIN_SHARE:
        raise ValueError(f"{summary}; it was made for another architecture, or by another project")
    logger.log(logging.WARNING if missing else logging.INFO, "%s", summary)
    return report


def _some(meaning: str, names: tuple[str, ...]) -> str:
    shown = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
    return f"; {len(names)} {meaning} ({shown})" if names else ""
