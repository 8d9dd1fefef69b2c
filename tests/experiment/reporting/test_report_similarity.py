from __future__ import annotations

import base64
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from reid_gl.config import load_run_config, read_experiment
from reid_gl.data.loading.images import read_image
from reid_gl.experiment.reporting import report_similarity
from reid_gl.experiment.reporting.report_similarity import make_similarity_maps
from reid_gl.experiment.score import Candidate, load_candidate
from reid_gl.inference import similarity_maps
from reid_gl.records import Sample
from tests.finished_run import write_run
from tests.made_up_people import write_people

CELLS = 4 * 2


@pytest.fixture(scope="module")
def candidate(tmp_path_factory: pytest.TempPathFactory) -> Candidate:
    folder = tmp_path_factory.mktemp("maps")
    run = write_run(folder / "run", write_people(folder / "market1501", num_people=2, images=2))
    experiment = read_experiment(
        load_run_config(run / "config.yml", ["MODEL.WEIGHTS", str(run / "model.ckpt")])
    )
    return load_candidate(experiment)


@pytest.fixture
def samples(candidate: Candidate) -> list[Sample]:
    return [*candidate.dataset.query, *candidate.dataset.gallery]


def decode(found: dict[str, Any], query: int) -> NDArray[np.uint8]:
    """(N, 2, H', W')."""
    flat = np.frombuffer(base64.b64decode(found["queries"][str(query)][1]), np.uint8)
    return flat.reshape(-1, 2, found["height"], found["width"])


def test_the_maps_are_those_of_the_network_and_its_input(candidate: Candidate, samples: list[Sample]) -> None:
    found = make_similarity_maps(candidate, samples, [(1, [4, 2]), (0, [3])])
    assert (found["note"], found["crop"]) == ("", None)
    assert [found["queries"][query][0] for query in ("1", "0")] == [[4, 2], [3]]
    images = torch.stack(
        [
            torch.from_numpy(candidate.preprocessing.resize(read_image(samples[place].path))).permute(2, 0, 1)
            for place in (1, 4, 2)
        ]
    )
    images = candidate.preprocessing.normalize(images).to(candidate.device)
    scoring = candidate.scoring
    expected = similarity_maps(
        candidate.net, images[0], images[1:], feature=scoring.feature, precision=scoring.precision
    )
    for side, maps in enumerate((expected.on_query, expected.on_others)):
        scaled = 255 * maps / maps.amax(dim=(1, 2), keepdim=True)
        np.testing.assert_allclose(decode(found, 1)[:, side], scaled.cpu().numpy(), atol=1)
        assert decode(found, 1)[:, side].max() == 255


def test_a_copy_of_the_query_has_an_empty_map(candidate: Candidate, samples: list[Sample]) -> None:
    found = make_similarity_maps(candidate, samples, [(0, [0, 3])])
    assert decode(found, 0)[0].max() == 0
    assert decode(found, 0)[1].max() == 255


def test_the_first_queries_fill_the_room(
    candidate: Candidate, samples: list[Sample], monkeypatch: pytest.MonkeyPatch
) -> None:
    lists = [(1, [2, 3]), (0, []), (2, [3]), (0, [4])]
    assert list(make_similarity_maps(candidate, samples, lists)["queries"]) == ["1", "2", "0"]
    room = 3 * 2 * CELLS
    assert list(make_similarity_maps(candidate, samples, lists, room)["queries"]) == ["1", "2"]
    assert list(make_similarity_maps(candidate, samples, lists, room - 1)["queries"]) == ["1"]
    monkeypatch.setattr(report_similarity, "MAX_QUERIES", 1)
    assert list(make_similarity_maps(candidate, samples, iter(lists))["queries"]) == ["1"]


def test_a_crop_of_the_centre_is_described(candidate: Candidate, samples: list[Sample]) -> None:
    preprocessing = {**candidate.checkpoint["preprocessing"], "shorter_side": 70}
    cropped = replace(candidate, checkpoint={**candidate.checkpoint, "preprocessing": preprocessing})
    assert make_similarity_maps(cropped, samples, [(0, [2])])["crop"] == [64, 32, 70]


def test_a_network_of_another_project_has_none_and_says_why(
    candidate: Candidate, samples: list[Sample]
) -> None:
    found = make_similarity_maps(replace(candidate, net=nn.Identity()), samples, [(0, [2])])
    assert found["queries"] == {}
    assert re.match(r"similarity maps need .* ReidNet, got Identity: .* use the checkpoint", found["note"])


def test_an_image_that_is_gone_is_named(candidate: Candidate, samples: list[Sample], tmp_path: Path) -> None:
    gone = [replace(samples[0], path=str(tmp_path / "gone.jpg")), *samples[1:]]
    with pytest.raises(FileNotFoundError, match=r"gone\.jpg"):
        make_similarity_maps(candidate, gone, [(0, [2])])
