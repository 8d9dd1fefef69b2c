"""Check the names in seqinfo.ini."""

from __future__ import annotations

import os
from pathlib import Path


def check_sequence_names(path: Path, *, name: str, image_folder: str, suffix: str) -> None:
    """Check that names lead to no file outside the sequence's folder or, for results, the results' folder.

    Args:
        path: seqinfo.ini, for the message.
        name: name of the sequence.
        image_folder: folder of the images; it may lie deeper in the sequence's folder.
        suffix: suffix of the images.

    Raises:
        ValueError: a name leads out of the folder, or is empty.
    """
    for key, word in {"name": name, "imDir": image_folder, "imExt": suffix}.items():
        parts = word.replace("\\", "/").split("/")
        may_be_deep = key == "imDir" and not os.path.isabs(word)
        is_plain = len(parts) == 1 or may_be_deep
        if word in ("", ".") or ".." in parts or not word.isprintable() or not is_plain:
            raise ValueError(f"{path}: {key} must be a plain name without folders, got {word!r}: correct it")
