"""Write a synthetic set in Market-1501 layout; a seed gives the same bytes with any number of workers."""

from __future__ import annotations

import json
import multiprocessing
from collections import Counter
from collections.abc import Callable, Generator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import closing
from dataclasses import asdict
from functools import lru_cache
from itertools import accumulate
from pathlib import Path

import cv2

from reid_gl.files import finished_or_nothing
from reid_gl.process_signals import end_with_parent
from reid_gl.seeds import check_seed
from reid_gl.synthetic.people import Person
from reid_gl.synthetic.plan import (
    GALLERY,
    QUERY,
    TRAIN,
    Shot,
    SyntheticSize,
    draw_bad_framing,
    draw_cast,
    draw_pose,
    generator,
    plan_shots,
)
from reid_gl.synthetic.render import render_person
from reid_gl.synthetic.worlds import camera_of
from reid_gl.untrusted.json_files import read_json_object

VERSION = 1
CARD = "synthetic.json"
SHOTS_PER_TASK = 60
MOST_WORKERS = 1000
DEFAULT_SIZE = SyntheticSize()


def write_synthetic(
    out: str | Path,
    *,
    seed: int = 0,
    size: SyntheticSize = DEFAULT_SIZE,
    num_workers: int = 2,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, int]:
    """Render a complete set into a temporary folder and rename it to `out`; reuse `out` if it is that set.

    Args:
        out: folder to create; it will contain `bounding_box_train`, `query` and `bounding_box_test`.
        seed: see check_seed; another seed gives other people.
        size: number of people and images.
        num_workers: number of processes that render, up to MOST_WORKERS. 1 uses the calling process; more
            need a script that guards its code with `if __name__ == "__main__":`.
        progress: called with (images finished, images in total).

    Returns:
        Number of images by kind: "train", "query", "gallery" (without junk), "distractors" (part of the
        gallery) and "junk"; and number of people: "train_identities" and "test_identities".

    Raises:
        FileExistsError: `out` exists and is not this set.
        ValueError: the seed or num_workers is out of range.
    """
    check_seed(seed)
    if not 1 <= num_workers <= MOST_WORKERS:
        raise ValueError(f"num_workers is {num_workers}: expected 1 to {MOST_WORKERS}")
    sizes = asdict(size)
    if not size.num_worlds:
        del sizes["num_worlds"]  # sets without worlds are older than the field
    card = {"version": VERSION, "seed": seed, "size": sizes}
    if Path(out).exists():
        return _counts_of(Path(out), card)
    shots = plan_shots(seed, size)
    counts = _count(shots, size)
    with finished_or_nothing(Path(out)) as folder:
        with closing(_render_all(folder, seed, size, shots, num_workers)) as tasks:
            for done in tasks:
                if progress is not None:
                    progress(done, len(shots))
        (folder / CARD).write_text(json.dumps({**card, "counts": counts}, indent=2) + "\n")
    return counts


def _counts_of(out: Path, card: dict[str, object]) -> dict[str, int]:
    """Read the counts of a finished set; raise FileExistsError if it is not the set in `card`."""
    advice = "choose another folder or remove this one"
    try:
        found = read_json_object(out / CARD, advice=advice)
        counts = {str(name): int(count) for name, count in found.pop("counts").items()}
    except (OSError, ValueError, KeyError, AttributeError, TypeError, OverflowError):
        raise FileExistsError(
            f"{out} exists but is not a finished synthetic set (no valid {CARD}): {advice}"
        ) from None
    if found != card:
        raise FileExistsError(f"{out} is another synthetic set ({found}, asked for {card}): {advice}")
    return counts


def _count(shots: list[Shot], size: SyntheticSize) -> dict[str, int]:
    """Count the images of each kind, and the people."""
    folders = Counter(shot.folder for shot in shots)
    pids = Counter(shot.pid for shot in shots)
    return {
        "train": folders[TRAIN],
        "query": folders[QUERY],
        "gallery": folders[GALLERY] - pids[-1],
        "distractors": pids[0],
        "junk": pids[-1],
        "train_identities": size.num_train_identities,
        "test_identities": size.num_test_identities,
    }


def _render_all(
    out: Path, seed: int, size: SyntheticSize, shots: list[Shot], num_workers: int
) -> Generator[int, None, None]:
    """Render every shot into the three folders; yield the number of finished images after each task."""
    for folder in (TRAIN, QUERY, GALLERY):
        (out / folder).mkdir()
    tasks = [shots[start : start + SHOTS_PER_TASK] for start in range(0, len(shots), SHOTS_PER_TASK)]
    if num_workers == 1:
        yield from accumulate(_render_task(str(out), seed, size, task) for task in tasks)
        return
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(num_workers, mp_context=context, initializer=_start_worker)
    try:
        futures = [pool.submit(_render_task, str(out), seed, size, task) for task in tasks]
        yield from accumulate(future.result() for future in as_completed(futures))
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _start_worker() -> None:
    """End with the parent, and use one thread, because the processes already run in parallel."""
    end_with_parent()
    cv2.setNumThreads(1)


@lru_cache(maxsize=1)
def _cast(seed: int, size: SyntheticSize) -> list[Person]:
    """The people of the set, drawn once per process."""
    return draw_cast(seed, size)


def _render_task(out: str, seed: int, size: SyntheticSize, shots: list[Shot]) -> int:
    """Render and save some shots; return how many."""
    people = _cast(seed, size)
    for shot in shots:
        jpeg = render_shot(shot, seed, people)
        (Path(out) / shot.folder / shot.filename).write_bytes(jpeg)
    return len(shots)


def render_shot(shot: Shot, seed: int, people: list[Person]) -> bytes:
    """Render one planned image as a JPEG file with the camera's quality.

    Args:
        shot: the image to render.
        seed: seed of the set.
        people: people of the set, see plan.draw_cast.
    """
    rng = generator(seed, shot.stream, shot.camid, shot.number)
    camera = camera_of(seed, shot.camid)
    person = None if shot.person < 0 else people[shot.person]
    pose = draw_pose(seed, shot, rng)
    framing = draw_bad_framing(rng) if shot.bad_box else None
    image = render_person(person, camera, rng, pose=pose, framing=framing)
    quality = int(rng.integers(camera.quality[0], camera.quality[1] + 1))
    encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return encoded.tobytes()
