"""Parts of an extraction as Parquet files, which workers on any host compute and write."""

from __future__ import annotations

import importlib
import json
import secrets
import socket
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from reid_gl.files import partial_of
from reid_gl.inference.bulk.crop_lists import CropList
from reid_gl.inference.bulk.embed_rows import Flags, Floats, RowReader, Texts, embed_rows
from reid_gl.inference.bulk.feature_tables import arrow_table
from reid_gl.inference.bulk.row_digests import digest_rows
from reid_gl.inference.extractor.feature_extractor import FeatureExtractor

PLAN_FILE = "_plan.json"
"""Readers of Parquet folders ignore files whose names begin with an underscore or a dot."""
METADATA_KEY = b"reid_gl"


@dataclass(frozen=True)
class Part:
    """Rows to compute.

    Attributes:
        start: number of the first row in the whole list, from 0.
        crops: the rows of the part.
    """

    start: int
    crops: CropList


@dataclass(frozen=True)
class PartRecord:
    """What the metadata of a written part says.

    Attributes:
        digest: digest of the images and boxes, see digest_rows; "" if the file is broken.
        embedding_dim: D.
        num_outside: number of boxes that do not overlap their images.
        rejected: maps places in the part, from 0, of rows without a feature to the reasons.
    """

    digest: str = ""
    embedding_dim: int = 0
    num_outside: int = 0
    rejected: Mapping[int, str] = field(default_factory=dict)


class PartWriter:
    """Computes and writes parts. Each worker has one, which makes its extractor once.

    Args:
        make_extractor: makes the extractor, when the first part is computed.
        folder: folder of the parts, with the plan in it.
        batch_size: number of rows per batch.
        skip: leave out images that cannot be read, and record the reasons.
    """

    def __init__(
        self, make_extractor: Callable[[], FeatureExtractor], folder: Path, *, batch_size: int, skip: bool
    ) -> None:
        self._make_extractor, self._folder = make_extractor, folder
        self._batch_size, self._skip = batch_size, skip
        self._extractor: FeatureExtractor | None = None

    def write(self, part: Part) -> str:
        """Compute a part and write its file, which appears only when it is complete.

        Returns:
            "", or the reason why the part cannot be computed.
        """
        if not (self._folder / PLAN_FILE).is_file():
            return (
                f"host {socket.gethostname()} does not see {self._folder}: choose an output on a file system "
                "that all hosts of the cluster share"
            )
        try:
            self._extractor = self._extractor or self._make_extractor()
            digest = digest_rows(part.crops, 0, len(part.crops))
            reader = RowReader(part.crops, skip=self._skip)
            arrays = embed_rows(self._extractor, reader, range(len(part.crops)), self._batch_size)
            write_part(part_path(self._folder, part.start), part.crops, *arrays, digest)
        except (OSError, ValueError, TypeError, ImportError) as error:
            return f"{error}"
        return ""


def part_path(folder: Path, start: int) -> Path:
    """Return the path of the part that begins with row `start`; names sort in the order of the list."""
    return folder / f"part-{start:012d}.parquet"


def write_part(
    path: Path, crops: CropList, features: Floats, valid: Flags, reasons: Texts, digest: str
) -> None:
    """Write the rows of a part that have no reason, and record the others in the file's metadata."""
    kept = reasons == ""
    table = arrow_table(crops.select(kept), features[kept], valid[kept])
    rejected = {place: reason for place, reason in enumerate(reasons.tolist()) if reason}
    record = PartRecord(digest, features.shape[1], int((~valid[kept]).sum()), rejected)
    table = table.replace_schema_metadata({METADATA_KEY: json.dumps(asdict(record))})
    # a worker that was taken for dead may still write, so each attempt has a temporary file of its own
    attempt = partial_of(path.with_name(f"{path.stem}.{secrets.token_hex(4)}"))
    try:
        importlib.import_module("pyarrow.parquet").write_table(table, attempt)
        attempt.replace(path)
    finally:
        attempt.unlink(missing_ok=True)


def read_record(path: Path) -> PartRecord:
    """Read the metadata of a part; the record has no digest if the file is broken."""
    parquet = importlib.import_module("pyarrow.parquet")
    try:
        values = json.loads(parquet.read_metadata(path).metadata[METADATA_KEY])
        rejected = {int(place): str(reason) for place, reason in values.pop("rejected").items()}
        return PartRecord(**values, rejected=rejected)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return PartRecord()


def remove_unfinished(folder: Path) -> None:
    """Delete what killed workers left of parts that they were writing."""
    for path in folder.glob(".part-*.partial"):
        path.unlink(missing_ok=True)
