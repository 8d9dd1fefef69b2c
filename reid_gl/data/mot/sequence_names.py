"""What seqinfo.ini may call things."""

from __future__ import annotations

import os
from pathlib import Path


def check_sequence_names(path: Path, *, name: str, image_folder: str, suffix: str) -> None:
    """A sequence names files inside itself, and results after itself, and none anywhere else.

    Args:
        path: seqinfo.ini, for the message.
        name: of the sequence.
        image_folder: may lie deeper in the sequence's folder.
        suffix: of the images.

    Raises:
        ValueError: a name that leads out of the folder, or is none.
    """
    for key, word in {"name": name, "imDir": image_folder, "imExt": suffix}.items():
        parts = word.replace("\\", "/").split("/")
        may_be_deep = key == "imDir" and not os.path.isabs(word)
        is_plain = len(parts) == 1 or may_be_deep
        if word in ("", ".") or ".." in parts or not word.isprintable() or not is_plain:
            raise ValueError(f"{path}: {key} must be a plain name without folders, got {word!r}: correct it")
