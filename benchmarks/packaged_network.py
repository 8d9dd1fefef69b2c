"""Write reid_gl/models/rendered_people.ckpt, the network that is part of the package, from a trained one.

    python benchmarks/packaged_network.py runs/rendered_people/model.ckpt

configs/rendered_people.yml says how it is trained. What features need is kept, in half precision; the
classifier keeps one row, and the names of the machine's folders go.
"""

from __future__ import annotations

import sys

import torch
from torch import Tensor

from reid_gl.models.packaged import PACKAGED_FILE
from reid_gl.models.weights import read_checkpoint
from reid_gl.training.checkpoint import save_checkpoint

KEPT = ("format", "net", "preprocessing", "inference", "epoch")


def main() -> None:
    checkpoint = read_checkpoint(sys.argv[1])
    kept = {name: checkpoint[name] for name in KEPT}
    kept["net"] = {**kept["net"], "num_classes": 1}
    kept["model"] = {name: _short(name, tensor) for name, tensor in checkpoint["model"].items()}
    save_checkpoint(kept, PACKAGED_FILE)


def _short(name: str, tensor: Tensor) -> Tensor:
    kept = tensor[:1].clone() if name.startswith("classifier.") else tensor
    if not kept.is_floating_point():
        return kept
    half = kept.half()
    if not torch.isfinite(half).all():
        raise ValueError(f"{name} exceeds the range of float16")
    return half


if __name__ == "__main__":
    main()
