"""Weights by name, hf://owner/repo; the only file that imports huggingface_hub.

Where files lie, the token, the server and working without a network are huggingface_hub's own settings:
HF_HOME, HF_TOKEN or `hf auth login`, HF_ENDPOINT, HF_HUB_OFFLINE. Only safetensors and our own checkpoints
are taken, so that no file of a hub is unpickled, and the content of every file is compared with a checksum.
"""

from __future__ import annotations

import hashlib
import importlib
import logging
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import ModuleType
from typing import Any

from reid_gl.inference.extractor import reid_folder, weights_folder
from reid_gl.inference.extractor.manifest import MANIFEST_FILE, find_changes, sha256_of

logger = logging.getLogger(__name__)

NAME = re.compile(
    r"hf:/{1,2}(?P<repo>[\w.-]+/[\w.-]+)(@(?P<revision>refs/pr/\d+|[^/@]+))?(/(?P<file>[^@]+))?"
)
"""Path("hf://a/b") has one slash only."""
SUFFIXES = (".safetensors", ".ckpt")
BESIDE = {
    weights_folder.WEIGHTS_FILE: (
        weights_folder.CONFIG_FILE,
        MANIFEST_FILE,
        weights_folder.CALIBRATION_FILE,
        weights_folder.METRICS_FILE,
        weights_folder.CARD_FILE,
    ),
    reid_folder.WEIGHTS_FILE: (reid_folder.CONFIG_FILE, weights_folder.CARD_FILE),
}
"""Files that belong to weights of a name, if they lie beside them."""
CACHED, BLOBS = "snapshots", "blobs"
"""Folders of huggingface_hub's cache; a snapshot's files are links to blobs, which are named by checksum."""


@dataclass(frozen=True)
class HubName:
    """What hf://owner/repo[@revision][/file] says.

    Attributes:
        repo: "owner/repo".
        revision: branch, tag or commit; None for the default branch.
        file: path in the repository; None to take its only file of weights.
    """

    repo: str
    revision: str | None = None
    file: str | None = None

    def __str__(self) -> str:
        revision = f"@{self.revision}" if self.revision else ""
        return f"hf://{self.repo}{revision}" + (f"/{self.file}" if self.file else "")


@dataclass(frozen=True)
class _Listing:
    """The files of a revision: its commit, per name the checksum that the hub states, whence it comes."""

    commit: str
    digests: dict[str, str]
    is_cached: bool


def is_hub_name(weights: str | Path) -> bool:
    """Whether weights are named, not a path."""
    return str(weights).startswith("hf:/")


def parse_hub_name(weights: str | Path) -> HubName:
    """Read hf://owner/repo[@revision][/file].

    Raises:
        ValueError: it has another form.
    """
    found = NAME.fullmatch(str(weights))
    if found is None or ".." in str(weights).split("/"):
        raise ValueError(f"expected hf://owner/repo, with @revision and /file if needed, got {weights}")
    return HubName(found["repo"], found["revision"], found["file"])


def is_in_hub_cache(path: Path) -> bool:
    """Whether a file lies in huggingface_hub's cache, where nothing else should be written."""
    return any(folder.name == CACHED and (folder.parent / BLOBS).is_dir() for folder in path.parents)


def fetch_hub_weights(weights: str | Path) -> Path:
    """Download weights and what belongs to them to huggingface_hub's cache, unless they are there.

    Args:
        weights: hf://owner/repo[@revision][/file].

    Returns:
        The file of weights in the cache, its description beside it, if it has one.

    Raises:
        FileNotFoundError: there is no such repository, revision or file, or it is neither reachable nor in
            the cache.
        ValueError: the name is wrong, the file is of another kind, there are several, or a checksum differs.
        PermissionError: the repository is gated or private.
        ImportError: huggingface_hub is not installed.
    """
    name = parse_hub_name(weights)
    hub = import_hub()
    listing = _list_files(hub, name)
    chosen = _choose(name, [*listing.digests])
    folder, beside = PurePosixPath(chosen).parent, BESIDE.get(PurePosixPath(chosen).name, ())
    files = [chosen, *(str(folder / other) for other in beside if str(folder / other) in listing.digests)]
    paths = [_download(hub, name, file, listing) for file in files]
    config = weights_folder.folder_config_beside(paths[0])
    if config is not None:
        _check_manifest(name, paths)
    return paths[0]


def import_hub() -> ModuleType:
    """Import huggingface_hub; ImportError with the command to install it if it is missing."""
    try:
        return importlib.import_module("huggingface_hub")
    except ImportError:
        raise ImportError(
            "weights by name (hf://) need huggingface_hub, which is not installed: pip install 'reid_gl[hub]'"
        ) from None


def explain(error: Exception, name: HubName) -> Exception:
    """Turn an error of huggingface_hub into one sentence that says what to do."""
    kinds = importlib.import_module("huggingface_hub.errors")
    log_in = "log in with `hf auth login`, or set HF_TOKEN"
    status = getattr(getattr(error, "response", None), "status_code", None)
    if isinstance(error, kinds.GatedRepoError):
        return PermissionError(f"{name} is gated: ask for access on the page of {name.repo}, then {log_in}")
    if isinstance(error, kinds.RevisionNotFoundError):
        return FileNotFoundError(f"{name}: {name.repo} has no revision {name.revision!r}")
    if isinstance(error, kinds.RepositoryNotFoundError):
        return FileNotFoundError(
            f"{name}: there is no repository {name.repo}, or it is private: check the name, or {log_in}"
        )
    if isinstance(error, kinds.EntryNotFoundError) and not isinstance(error, kinds.LocalEntryNotFoundError):
        return FileNotFoundError(f"{name}: {name.repo} has no such file")
    if status in (401, 403):
        return PermissionError(f"{name} may not be used with this token, or without one: {log_in}")
    first = next(iter(str(error).strip().splitlines()), type(error).__name__)
    return OSError(f"{name} cannot be reached ({first}): try again later")


