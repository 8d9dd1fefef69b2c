"""Plan of a synthetic set: who appears in which camera, how often and under what file name."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from reid_gl.synthetic.body import Pose
from reid_gl.synthetic.casting import draw_people
from reid_gl.synthetic.people import Person
from reid_gl.synthetic.render import Framing
from reid_gl.synthetic.worlds import CAMERAS_PER_WORLD, camera_of, dye_clothes

TRAIN, QUERY, GALLERY = "bounding_box_train", "query", "bounding_box_test"
IMAGES_PER_DISTRACTOR = 3
FALSE_DETECTION_SHARE = 0.25


@dataclass(frozen=True)
class SyntheticSize:
    """Size of a set.

    Attributes:
        num_train_identities: number of people in the training set.
        num_test_identities: number of people in the test set.
        num_queries: query images, spread evenly over the test identities.
        num_distractors: gallery images of other people and false detections.
        num_junk: gallery images that show a test identity badly and do not count.
        cameras_per_identity: number of cameras that see each person, at least 2 and at most 6.
        images_per_camera: training or gallery images per person and camera.
        num_worlds: 0 films everybody with the same six cameras. Otherwise training identities are spread
            over so many worlds, each with six cameras of its own and dyed clothes; test identities stay with
            the six cameras, none of which was trained on.
    """

    num_train_identities: int = 200
    num_test_identities: int = 100
    num_queries: int = 200
    num_distractors: int = 320
    num_junk: int = 120
    cameras_per_identity: int = 5
    images_per_camera: int = 3
    num_worlds: int = 0

    def __post_init__(self) -> None:
        """Refuse sizes that allow no evaluation protocol."""
        limits = {
            "num_train_identities": (1, 9999),
            "num_test_identities": (1, 9999),
            "num_distractors": (0, 100_000),
            "num_junk": (0, 100_000),
            "cameras_per_identity": (2, CAMERAS_PER_WORLD),
            "images_per_camera": (1, 90),
            "num_worlds": (0, self.num_train_identities),
            "num_queries": (self.num_test_identities, self.num_test_identities * self.cameras_per_identity),
        }
        for name, (low, high) in limits.items():
            if not low <= getattr(self, name) <= high:
                raise ValueError(f"{name} is {getattr(self, name)}: expected {low} to {high}")

    @property
    def num_people(self) -> int:
        """Number of identities and distractor people."""
        num_strangers = math.ceil(self.num_distractors / IMAGES_PER_DISTRACTOR)
        return self.num_train_identities + self.num_test_identities + num_strangers


@dataclass(frozen=True)
class Shot:
    """One image to render.

    Attributes:
        folder: TRAIN, QUERY or GALLERY.
        pid: identity as printed in the file name.
        person: index into the list of people; -1 shows no person.
        stream: seeds the random numbers; differs between people and between kinds of images.
        camid: number of the camera, see worlds.camera_of.
        number: number of the image within stream and camera, from 1.
        bad_box: whether the detector's box is wrong.
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
        """File name as in Market-1501: identity, camera and sequence, frame, box."""
        name = "-1" if self.pid < 0 else f"{self.pid:04d}"
        frame = 1000 * (self.stream % 900) + 7 * self.number
        return f"{name}_c{self.camid + 1}s{1 + self.number % 2}_{frame:06d}_{self.number:02d}.jpg"


def generator(seed: int, stream: int, camid: int, number: int) -> np.random.Generator:
    """Return the random numbers of one image or, with number 0, of one person's walk past one camera."""
    return np.random.default_rng(np.random.SeedSequence((seed, 1 + stream, 1 + camid, 1 + number)))


def draw_cast(seed: int, size: SyntheticSize) -> list[Person]:
    """Draw all people: training identities, then test identities, then distractors."""
    rng = np.random.default_rng(np.random.SeedSequence((seed, 0, 0, 0)))
    if not size.num_worlds:
        return draw_people(rng, size.num_people)
    people: list[Person] = []
    for world in range(size.num_worlds):
        local = np.random.default_rng(np.random.SeedSequence((seed, 0, 0, 1 + world)))
        count = sum(_world_of(person, size) == world for person in range(size.num_train_identities))
        people += [dye_clothes(person, local) for person in draw_people(local, count)]
    return people + draw_people(rng, size.num_people - size.num_train_identities)


