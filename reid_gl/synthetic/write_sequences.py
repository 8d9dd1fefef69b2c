"""Write sequences of several cameras in MOT Challenge layout; a seed always gives the same bytes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np

from reid_gl.data.mot.read import PEDESTRIAN, MotBoxes, MotSequence
from reid_gl.data.mot.write import write_detections, write_ground_truth, write_sequence_info
from reid_gl.files import finished_or_nothing
from reid_gl.seeds import check_seed
from reid_gl.synthetic.cameras import CAMERAS
from reid_gl.synthetic.casting import draw_people
from reid_gl.synthetic.detector import Detection, detect
from reid_gl.synthetic.film import Actor, Seen, Weather, draw_weather, expose_frame, paint_scene
from reid_gl.synthetic.palette import FloatImage
from reid_gl.synthetic.people import Person
from reid_gl.synthetic.stage import MAX_ASPECT, Stage, build_stage
from reid_gl.synthetic.walks import TRAVEL_SECONDS, Visit, plan_visits

LAYOUT_FILE = "cameras.json"


@dataclass(frozen=True)
class SequenceSize:
    """Size of the sequences.

    Attributes:
        num_cameras: number of cameras side by side, 1 to 6; their views do not overlap.
        num_frames: frames per camera.
        num_people: people who walk from camera to camera.
        width: width of the frames, pixels.
        height: height of the frames, pixels.
        frame_rate: frames per second.
    """

    num_cameras: int = 2
    num_frames: int = 300
    num_people: int = 10
    width: int = 640
    height: int = 360
    frame_rate: float = 15.0

    def __post_init__(self) -> None:
        """Refuse sizes that allow no sequence."""
        limits = {
            "num_cameras": (1, len(CAMERAS)),
            "num_frames": (1, 100_000),
            "num_people": (1, 1000),
            "width": (64, 8192),
            "height": (64, 8192),
            "frame_rate": (1, 120),
        }
        for name, (low, high) in limits.items():
            if not low <= getattr(self, name) <= high:
                raise ValueError(f"{name} is {getattr(self, name)}: expected {low} to {high}")
        if self.width > MAX_ASPECT * self.height:
            raise ValueError(
                f"frames of {self.width} x {self.height} are too wide: expected at most {MAX_ASPECT:g} : 1"
            )


DEFAULT_SEQUENCE_SIZE = SequenceSize()


def write_sequences(
    out: str | Path,
    *,
    seed: int = 0,
    size: SequenceSize = DEFAULT_SEQUENCE_SIZE,
    progress: Callable[[int, int], None] | None = None,
) -> list[str]:
    """Render people who walk past several cameras, one MOT Challenge folder per camera.

    The cameras are synchronised: frame n is the same instant in all of them. They share the ids of the ground
    truth. The people differ from those of write_synthetic, for any seeds. The file cameras.json says which
    sequence belongs to which camera and how long the way between two cameras takes at least.

    Args:
        out: folder to create; it appears complete or not at all.
        seed: see check_seed; another seed gives other people and other walks.
        size: size of the sequences.
        progress: called with (frames finished, frames in total).

    Returns:
        Names of the sequences, which are folders inside `out`.

    Raises:
        FileExistsError: `out` exists.
        ValueError: seed is out of range.
    """
    check_seed(seed)
    if Path(out).exists():
        raise FileExistsError(f"{out} exists: choose another folder or remove this one")
    people = draw_sequence_people(seed, size.num_people)
    visits = plan_visits(
        _generator(seed, 1),
        num_people=size.num_people,
        num_cameras=size.num_cameras,
        num_frames=size.num_frames,
        frame_rate=size.frame_rate,
        aspect=size.width / size.height,
    )
    names = [f"synthetic{seed}-c{camera + 1}" for camera in range(size.num_cameras)]
    with finished_or_nothing(Path(out)) as folder:
        for camera, name in enumerate(names):
            own = [visit for visit in visits if visit.camera == camera]
            sequence = _sequence_of(folder / name, size)
            for done in _film(sequence, own, people, seed, camera):
                if progress is not None:
                    progress(camera * size.num_frames + done, size.num_cameras * size.num_frames)
        _write_layout(folder / LAYOUT_FILE, names, seed, size)
    return names


def draw_sequence_people(seed: int, num_people: int) -> list[Person]:
    """Draw the people of a seed's sequences, from other random numbers than those of write_synthetic."""
    return draw_people(_generator(seed, 0), num_people)


def _generator(seed: int, *numbers: int) -> np.random.Generator:
    """Return random numbers that write_synthetic never uses, because its seeds have only four numbers."""
    return np.random.default_rng(np.random.SeedSequence((seed, 0, 0, 0, 1, *numbers)))


