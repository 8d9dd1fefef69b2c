"""Reads COCO JSON with identities as the cells of a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from reid_gl.data.datasets.own.table_columns import BOX_COLUMNS
from reid_gl.untrusted.json_files import parse_json
from reid_gl.untrusted.regular_file import read_regular_file

MAX_BYTES = 1_000_000_000
KEYS = {
    "pid": ("pid", "identity", "identity_id", "person_id", "instance_id", "track_id"),
    "camid": ("camid", "camera", "camera_id", "cam_id"),
    "split": ("split", "subset"),
    "tracklet": ("tracklet", "tracklet_id", "track_id"),
    "clothes": ("clothes", "clothes_id"),
    "date": ("date",),
    "ignore": ("ignore", "iscrowd"),
}
"""Keys that hold a column, in an annotation, in its "attributes", or in its image; the first one counts."""


class CocoTable:
    """The annotations of a COCO file, one row for each.

    Args:
        path: the file.

    Raises:
        FileNotFoundError: no such file.
        ValueError: it is not JSON with lists "images" and "annotations" of objects, or names no identity.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        text = read_regular_file(path, max_bytes=MAX_BYTES)
        content = parse_json(text, str(path), advice="write it again")
        parts = [content.get(key) if isinstance(content, dict) else None for key in ("images", "annotations")]
        if not all(isinstance(part, list) and all(isinstance(one, dict) for one in part) for part in parts):
            raise ValueError(
                f"{path} is not a COCO file: expected the lists 'images' and 'annotations' of objects; for "
                "other JSON, write a .csv file"
            )
        images: list[dict[str, Any]]
        self._annotations: list[dict[str, Any]]
        images, self._annotations = content["images"], content["annotations"]
        self._images: dict[Any, dict[str, Any]] = {}
        for number, image in enumerate(images, start=1):
            if not isinstance(image.get("id"), int | str) or not isinstance(image.get("file_name"), str):
                raise ValueError(f"image {number} of {path} lacks 'id' or 'file_name': write the file again")
            self._images[image["id"]] = image

    @property
    def titles(self) -> list[str]:
        """Return the columns that at least one annotation has a value for."""
        found = ["path"]
        for title in KEYS:
            if any(_find(one, self._image(one), title) is not None for one in self._annotations):
                found.append(title)
        if self._annotations and "pid" not in found:
            raise ValueError(
                f"no annotation of {self._path} has an identity: expected one of the keys "
                f"{', '.join(KEYS['pid'])}, in the annotation or in its 'attributes'"
            )
        has_boxes = any("bbox" in one for one in self._annotations)
        return [*found, *(BOX_COLUMNS if has_boxes else ())]

    def rows(self, wanted: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
        """Yield the number, from 1, and the cells by title of each annotation.

        Raises:
            ValueError: an annotation has no image, or its box is not four numbers.
        """
        for number, annotation in enumerate(self._annotations, start=1):
            image = self._image(annotation)
            if not image:
                raise ValueError(
                    f"annotation {number} of {self._path} belongs to image {annotation.get('image_id')!r}: "
                    "expected the 'id' of one of its images"
                )
            cells = {"path": image["file_name"]}
            for title in KEYS:
                cells[title] = _as_text(_find(annotation, image, title))
            cells |= self._box(annotation, number)
            yield number, {title: cells.get(title, "") for title in wanted}

    def _image(self, annotation: Mapping[str, Any]) -> dict[str, Any]:
        key = annotation.get("image_id")
        return self._images.get(key, {}) if isinstance(key, int | str) else {}

    def _box(self, annotation: Mapping[str, Any], number: int) -> dict[str, str]:
        """Return the corners in whole pixels; COCO's boxes are x, y, width and height."""
        box = annotation.get("bbox")
        if box is None:
            return {}
        is_box = isinstance(box, list) and len(box) == len(BOX_COLUMNS)
        if not is_box or not all(isinstance(side, int | float) and abs(side) < 1e9 for side in box):
            raise ValueError(
                f"annotation {number} of {self._path} has the bbox {box!r}: expected [x, y, width, height]"
            )
        x, y, width, height = box
        corners = (x, y, x + width, y + height)
        return dict(zip(BOX_COLUMNS, (str(round(corner)) for corner in corners), strict=True))


def _find(annotation: Mapping[str, Any], image: Mapping[str, Any], title: str) -> object:
    """Return the value of a column; None if there is none."""
    attributes = annotation.get("attributes")
    places = [annotation, attributes if isinstance(attributes, dict) else {}, image]
    values = (place.get(key) for key in KEYS[title] for place in places)
    return next((value for value in values if isinstance(value, int | float | str)), None)


def _as_text(value: object) -> str:
    return "" if value is None else str(value).strip()