def _world_of(person: int, size: SyntheticSize) -> int:
    """The world of a training identity; -1 is the one with CAMERAS, where test identities are."""
    if person >= size.num_train_identities or not size.num_worlds:
        return -1
    return person * size.num_worlds // size.num_train_identities


def _cameras_of(seed: int, stream: int, size: SyntheticSize) -> list[int]:
    """Cameras that see the person of a stream."""
    order = generator(seed, stream, 0, -1).permutation(CAMERAS_PER_WORLD)
    first = CAMERAS_PER_WORLD * (1 + _world_of(stream, size))
    return [first + int(camid) for camid in order[: size.cameras_per_identity]]


def _train_shots(seed: int, size: SyntheticSize) -> list[Shot]:
    """Images of every training identity from several cameras."""
    return [
        Shot(TRAIN, 1 + person, person, person, camid, number)
        for person in range(size.num_train_identities)
        for camid in _cameras_of(seed, person, size)
        for number in range(1, 1 + size.images_per_camera)
    ]


def _test_shots(seed: int, size: SyntheticSize) -> list[Shot]:
    """Queries and their matches; a query is one more image from a camera that is also in the gallery."""
    shots: list[Shot] = []
    for index in range(size.num_test_identities):
        person = size.num_train_identities + index
        camids = _cameras_of(seed, person, size)
        num_queries = len(range(index, size.num_queries, size.num_test_identities))
        for camid in camids[:num_queries]:
            shots.append(Shot(QUERY, 1 + person, person, person, camid, 1 + size.images_per_camera))
        for camid in camids:
            shots += [
                Shot(GALLERY, 1 + person, person, person, camid, 1 + n) for n in range(size.images_per_camera)
            ]
    return shots


def _distractor_shots(size: SyntheticSize) -> list[Shot]:
    """Images of people who match no query, and false detections."""
    first = size.num_train_identities + size.num_test_identities
    shots = []
    for index in range(size.num_distractors):
        person = first + index // IMAGES_PER_DISTRACTOR
        nobody = index % round(1 / FALSE_DETECTION_SHARE) == 0
        camid, number = (index * 5 + index // 6) % CAMERAS_PER_WORLD, 1 + index % IMAGES_PER_DISTRACTOR
        shots.append(
            Shot(GALLERY, 0, -1 if nobody and index % 8 else person, person, camid, number, bad_box=nobody)
        )
    return shots


def _junk_shots(size: SyntheticSize) -> list[Shot]:
    """Images of test identities framed so badly that the protocol ignores them."""
    shots = []
    for index in range(size.num_junk):
        person = size.num_train_identities + index % size.num_test_identities
        camid, number = (index * 7 + index // 6) % CAMERAS_PER_WORLD, 1 + index // size.num_test_identities
        shots.append(Shot(GALLERY, -1, person, size.num_people + person, camid, number, bad_box=True))
    return shots


def plan_shots(seed: int, size: SyntheticSize) -> list[Shot]:
    """Plan every image of the set; images of one person follow each other."""
    return _train_shots(seed, size) + _test_shots(seed, size) + _distractor_shots(size) + _junk_shots(size)


def draw_pose(seed: int, shot: Shot, rng: np.random.Generator) -> Pose:
    """Draw a pose; on a walk past one camera a person roughly keeps direction and pace."""
    walk = generator(seed, shot.stream, shot.camid, 0)
    headings = camera_of(seed, shot.camid).headings
    yaw = headings[(int(walk.integers(len(headings))) + shot.number // 3) % len(headings)]
    stride = float(walk.uniform(0.35, 1.0))
    return Pose(yaw + float(rng.normal(0, 0.28)), float(rng.uniform(0, 2 * math.pi)), stride)


def draw_bad_framing(rng: np.random.Generator) -> Framing:
    """Draw a wrong box: around a part of a person, or around a person and much background."""
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
