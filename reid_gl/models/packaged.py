"""The network that is part of the package: it was trained on rendered people only (docs/weights.md)."""

from __future__ import annotations

from pathlib import Path

PACKAGED = "package"
"""What stands for it wherever weights are taken."""
PACKAGED_FILE = Path(__file__).parent / "rendered_people.ckpt"
PACKAGED_ARCHITECTURE = "resnet18_ibn_a_c4"
"""Its backbone, see backbones.make_backbone."""
