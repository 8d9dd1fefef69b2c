"""Multi-query: pool several images of an identity in one camera into a single query."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from pathlib import PurePath

import numpy as np
import torch
from numpy.typing import NDArray

from reid_gl.records import DISTRACTOR_PID, Features
from reid_gl.similarity import unit_rows

Floats = NDArray[np.float32]
POOLINGS = ("average", "max")


def pool_queries(query: Features, extra: Features, *, pooling: str = "average") -> Features:
    """Pool each query's feature with those of all extra images of the same identity and camera.

    The query counts once: an extra image of the same identity and camera with the query's file name (without
    folders) is the query itself, so it is left out. A query is not pooled if it has no such extra images, if
    its camera is unknown, or if it is junk or a distractor.

    Args:
        query: Q features with identities, cameras and paths.
        extra: E features with identities, cameras and paths; E may be 0.
        pooling: "average" or "max" over rows that have been normalised; "max" takes the maximum of each
            column and is meant for non-negative features.

    Returns:
        Q features in the order of the queries, with float32 unit rows; everything else as in query. Rows of
        zeros stay zero.

    Raises:
        ValueError: the pooling is unknown, the dimensions differ, features are not finite, or paths are
            missing.

    Source:
        Zheng et al., "Scalable Person Re-identification: A Benchmark", ICCV 2015, section 5.
    """
    if pooling not in POOLINGS:
        raise ValueError(f"unknown pooling {pooling!r}: expected one of {', '.join(POOLINGS)}")
    _check(query, extra)
    members: dict[tuple[int, int], list[tuple[int, str]]] = defaultdict(list)
    for row, (pid, camid, path) in enumerate(
        zip(extra.pids.tolist(), extra.camids.tolist(), extra.paths, strict=True)
    ):
        if pid > DISTRACTOR_PID and camid >= 0:
            members[pid, camid].append((row, PurePath(path).name))
    pooled = np.empty(query.embeddings.shape, dtype=np.float32)
    for place, key in enumerate(zip(query.pids.tolist(), query.camids.tolist(), strict=True)):
        own = PurePath(query.paths[place]).name
        others = [row for row, name in members.get(key, []) if name != own]
        rows = np.concatenate(
            [query.embeddings[place : place + 1], extra.embeddings[others]]
        )  # (1 + others, D)
        pooled[place] = _pool(torch.tensor(rows, dtype=torch.float32), pooling)
    return replace(query, embeddings=pooled)


def _pool(rows: torch.Tensor, pooling: str) -> Floats:
    """Pool rows (M, D) into one unit vector (D,)."""
    unit = unit_rows(rows)
    merged = unit.mean(dim=0, keepdim=True) if pooling == "average" else unit.amax(dim=0, keepdim=True)
    vector: Floats = unit_rows(merged)[0].numpy()
    return vector


def _check(query: Features, extra: Features) -> None:
    if query.embeddings.ndim != 2 or query.embeddings.shape[1:] != extra.embeddings.shape[1:]:
        raise ValueError(
            f"expected query and extra features (Q, D) and (E, D), got {query.embeddings.shape} and "
            f"{extra.embeddings.shape}"
        )
    for name, side in (("query", query), ("extra", extra)):
        count = len(side.embeddings)
        sizes = {"pids": len(side.pids), "camids": len(side.camids), "paths": len(side.paths)}
        wrong = [f"{size} {part}" for part, size in sizes.items() if size != count]
        if wrong:
            raise ValueError(
                f"{name} has {count} features, but {', '.join(wrong)}: expected as many; file names tell "
                "which extra image is the query itself"
            )
        check_finite(name, side.embeddings)


def check_finite(name: str, rows: Floats) -> None:
    """Raise a ValueError that starts with the side's name unless all rows (M, D) are finite."""
    broken = np.flatnonzero(~np.isfinite(rows).all(axis=1))
    if len(broken):
        raise ValueError(
            f"{name} features are NaN or infinite in {len(broken)} of {len(rows)} rows, first "
            f"{broken[:5].tolist()}"
        )
