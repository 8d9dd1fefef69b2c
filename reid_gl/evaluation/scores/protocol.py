"""Before anything is computed: can this query set be scored against this gallery?"""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from reid_gl.records import JUNK_PID, Sample

logger = logging.getLogger(__name__)

CAMERA_FILTERS = ("auto", "on", "off")


@dataclass(frozen=True)
class Preflight:
    """What the protocol leaves of a test set.

    Attributes:
        use_cameras: whether images of the query's own identity and camera are left out.
        num_queries: queries given.
        num_scored: queries with at least one match left.
        num_only_same_camera: queries whose only matches the camera rule leaves out.
        num_absent: queries whose identity is not in the gallery at all.
        num_gallery: gallery images without junk.
        num_distractors: gallery images of people whom no query shows.
    """

    use_cameras: bool
    num_queries: int
    num_scored: int
    num_only_same_camera: int
    num_absent: int
    num_gallery: int
    num_distractors: int

    @property
    def name(self) -> str:
        """The protocol's name as results print it."""
        return "market1501" if self.use_cameras else "no camera rule"

    def __str__(self) -> str:
        rule = "another camera" if self.use_cameras else "any camera"
        return (
            f"{self.num_scored} of {self.num_queries} queries have a match from {rule} among "
            f"{self.num_gallery} gallery images ({self.num_distractors} distractors); "
            f"{self.num_only_same_camera} match in their own camera only, {self.num_absent} not at all"
        )


def check_protocol(
    query: Sequence[Sample], gallery: Sequence[Sample], *, camera_filter: str = "auto"
) -> Preflight:
    """Count the queries that can be scored, from the samples alone.

    Args:
        query: samples to look for.
        gallery: samples to search; empty if every query searches all the others.
        camera_filter: "on" leaves out images of the query's own identity and camera, "off" does not,
            "auto" is "off" if the test set has a single camera or unknown ones, and says so.

    Returns:
        The counts, and whether the camera rule applies.

    Raises:
        ValueError: no query can be scored; the message says which rule removed the matches.
    """
    if camera_filter not in CAMERA_FILTERS:
        raise ValueError(f"camera filter {camera_filter!r}: expected one of {', '.join(CAMERA_FILTERS)}")
    if not gallery:
        query = [sample for sample in query if sample.pid != JUNK_PID]
    kept = [sample for sample in gallery or query if sample.pid != JUNK_PID]
    use_cameras = _use_cameras([*query, *kept], camera_filter, searches_itself=not gallery)
    cameras_of: dict[int, Counter[int]] = defaultdict(Counter)
    for sample in kept:
        cameras_of[sample.pid][sample.camid] += 1
    fewest = 1 if gallery else 2  # a query that searches the others is among the pictures of its identity
    absent = sum(sum(cameras_of[sample.pid].values()) < fewest for sample in query)
    same_only = sum(
        use_cameras
        and sample.camid >= 0
        and cameras_of[sample.pid].keys() == {sample.camid}
        and cameras_of[sample.pid][sample.camid] >= fewest
        for sample in query
    )
    query_pids = {sample.pid for sample in query}
    result = Preflight(
        use_cameras=use_cameras,
        num_queries=len(query),
        num_scored=len(query) - absent - same_only,
        num_only_same_camera=same_only,
        num_absent=absent,
        num_gallery=len(kept),
        num_distractors=sum(sample.pid not in query_pids for sample in kept),
    )
    if result.num_scored == 0:
        raise ValueError(f"nothing can be scored: {result}. {_advice(result)}")
    return result


def _use_cameras(samples: Sequence[Sample], camera_filter: str, *, searches_itself: bool) -> bool:
    if camera_filter != "auto":
        return camera_filter == "on"
    cameras = {sample.camid for sample in samples}
    if len(cameras) > 1 and -1 not in cameras:
        return True
    if cameras == {-1} and searches_itself:  # image retrieval, which knows no cameras
        return False
    reason = "some images have no camera" if -1 in cameras else "the test set has one camera only"
    logger.warning("%s: the camera rule is off (TEST.CAMERA_FILTER on|off decides otherwise)", reason)
    return False


def _advice(result: Preflight) -> str:
    if result.num_queries == 0:
        return "The query set is empty: check the folder"
    if result.num_only_same_camera:
        return "Set TEST.CAMERA_FILTER off to count matches from the query's own camera"
    return "Query and gallery share no identity: check how the identities are read"
