"""The names of splits that every reader of own data accepts, and the map from other names to them."""

from __future__ import annotations

from collections.abc import Collection

from reid_gl.data.datasets.own.own_data import SPLITS
from reid_gl.data.datasets.reading.market_layout import MARKET_FOLDERS

RETRIEVAL_SPLITS = ("train", "test")
"""Image retrieval: every test image searches all the others."""
LAYOUTS = (SPLITS, MARKET_FOLDERS, RETRIEVAL_SPLITS)
SPLIT_NAMES = {
    **{name: split for names in LAYOUTS[:2] for name, split in zip(names, SPLITS, strict=True)},
    "test": "query",
}
"""The split of each name; "test" without a gallery is a set of queries that search one another."""
IGNORE, EVERY_OTHER = "ignore", "*"


def read_split_map(text: str) -> dict[str, str]:
    """Read DATA.SPLIT_MAP.

    Args:
        text: "name=split" pairs, separated by commas. The split is train, query, gallery, or ignore to leave
            the images out. The name * stands for every name that is not listed, and for no name at all:
            "*=train" trains on everything. "" is an empty map.

    Returns:
        The split of each name.

    Raises:
        ValueError: a part is no such pair, or a name is given twice.
    """
    splits: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, separator, split = (piece.strip() for piece in part.partition("="))
        if not separator or not name or split not in (*SPLITS, IGNORE) or name in splits:
            reason = "is given twice" if name in splits else "is no pair"
            raise ValueError(
                f"DATA.SPLIT_MAP {text!r}: {part!r} {reason}: expected name=split with "
                f"{', '.join((*SPLITS, IGNORE))}, such as 'training=train,probe=query,extra=ignore', and "
                "'*=train' for all other names"
            )
        splits[name] = split
    return splits


def map_splits(names: Collection[str], split_map: dict[str, str]) -> dict[str, str]:
    """Return the split of each name: train, query, gallery or ignore.

    Args:
        names: names of splits in the data, "" for none.
        split_map: as read_split_map gives it.

    Raises:
        ValueError: a name is unknown, or "test" stands beside queries or a gallery.
    """
    other = split_map.get(EVERY_OTHER)
    known = {**(SPLIT_NAMES if other is None else {}), **split_map}
    splits = {name: known.get(name, other or "") for name in names}
    unknown = sorted(name for name, split in splits.items() if not split)
    if unknown:
        raise ValueError(
            f"there is no split {unknown[0]!r}: expected one of {', '.join(SPLIT_NAMES)}, or a map, such as "
            f"DATA.SPLIT_MAP '{unknown[0] or EVERY_OTHER}=train'"
        )
    beside = sorted(name for name in splits if name != "test" and splits[name] in SPLITS[1:])
    if "test" in splits and "test" not in split_map and other is None and beside:
        raise ValueError(
            f"the splits 'test' and {beside[0]!r} exclude one another, because every image of 'test' "
            "searches the others: map 'test', such as DATA.SPLIT_MAP 'test=gallery'"
        )
    return splits
