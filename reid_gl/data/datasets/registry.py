"""Data sets by name."""

from __future__ import annotations

import difflib
import inspect
import os
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from reid_gl.data.datasets.cars196 import load_cars196
from reid_gl.data.datasets.cub200 import load_cub200
from reid_gl.data.datasets.cuhk01 import load_cuhk01
from reid_gl.data.datasets.cuhk02 import load_cuhk02
from reid_gl.data.datasets.cuhk03_classic import load_cuhk03_classic
from reid_gl.data.datasets.cuhk03_np import load_cuhk03_np
from reid_gl.data.datasets.cuhk_sysu import DEFAULT_SIZE, GALLERY_SIZES, load_cuhk_sysu
from reid_gl.data.datasets.dukemtmc_reid import load_dukemtmc_reid
from reid_gl.data.datasets.grid import load_grid
from reid_gl.data.datasets.ilids import load_ilids
from reid_gl.data.datasets.ilids_vid import load_ilids_vid
from reid_gl.data.datasets.in_shop import load_in_shop
from reid_gl.data.datasets.ltcc import load_ltcc
from reid_gl.data.datasets.market1501 import load_market1501
from reid_gl.data.datasets.market1501_500k import load_market1501_500k
from reid_gl.data.datasets.mars import load_mars
from reid_gl.data.datasets.msmt17 import load_msmt17
from reid_gl.data.datasets.occluded_duke import load_occluded_duke
from reid_gl.data.datasets.omniglot import load_omniglot
from reid_gl.data.datasets.own.class_folders import load_class_folders
from reid_gl.data.datasets.own.detections import MIN_SCORE
from reid_gl.data.datasets.own.pattern import load_pattern
from reid_gl.data.datasets.own.table import load_table
from reid_gl.data.datasets.prcc import load_prcc
from reid_gl.data.datasets.prid2011 import load_prid2011
from reid_gl.data.datasets.prid2011_single import load_prid2011_single
from reid_gl.data.datasets.prw import load_prw
from reid_gl.data.datasets.reading.market_layout import load_market_layout
from reid_gl.data.datasets.regdb import load_regdb
from reid_gl.data.datasets.sensereid import load_sensereid
from reid_gl.data.datasets.stanford_online_products import load_stanford_online_products
from reid_gl.data.datasets.sysu_mm01 import load_sysu_mm01
from reid_gl.data.datasets.vehicle_id import load_vehicle_id
from reid_gl.data.datasets.veri776 import load_veri776
from reid_gl.data.datasets.veri_wild import load_veri_wild
from reid_gl.data.datasets.viper import load_viper
from reid_gl.records import ReidDataset

LOADERS: dict[str, Callable[..., ReidDataset]] = {
    "market1501": load_market1501,
    "market1501_500k": load_market1501_500k,
    "dukemtmc_reid": load_dukemtmc_reid,
    "occluded_duke": load_occluded_duke,
    "cuhk01": load_cuhk01,
    "cuhk01_871": partial(load_cuhk01, few_tested=True),
    "cuhk02": load_cuhk02,
    "cuhk03_classic_labelled": partial(load_cuhk03_classic, labelled=True),
    "cuhk03_classic_detected": partial(load_cuhk03_classic, labelled=False),
    "cuhk03_np_labelled": partial(load_cuhk03_np, labelled=True),
    "cuhk03_np_detected": partial(load_cuhk03_np, labelled=False),
    "msmt17": load_msmt17,
    "msmt17_without_val": partial(load_msmt17, with_validation=False),
    "ltcc": load_ltcc,
    "prcc": load_prcc,
    "prcc_single_shot": partial(load_prcc, single_shot=True),
    "prw": load_prw,
    "prw_cross_camera": partial(load_prw, cross_camera=True),
    "cuhk_sysu": load_cuhk_sysu,
    **{
        f"cuhk_sysu_{size}": partial(load_cuhk_sysu, gallery_size=size)
        for size in GALLERY_SIZES
        if size != DEFAULT_SIZE
    },
    "cuhk_sysu_all": partial(load_cuhk_sysu, gallery_size=None),
    "sysu_mm01_all": load_sysu_mm01,
    "sysu_mm01_all_multi": partial(load_sysu_mm01, num_shots=10),
    "sysu_mm01_indoor": partial(load_sysu_mm01, indoor=True),
    "sysu_mm01_indoor_multi": partial(load_sysu_mm01, indoor=True, num_shots=10),
    "regdb_visible_to_thermal": partial(load_regdb, query="visible"),
    "regdb_thermal_to_visible": partial(load_regdb, query="thermal"),
    "viper": load_viper,
    "viper_community": partial(load_viper, community=True),
    "ilids": load_ilids,
    "grid": load_grid,
    "sensereid": load_sensereid,
    "prid2011": load_prid2011,
    "prid2011_community": partial(load_prid2011, community=True),
    "prid2011_single": load_prid2011_single,
    "ilids_vid": load_ilids_vid,
    "mars": load_mars,
    "veri776": load_veri776,
    "veri776_tracks": partial(load_veri776, tracks=True),
    **{f"vehicle_id_{size}": partial(load_vehicle_id, size=size) for size in ("small", "medium", "large")},
    **{f"veri_wild_{size}": partial(load_veri_wild, size=size) for size in ("small", "medium", "large")},
    "cub200": load_cub200,
    "cars196": load_cars196,
    "stanford_online_products": load_stanford_online_products,
    "in_shop": load_in_shop,
    "omniglot": load_omniglot,
    "table": load_table,
    "folders": load_class_folders,
    "pattern": load_pattern,
    "synthetic": partial(load_market_layout, name="synthetic", folder_names=("synthetic",)),
}
"""All data sets by name; register_dataset adds to them."""