def _sequence_of(folder: Path, size: SequenceSize) -> MotSequence:
    """The contents of seqinfo.ini."""
    return MotSequence(
        folder=folder,
        name=folder.name,
        image_folder=folder / "img1",
        frame_rate=size.frame_rate,
        num_frames=size.num_frames,
        width=size.width,
        height=size.height,
        suffix=".jpg",
    )


def _film(
    sequence: MotSequence, visits: list[Visit], people: list[Person], seed: int, camid: int
) -> Iterator[int]:
    """Write all files of one camera; yield the number of finished frames."""
    for part in (sequence.image_folder, sequence.folder / "det", sequence.folder / "gt"):
        part.mkdir(parents=True)
    write_sequence_info(sequence)
    fixed = _generator(seed, 2, camid)
    stage = build_stage(CAMERAS[camid], sequence.width, sequence.height, fixed)
    weather = draw_weather(stage.camera, sequence.width, sequence.height, fixed)
    truth: list[list[Seen]] = []
    found: list[list[Detection]] = []
    for frame in range(1, sequence.num_frames + 1):
        rng = _generator(seed, 3, camid, frame)
        actors = _actors_at(frame, visits, people, sequence.frame_rate)
        canvas, seen = paint_scene(stage, actors)
        truth.append(seen)
        found.append(detect(seen, sequence.width, sequence.height, rng))
        sequence.frame_path(frame).write_bytes(_encode_frame(canvas, stage, weather, frame, rng))
        yield frame
    write_ground_truth(sequence.folder / "gt" / "gt.txt", _truth_boxes(truth))
    write_detections(sequence.folder / "det" / "det.txt", _detection_boxes(found))


def _encode_frame(
    canvas: FloatImage, stage: Stage, weather: Weather, frame: int, rng: np.random.Generator
) -> bytes:
    """Encode the frame as a JPEG file with the camera's best quality."""
    image = expose_frame(canvas, stage, weather, frame, rng)
    return cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, stage.camera.quality[1]])[1].tobytes()


def _actors_at(frame: int, visits: list[Visit], people: list[Person], frame_rate: float) -> list[Actor]:
    """Return the people in front of the camera at a frame."""
    actors = []
    for visit in visits:
        if visit.times[0] <= frame <= visit.times[-1]:
            across, depth = visit.position(frame)
            pose = visit.pose(frame, frame_rate)
            actors.append(Actor(visit.person, people[visit.person], pose, across, depth))
    return actors


def _truth_boxes(frames: list[list[Seen]]) -> MotBoxes:
    """Ground truth of all frames; ids start at 1."""
    rows = [(number, seen) for number, frame in enumerate(frames, start=1) for seen in frame]
    return MotBoxes(
        frames=np.array([number for number, _ in rows], dtype=np.int64),
        ids=np.array([seen.index + 1 for _, seen in rows], dtype=np.int64),
        boxes=np.array([seen.box for _, seen in rows], dtype=np.float64).reshape(-1, 4),
        confidences=np.ones(len(rows)),
        classes=np.full(len(rows), PEDESTRIAN, dtype=np.int64),
        visibilities=np.array([seen.visibility for _, seen in rows], dtype=np.float64),
    )


def _detection_boxes(frames: list[list[Detection]]) -> MotBoxes:
    """Detections of all frames."""
    rows = [(number, *found) for number, frame in enumerate(frames, start=1) for found in frame]
    return MotBoxes(
        frames=np.array([number for number, _, _ in rows], dtype=np.int64),
        ids=np.full(len(rows), -1, dtype=np.int64),
        boxes=np.array([box for _, box, _ in rows], dtype=np.float64).reshape(-1, 4),
        confidences=np.array([confidence for _, _, confidence in rows], dtype=np.float64),
        classes=np.full(len(rows), PEDESTRIAN, dtype=np.int64),
        visibilities=np.ones(len(rows)),
    )


def _write_layout(path: Path, names: list[str], seed: int, size: SequenceSize) -> None:
    """Write how the cameras relate to each other, for programs that link people across cameras."""
    shortest = [
        [abs(one - other) * TRAVEL_SECONDS for other in range(size.num_cameras)]
        for one in range(size.num_cameras)
    ]
    layout = {
        "seed": seed,
        "size": asdict(size),
        "sequences": [{"name": name, "camera": camera} for camera, name in enumerate(names, start=1)],
        "synchronised": True,
        "views_overlap": False,
        "identities_shared": True,
        "shortest_way_seconds": shortest,
    }
    path.write_text(json.dumps(layout, indent=2) + "\n")
