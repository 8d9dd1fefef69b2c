"""What `reid-gl weights` does: write, check, copy and publish folders of weights."""

from __future__ import annotations

import json
import logging
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from reid_gl.evaluation.thresholds.record import Calibration
from reid_gl.files import finished_or_nothing
from reid_gl.inference.extractor.find_weights import find_weights
from reid_gl.inference.extractor.hub_files import (
    BESIDE,
    HubName,
    explain,
    hub_errors,
    import_hub,
    parse_hub_name,
)
from reid_gl.inference.extractor.manifest import MANIFEST_FILE, find_changes, read_manifest, write_manifest
from reid_gl.inference.extractor.open_weights import stored_preprocessing, stored_strategies
from reid_gl.inference.extractor.weights_folder import (
    CALIBRATION,
    CARD_FILE,
    CONFIG_FILE,
    save_weights,
)
from reid_gl.inference.strategies.apply import KEY as STRATEGIES
from reid_gl.models import read_checkpoint
from reid_gl.report.model_card import format_card
from reid_gl.untrusted.json_files import what_is_wrong
from reid_gl.untrusted.regular_file import read_regular_file, why_no_file

logger = logging.getLogger(__name__)

MAX_METRICS_BYTES = 10_000_000
LARGEST_SCORE = 1e15


def write_weights_folder(
    weights: str | Path, folder: str | Path, *, license_name: str = "", metrics: Sequence[str | Path] = ()
) -> Path:
    """Write one of our checkpoints as a folder to publish, with its card; it appears whole or not at all.

    Args:
        weights: the checkpoint.
        folder: a new folder.
        license_name: licence of the weights, such as apache-2.0.
        metrics: files that `reid-gl test` wrote.

    Raises:
        FileExistsError: the folder exists.
        FileNotFoundError, ValueError, ImportError: as read_checkpoint, load_weights and write_safetensors.
    """
    folder = Path(folder)
    if folder.exists():
        raise FileExistsError(f"{folder} exists: choose another folder or remove this one")
    checkpoint = read_checkpoint(find_weights(weights))
    stored_preprocessing(checkpoint)
    checkpoint[STRATEGIES] = stored_strategies(checkpoint).to_dict()
    scores = dict(_read_scores(Path(file)) for file in metrics)
    with finished_or_nothing(folder) as unfinished:
        save_weights(checkpoint, unfinished, metrics=scores)
        description = json.loads((unfinished / CONFIG_FILE).read_text(encoding="utf-8"))
        thresholds = checkpoint.get(CALIBRATION)
        card = format_card(
            folder.name,
            description,
            license_name=license_name,
            metrics=scores,
            calibration=None if thresholds is None else Calibration.from_dict(thresholds),
        )
        (unfinished / CARD_FILE).write_text(card, encoding="utf-8")
        write_manifest(unfinished)
    return folder


def verify_weights(folder: str | Path) -> list[str]:
    """Return one sentence per file of a folder that its manifest does not describe; empty if all is well."""
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no folder {folder}")
    manifest = folder / MANIFEST_FILE
    if os.path.lexists(manifest) and not manifest.is_file():
        raise FileNotFoundError(f"{manifest} {why_no_file(manifest)}: reid-gl weights card writes one")
    if not manifest.is_file():
        raise FileNotFoundError(f"{folder} has no {MANIFEST_FILE}: reid-gl weights card writes such a folder")
    return find_changes(folder)


def pull_weights(name: str, folder: str | Path) -> Path:
    """Copy weights of a hub, and what belongs to them, to a new folder.

    Raises:
        FileExistsError: the folder exists.
        FileNotFoundError, PermissionError, ValueError, ImportError: as fetch_hub_weights.
    """
    folder = Path(folder)
    parse_hub_name(name)
    if folder.exists():
        raise FileExistsError(f"{folder} exists: choose another folder or remove this one")
    weights = find_weights(name)
    beside = [weights.with_name(other) for other in BESIDE.get(weights.name, ())]
    with finished_or_nothing(folder) as unfinished:
        for path in (weights, *(other for other in beside if other.is_file())):
            shutil.copyfile(path, unfinished / path.name)
        if (unfinished / MANIFEST_FILE).is_file() and (changes := find_changes(unfinished)):
            raise ValueError(f"{name} is not what its authors published: {'; '.join(changes)}")
    return folder


def push_weights(folder: str | Path, name: str, *, is_private: bool = False) -> str:
    """Upload a folder that `write_weights_folder` wrote, exactly the files of its manifest.

    Args:
        folder: the folder; it is verified first.
        name: hf://owner/repo, with @branch if not the default one; the repository is created if needed.
        is_private: create it for its owner only.

    Returns:
        The address of the commit.

    Raises:
        ValueError: the folder has changed since its manifest was written, or the name has a file.
        PermissionError, OSError: the hub refuses, or cannot be reached.
    """
    target, folder = parse_hub_name(name), Path(folder)
    if target.file is not None:
        raise ValueError(f"{name}: a whole folder is pushed, leave /{target.file} out")
    changes = verify_weights(folder)
    if changes:
        raise ValueError(f"{folder} is not as it was written: {'; '.join(changes)}; write it again")
    hub = import_hub()
    files = [*read_manifest(folder / MANIFEST_FILE), MANIFEST_FILE]
    try:
        return _upload(hub.HfApi(), folder, target, files, is_private=is_private)
    except hub_errors() as error:
        raise explain(error, target) from None


def _upload(
    api: Any,  # noqa: ANN401
    folder: Path,
    target: HubName,
    files: list[str],
    *,
    is_private: bool,
) -> str:
    api.create_repo(target.repo, private=is_private, exist_ok=True)
    commit = api.upload_folder(
        repo_id=target.repo,
        folder_path=folder,
        revision=target.revision,
        allow_patterns=files,
        commit_message=f"Weights of {folder.name}, by reid_gl",
    )
    return str(commit.commit_url)


def _read_scores(path: Path) -> tuple[str, Mapping[str, Any]]:
    """Read a result of `reid-gl test`: the name of its data set and the scores; no path is kept."""
    if not path.is_file():
        raise FileNotFoundError(f"scores {path} {why_no_file(path)}: give files that reid-gl test wrote")
    try:
        found = json.loads(read_regular_file(path, max_bytes=MAX_METRICS_BYTES))
        scores = {key: value for key, value in found.items() if _is_score(value)}
        data, protocol = str(found["dataset"]), dict(found["protocol"])
        if not 0 <= scores["mAP"] <= 1:
            raise ValueError(f"its mAP is {scores['mAP']}, expected a number from 0 to 1")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(
            f"{path} has no scores ({what_is_wrong(error)}): give files that reid-gl test wrote"
        ) from None
    return data, {**scores, "protocol": protocol}


def _is_score(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < LARGEST_SCORE
