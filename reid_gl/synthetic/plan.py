"""What is rendered: who appears where, how often and under what file name. Nothing is drawn here."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from reid_gl.synthetic.body import Pose
from reid_gl.synthetic.cameras import CAMERAS
from reid_gl.synthetic.casting import draw_people
from reid_gl.synthetic.people import Person
from reid_gl.synthetic.render import Framing

TRAIN, QUERY, GALLERY = "bounding_box_train", "query", "bounding_box_test"
IMAGES_PER_DISTRACTOR = 3
FALSE_DETECTION_SHARE = 0.25


@dataclass(frozen=True)
class SyntheticSize:
    """How large a set is.

    Attributes:
        num_train_identities: people to learn from.
        num_test_identities: people to look for.
        num_queries: query images, shared evenly by the test identities.
        num_distractors: gallery images of other people and of nobody.
        num_junk: gallery images that show a test identity badly and do not count.
        cameras_per_identity: cameras that see one person, at least 2 and at most 6.
        images_per_camera: training or gallery images of one person from one camera.
    """

    num_train_identities: int = 200
    num_test_identities: int = 100
    num_queries: int = 200
    num_distractors: int = 320
    num_junk: int = 120
    cameras_per_identity: int = 5
    images_per_camera: int = 3

    def __post_init__(self) -> None:
        """Refuse sizes of which no protocol can be made."""
        limits = {
            "num_train_identities": (1, 9999),
            "num_test_identities": (1, 9999),
            "num_distractors": (0, 100_000),
            "num_junk": (0, 100_000),
            "cameras_per_identity": (2, len(CAMERAS)),
            "images_per_camera": (1, 90),
            "num_queries": (self.num_test_identities, self.num_test_identities * self.cameras_per_identity),
        }
        for name, (low, high) in limits.items():
            if not low <= getattr(self, name) <= high:
                raise ValueError(f"{name} is {getattr(self, name)}: expected {low} to {high}")

    @property
    def num_people(self) -> int:
        """Identities and distractors."""
        num_strangers = math.ceil(self.num_distractors / IMAGES_PER_DISTRACTOR)
        return self.num_train_identities + self.num_test_identities + num_strangers


@dataclass(frozen=True)
class Shot:
    """One picture to take.

    Attributes:
        folder: TRAIN, QUERY or GALLERY.
        pid: as printed in the file name.
        person: index into the list of people; -1 shows nobody.
        stream: who or what seeds the random numbers; differs between people and kinds of pictures.
        camid: index into CAMERAS.
        number: of the picture, within stream and camera, from 1.
        bad_box: whether the detector went wrong.
    """

    folder: str
    pid: int
    person: int
    stream: int
    camid: int
    number: int
    bad_box: bool = False

    @property
    def filename(self) -> str:
        """As Market-1501 names it: identity, camera and sequence, frame, box."""
        name = "-1" if self.pid < 0 else f"{self.pid:04d}"
        frame = 1000 * (self.stream % 900) + 7 * self.number
        return f"{name}_c{self.camid + 1}s{1 + self.number % 2}_{frame:06d}_{self.number:02d}.jpg"


def generator(seed: int, stream: int, camid: int, number: int) -> np.random.Generator:
    """The random numbers of one picture, or of one person's walk past one camera if the number is 0."""
    return np.random.default_rng(np.random.SeedSequence((seed, 1 + stream, 1 + camid, 1 + number)))


def draw_cast(seed: int, size: SyntheticSize) -> list[Person]:
    """Training identities, then test identities, then distractors."""
    rng = np.random.default_rng(np.random.SeedSequence((seed, 0, 0, 0)))
    return draw_people(rng, size.num_people)


def _cameras_of(seed: int, stream: int, count: int) -> list[int]:
    """Which cameras see somebody."""
    order = generator(seed, stream, 0, -1).permutation(len(CAMERAS))
    return [int(camid) for camid in order[:count]]


def _train_shots(seed: int, size: SyntheticSize) -> list[Shot]:
    """Every training identity from several cameras."""
    return [
        Shot(TRAIN, 1 + person, person, person, camid, number)
        for person in range(size.num_train_identities)
        for camid in _cameras_of(seed, person, size.cameras_per_identity)
        for number in range(1, 1 + size.images_per_camera)
    ]


def _test_shots(seed: int, size: SyntheticSize) -> list[Shot]:
    """Queries and their matches; a query is one more picture from a camera that is also in the gallery."""
    shots: list[Shot] = []
    for index in range(size.num_test_identities):
        person = size.num_train_identities + index
        camids = _cameras_of(seed, person, size.cameras_per_identity)
        num_queries = len(range(index, size.num_queries, size.num_test_identities))
        for camid in camids[:num_queries]:
            shots.append(Shot(QUERY, 1 + person, person, person, camid, 1 + size.images_per_camera))
        for camid in camids:
            shots += [
                Shot(GALLERY, 1 + person, person, person, camid, 1 + n) for n in range(size.images_per_camera)
            ]
    return shots


def _distractor_shots(size: SyntheticSize) -> list[Shot]:
    """People who are no query, and detections of nobody."""
    first = size.num_train_identities + size.num_test_identities
    shots = []
    for index in range(size.num_distractors):
        person = first + index // IMAGES_PER_DISTRACTOR
        nobody = index % round(1 / FALSE_DETECTION_SHARE) == 0
        camid, number = (index * 5 + index // 6) % len(CAMERAS), 1 + index % IMAGES_PER_DISTRACTOR
        shots.append(
            Shot(GALLERY, 0, -1 if nobody and index % 8 else person, person, camid, number, bad_box=nobody)
        )
    return shots


def _junk_shots(size: SyntheticSize) -> list[Shot]:
    """Test identities so badly framed that the protocol ignores them."""
    shots = []
    for index in range(size.num_junk):
        person = size.num_train_identities + index % size.num_test_identities
        camid, number = (index * 7 + index // 6) % len(CAMERAS), 1 + index // size.num_test_identities
        shots.append(Shot(GALLERY, -1, person, size.num_people + person, camid, number, bad_box=True))
    return shots


def plan_shots(seed: int, size: SyntheticSize) -> list[Shot]:
    """Every picture of the set; pictures of one person follow one another."""
    return _train_shots(seed, size) + _test_shots(seed, size) + _distractor_shots(size) + _junk_shots(size)


def draw_pose(seed: int, shot: Shot, rng: np.random.Generator) -> Pose:
    """Walking past one camera, somebody keeps heading and pace, more or less."""
    walk = generator(seed, shot.stream, shot.camid, 0)
    headings = CAMERAS[shot.camid].headings
    yaw = headings[(int(walk.integers(len(headings))) + shot.number // 3) % len(headings)]
    stride = float(walk.uniform(0.35, 1.0))
    return Pose(yaw + float(rng.normal(0, 0.28)), float(rng.uniform(0, 2 * math.pi)), stride)


def draw_bad_framing(rng: np.random.Generator) -> Framing:
    """A box around a part of somebody, or around somebody and much else."""
    if rng.random() < 0.5:
        return Framing(
            float(rng.uniform(1.7, 2.6)), float(rng.uniform(0.1, 0.9)), float(rng.uniform(1.0, 2.4))
        )
    side = float(rng.choice(np.array([-1.0, 1.0])))
    return Framing(
        float(rng.uniform(0.55, 1.3)),
        0.5 + side * float(rng.uniform(0.4, 0.55)),
        float(rng.uniform(0.8, 1.5)),
    )
