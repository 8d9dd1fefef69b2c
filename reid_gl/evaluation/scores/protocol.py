"""Check, before extracting features, whether the queries can be scored against the gallery."""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from reid_gl.evaluation.same_images import NO_COPY, number_same_images
from reid_gl.records import DISTRACTOR_PID, JUNK_PID, ReidDataset, Sample, SceneSearch

logger = logging.getLogger(__name__)

CAMERA_FILTERS = ("auto", "on", "off")


@dataclass(frozen=True)
class Preflight:
    """Number of queries and gallery images that count under the protocol.

    Attributes:
        use_cameras: whether gallery images of the query's own identity and camera are left out.
        num_queries: queries given.
        num_scored: queries with at least one match left.
        num_only_same_camera: queries that have matches in their own camera only, which the camera rule leaves
            out.
        num_absent: queries with an identity that is not in the gallery.
        num_gallery: gallery images without junk.
        num_distractors: gallery images of identities without a query.
        num_in_both: queries that are also in the gallery and that the camera rule alone does not leave out;
            only the image itself is left out.
        searches_scenes: whether this is person search: each query searches scenes of its own.
    """

    use_cameras: bool
    num_queries: int
    num_scored: int
    num_only_same_camera: int
    num_absent: int
    num_gallery: int
    num_distractors: int
    num_in_both: int = 0
    searches_scenes: bool = False

    @property
    def name(self) -> str:
        """Name of the protocol in printed results."""
        if self.searches_scenes:
            return "person search"
        return "market1501" if self.use_cameras else "no camera rule"

    def __str__(self) -> str:
        if self.searches_scenes:
            return (
                f"{self.num_scored} of {self.num_queries} queries have their person in a scene that they "
                f"search; the scenes have {self.num_gallery} boxes"
            )
        rule = "another camera" if self.use_cameras else "any camera"
        return (
            f"{self.num_scored} of {self.num_queries} queries have a match from {rule} among "
            f"{self.num_gallery} gallery images ({self.num_distractors} distractors); "
            f"{self.num_only_same_camera} match in their own camera only, {self.num_absent} not at all"
        )


def check_protocol(
    query: Sequence[Sample], gallery: Sequence[Sample], *, camera_filter: str = "auto"
) -> Preflight:
    """Count the queries that can be scored. Needs the samples only, no features.

    Args:
        query: query samples.
        gallery: gallery samples; empty if every query searches all other queries.
        camera_filter: "on" leaves out images of the query's own identity and camera, "off" keeps them.
            "auto" means "off" if the test set has a single camera or unknown cameras, and "on" otherwise;
            it logs a warning when it turns the rule off, unless no camera is known and there is no gallery.

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
    copies = _cameras_of_copies(query, gallery)
    absent = same_only = num_in_both = 0
    for sample, own in zip(query, copies, strict=True):
        others = cameras_of[sample.pid] - own if own else cameras_of[sample.pid]
        has_rule = use_cameras and sample.camid >= 0
        absent += not others
        same_only += has_rule and others.keys() == {sample.camid}
        num_in_both += bool(gallery) and bool(own) and not (has_rule and own.keys() == {sample.camid})
    if num_in_both:
        logger.warning(
            "%s of %s queries are in the gallery too, as the same file or the same bytes: each is left out "
            "against itself",
            f"{num_in_both:,}",
            f"{len(query):,}",
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
        num_in_both=num_in_both,
    )
    if result.num_scored == 0:
        raise ValueError(f"nothing can be scored: {result}. {_advice(result)}")
    return result


def check_test_set(dataset: ReidDataset, *, camera_filter: str = "auto") -> Preflight:
    """Count the queries that can be scored under the data set's own protocol, else as check_protocol.

    Person search has no camera rule: whether a query searches the scenes of its own camera is a matter of the
    data set, such as prw and prw_cross_camera.

    Raises:
        ValueError: as check_protocol.
    """
    if dataset.search is None:
        return check_protocol(dataset.query, dataset.gallery, camera_filter=camera_filter)
    result = _count_scenes(dataset, dataset.search)
    if result.num_scored == 0:
        raise ValueError(f"nothing can be scored: {result}. Check that the scenes are those of the queries")
    return result


def _count_scenes(dataset: ReidDataset, search: SceneSearch) -> Preflight:
    searched = search.searched[search.targets[:, 0], search.targets[:, 1]]
    num_scored = len(np.unique(search.targets[searched, 0]))
    return Preflight(
        use_cameras=False,
        num_queries=len(dataset.query),
        num_scored=num_scored,
        num_only_same_camera=0,
        num_absent=len(dataset.query) - num_scored,
        num_gallery=len(dataset.gallery),
        num_distractors=sum(sample.pid == DISTRACTOR_PID for sample in dataset.gallery),
        searches_scenes=True,
    )


def _cameras_of_copies(query: Sequence[Sample], gallery: Sequence[Sample]) -> list[Counter[int]]:
    """Return, for each query, the cameras of the searched images that are the query itself."""
    if not gallery:  # the searched images are the queries, so each query is among them once
        return [Counter([sample.camid]) for sample in query]
    numbers = number_same_images(query, gallery)
    cameras: dict[int, Counter[int]] = defaultdict(Counter)
    for number, sample in zip(numbers[1].tolist(), gallery, strict=True):
        cameras[number][sample.camid] += 1
    return [Counter() if number == NO_COPY else cameras[number] for number in numbers[0].tolist()]


def _use_cameras(samples: Sequence[Sample], camera_filter: str, *, searches_itself: bool) -> bool:
    if camera_filter != "auto":
        return camera_filter == "on"
    cameras = {sample.camid for sample in samples}
    if len(cameras) > 1 and -1 not in cameras:
        return True
    if not cameras:  # a training set alone
        return False
    if cameras == {-1} and searches_itself:  # image retrieval has no cameras: no warning
        return False
    reason = "some images have no camera" if -1 in cameras else "the test set has one camera only"
    logger.warning("%s: the camera rule is off (TEST.CAMERA_FILTER on|off decides otherwise)", reason)
    return False


def _advice(result: Preflight) -> str:
    if result.num_queries == 0:
        return "The query set is empty: check the folder"
    if result.num_only_same_camera:
        return "Set TEST.CAMERA_FILTER off to count matches from the query's own camera"
    if result.num_in_both:
        return "Every query finds itself only: give the gallery other images of its people"
    return "Query and gallery share no identity: check how the identities are read"