def register_dataset(name: str, load: Callable[..., ReidDataset]) -> None:
    """Add your own data set to those that DATA.NAMES and load_dataset know.

    Args:
        name: letters, digits, underscores and hyphens.
        load: called with the root folder as a string. If it has an argument `split`, "name:3" passes 3.

    Raises:
        ValueError: the name is taken or contains other characters.
    """
    if not re.fullmatch(r"[\w-]+", name):
        raise ValueError(f"a data set name may contain letters, digits, '_' and '-', got {name!r}")
    if name in LOADERS:
        raise ValueError(f"there is already a data set {name!r}: choose another name")
    LOADERS[name] = load


_CALL = re.compile(r"(?P<name>[^:=]*)(:(?P<split>\d+))?(=(?P<root>.+))?")


def load_dataset(
    name: str,
    root: str | Path,
    *,
    pattern: str = "",
    split_map: str = "",
    leave_out: str = "",
    detections: str = "",
    min_detection_score: float = MIN_SCORE,
) -> ReidDataset:
    """Load a data set by its name; no image is opened.

    Args:
        name: a key of LOADERS; "viper:3" selects split 3 of a set with several, and "market1501=/big/market"
            a folder outside the root.
        root: the data folder or its parent.
        pattern: regular expression for the data set "pattern".
        split_map: for "pattern" and "folders", which split other names are, such as "probe=query".
        leave_out: for "pattern", regular expression of the paths of images to leave out.
        detections: for person search, a table of a detector's boxes to search in place of the true ones.
        min_detection_score: boxes of a detector with a lower score are left out.

    Returns:
        The data set.

    Raises:
        ValueError: the name or split is unknown, or a file name does not give identity and camera.
        FileNotFoundError: the data set is missing.
    """
    call = _CALL.fullmatch(name.strip())
    key = call["name"] if call else name
    if call is None or key not in LOADERS:
        nearest = difflib.get_close_matches(key.lower(), LOADERS, n=1, cutoff=0)
        raise ValueError(
            f"unknown data set {key!r}: expected one of {', '.join(LOADERS)}; nearest: {nearest[0]!r}"
        )
    accepted = inspect.signature(LOADERS[key]).parameters
    settings: dict[str, object] = {}
    if call["split"] is not None:
        if "split" not in accepted:
            raise ValueError(f"{key} has only one split: write {key!r} instead of {name!r}")
        settings["split"] = int(call["split"])
    own: dict[str, object] = {"pattern": pattern, "split_map": split_map, "leave_out": leave_out}
    own |= {"detections": detections, "min_detection_score": min_detection_score}
    settings |= {setting: value for setting, value in own.items() if setting in accepted}
    return LOADERS[key](os.path.expanduser(call["root"] or os.fspath(root)), **settings)


def load_datasets(
    names: str,
    root: str | Path,
    **settings: Any,  # noqa: ANN401 - those of load_dataset
) -> list[ReidDataset]:
    """Load several data sets, their names separated by commas; arguments and errors as load_dataset."""
    return [load_dataset(name, root, **settings) for name in names.split(",")]