def hub_errors() -> tuple[type[Exception], ...]:
    """Errors of huggingface_hub: of HTTP, of the connection and of the cache."""
    kinds = importlib.import_module("huggingface_hub.errors")
    return kinds.HTTPError, kinds.EntryNotFoundError, OSError


def _list_files(hub: ModuleType, name: HubName) -> _Listing:
    """List a revision's files, from the cache if the hub cannot be reached."""
    kinds = importlib.import_module("huggingface_hub.errors")
    try:
        info = hub.HfApi().model_info(name.repo, revision=name.revision, files_metadata=True)
    except hub_errors() as error:
        if isinstance(error, kinds.HfHubHTTPError):
            raise explain(error, name) from None
        return _list_cached(hub, name, error)
    digests = {file.rfilename: file.lfs.sha256 if file.lfs else file.blob_id for file in info.siblings}
    return _Listing(str(info.sha), {file: str(digest or "") for file, digest in digests.items()}, False)


def _list_cached(hub: ModuleType, name: HubName, cause: Exception) -> _Listing:
    """List what the cache has of a revision; the blobs' names are the checksums."""
    storage = Path(hub.constants.HF_HUB_CACHE) / f"models--{name.repo.replace('/', '--')}"
    revision = name.revision or "main"
    reference = storage / "refs" / revision
    commit = reference.read_text().strip() if reference.is_file() else revision
    snapshot = storage / CACHED / commit
    if not snapshot.is_dir():
        first = next(iter(str(cause).strip().splitlines()), type(cause).__name__)
        raise FileNotFoundError(
            f"{name} is not in the cache {hub.constants.HF_HUB_CACHE}, and the hub cannot be reached "
            f"({first}): connect, or unset HF_HUB_OFFLINE, and run it once"
        )
    logger.warning("%s comes from the cache, commit %s: the hub cannot be reached", name, commit[:12])
    files = sorted(path for path in snapshot.rglob("*") if path.is_file())
    return _Listing(commit, {path.relative_to(snapshot).as_posix(): _blob_name(path) for path in files}, True)


def _choose(name: HubName, files: Sequence[str]) -> str:
    """Return the file of weights to take."""
    if name.file is not None:
        if PurePosixPath(name.file).suffix not in SUFFIXES:
            raise ValueError(
                f"{name} is not taken from a hub, where only {' and '.join(SUFFIXES)} are, because others "
                "can hold code: ask its authors for safetensors"
            )
        if name.file not in files:
            raise FileNotFoundError(f"{name}: {name.repo} has no such file, it has {_shown(files)}")
        return name.file
    top = [file for file in files if "/" not in file and PurePosixPath(file).suffix in SUFFIXES]
    if len(top) == 1:
        return top[0]
    if not top:
        raise FileNotFoundError(
            f"{name} has no file of weights that ends in {' or '.join(SUFFIXES)}, it has {_shown(files)}"
        )
    raise ValueError(
        f"{name} has {len(top)} files of weights ({', '.join(top)}): name one, such as {name}/{top[0]}"
    )


def _download(hub: ModuleType, name: HubName, file: str, listing: _Listing) -> Path:
    # a download of a branch, unlike one of a commit, lets the cache remember where the branch is
    revision = listing.commit if listing.is_cached else name.revision
    try:
        path = Path(hub.hf_hub_download(name.repo, file, revision=revision))
    except hub_errors() as error:
        raise explain(error, name) from None
    expected = listing.digests[file] or _blob_name(path)
    found = sha256_of(path) if len(expected) == 64 else _git_digest(path)
    if not expected:
        raise ValueError(f"{name}: the hub states no checksum of {file}, so it is not used")
    if found != expected:
        raise ValueError(
            f"{name}: {file} is damaged: its checksum is {found}, the hub states {expected}; remove "
            f"{path.resolve()} and try again"
        )
    return path


def _check_manifest(name: HubName, paths: Sequence[Path]) -> None:
    folder = paths[0].parent
    if not (folder / MANIFEST_FILE).is_file():
        raise ValueError(f"{name} has no {MANIFEST_FILE}: publish the folder with reid-gl weights push")
    names = [path.name for path in paths if path.name not in (MANIFEST_FILE, weights_folder.CARD_FILE)]
    changes = find_changes(folder, names)
    if changes:
        raise ValueError(f"{name} is not what its authors published: {'; '.join(changes)}")


def _blob_name(path: Path) -> str:
    """Return the name of the blob that a cached file links to, its checksum; "" where links are missing."""
    return Path(os.readlink(path)).name if path.is_symlink() else ""


def _git_digest(path: Path) -> str:
    """Return git's checksum of a file, SHA-1 of a header and the content."""
    content = path.read_bytes()
    header = b"blob %d\0" % len(content)
    return hashlib.sha1(header + content, usedforsecurity=False).hexdigest()


def _shown(files: Sequence[str]) -> str:
    shown: Any = sorted(files)[:8]
    return ", ".join(shown) + (", ..." if len(files) > 8 else "") if files else "no files"
