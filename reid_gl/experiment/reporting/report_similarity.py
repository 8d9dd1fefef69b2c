"""Where similarities come from, for the rank lists of a report."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from reid_gl.data.loading.loaders import BatchLoader, ImageBatches
from reid_gl.data.loading.sampler import BatchKey
from reid_gl.experiment.score import Candidate
from reid_gl.inference.similarity_maps import SimilarityMaps, maps_refusal, similarity_maps
from reid_gl.records import Sample

MAX_QUERIES = 300
"""Queries of a run with maps: a hundred each of the worst, the best and random ones, for a large test set."""
MAX_BYTES = 1_500_000
"""All maps of a report; in base64 they take 2 MB."""
ROUNDING = 1e-6
"""Smaller contributions to a cosine are taken for rounding errors, as of copies of one image."""


def make_similarity_maps(
    candidate: Candidate,
    samples: Sequence[Sample],
    lists: Iterable[tuple[int, Sequence[int]]],
    max_bytes: int = MAX_BYTES,
) -> dict[str, Any]:
    """Compute where the similarity of queries to their ranked images comes from.

    The maps are those of the network's features before re-ranking; of a track, of its first frame.

    Args:
        candidate: network, and how its features are computed.
        samples: M images of query and gallery.
        lists: for each query, the most important first, its place among the images and those of its ranked
            images.
        max_bytes: of the maps that are kept; the first query that does not fit is the end.

    Returns:
        Plain values for JSON. "note" is "", or says why there are no maps. "crop" is None, or the height,
        width and shorter side (pixels) of the preprocessing if the network sees a crop of the centre.
        "queries" maps the place of a query, as text, to its ranked places and their maps: base64 of uint8,
        for each place that on the query, then that on the image. The largest number of a map is 255, unless
        all are 0. "height" and "width" of a map are there if any query is.
    """
    found: dict[str, Any] = {"note": maps_refusal(candidate.net), "crop": None, "queries": {}}
    if found["note"]:
        return found
    preprocessing, scoring = candidate.preprocessing, candidate.scoring
    if preprocessing.shorter_side:
        found["crop"] = [preprocessing.height, preprocessing.width, preprocessing.shorter_side]
    wanted = list(islice(((query, places) for query, places in lists if places), MAX_QUERIES))
    batches = ImageBatches(samples, [0] * len(samples), preprocessing=preprocessing)
    keys = [BatchKey(0, step, (query, *places)) for step, (query, places) in enumerate(wanted)]
    loader = BatchLoader(batches, keys, num_workers=scoring.num_workers)
    for (query, places), batch in zip(
        tqdm(wanted, unit="query", desc="similarity maps", disable=None), loader, strict=True
    ):
        images = preprocessing.normalize(batch.images.to(candidate.device))
        maps = similarity_maps(
            candidate.net,
            images[0],
            images[1:],
            feature=scoring.feature,
            inference=scoring.inference,
            precision=scoring.precision,
        )
        encoded = _encode(maps)
        max_bytes -= len(encoded)
        if max_bytes < 0:
            break
        found["height"], found["width"] = maps.on_query.shape[1:]
        found["queries"][str(query)] = [list(places), base64.b64encode(encoded).decode("ascii")]
    return found


def _encode(maps: SimilarityMaps) -> bytes:
    """Scale every map to 0..255 and put the two maps of each pair one after the other."""
    pairs: Tensor = torch.stack([maps.on_query, maps.on_others], dim=1)  # (N, 2, H', W')
    largest = pairs.amax(dim=(2, 3), keepdim=True)
    scaled = (255 * pairs / torch.where(largest > ROUNDING, largest, torch.inf)).round()
    return scaled.to(torch.uint8).cpu().numpy().tobytes()
