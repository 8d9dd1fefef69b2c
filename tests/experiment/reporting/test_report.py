"""Reports of runs, and that their numbers are those of test."""

from __future__ import annotations

import base64
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reid_gl.config import load_run_config
from reid_gl.evaluation import RerankSettings, evaluate_camera_pairs, evaluate_features, mean_ap_interval
from reid_gl.evaluation.scores.rank_lists import IGNORED, RIGHT
from reid_gl.experiment.reporting import report
from reid_gl.experiment.reporting.report import run_report
from reid_gl.experiment.score import ScoredFeatures, run_test
from reid_gl.report.page import read_report
from tests.finished_run import ABLATION, write_hard_people, write_run
from tests.made_up_people import write_people

NASTY = "<script>alert('1')<&\" !--"


@pytest.fixture(scope="module")
def nasty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two runs, of the same network with and without mirror images, and their data."""
    folder = tmp_path_factory.mktemp("nasty") / NASTY
    data = write_hard_people(folder / "market1501")
    write_run(folder / "a", data)
    write_run(folder / "b", data, "TEST.FLIP", "True", "TEST.RERANK.ENABLED", "True", "TEST.RERANK.K1", "5")
    return folder


@pytest.fixture(scope="module")
def summary(nasty: Path) -> dict[str, Any]:
    return run_report([nasty / "a", nasty / "b"], nasty / "report.html")


@pytest.fixture(scope="module")
def data(nasty: Path, summary: dict[str, Any]) -> dict[str, Any]:
    return read_report(nasty / "report.html")


@pytest.fixture(scope="module")
def tested(nasty: Path) -> list[tuple[dict[str, Any], ScoredFeatures]]:
    """What test says of both runs, and the features that it computed."""
    answers = []
    for name in "ab":
        features: list[ScoredFeatures] = []
        words = ["MODEL.WEIGHTS", str(nasty / name / "model.ckpt")]
        scores = run_test(load_run_config(nasty / name / "config.yml", words), also=features.append)
        answers.append((scores, features[0]))
    return answers


def test_the_scores_are_those_of_test(
    data: dict[str, Any], tested: list[tuple[dict[str, Any], ScoredFeatures]]
) -> None:
    assert 0 < tested[0][0]["mAP"] != tested[1][0]["mAP"] < 1
    for run, (scores, _) in enumerate(tested):
        (shown,) = [
            ranking["scores"] for ranking in data["lists"] if ranking["run"] == run and ranking["tested"]
        ]
        assert shown == scores
    assert [(one["run"], one["reranked"], one["tested"]) for one in data["lists"]] == [
        (0, False, True),
        (0, True, False),
        (1, False, False),
        (1, True, True),
    ]


def test_every_query_and_curve_is_that_of_evaluate_features(
    data: dict[str, Any], tested: list[tuple[dict[str, Any], ScoredFeatures]]
) -> None:
    for ranking in data["lists"]:
        features = tested[ranking["run"]][1]
        k1 = 5 if ranking["run"] else RerankSettings().k1
        rerank = RerankSettings(k1=k1) if ranking["reranked"] else None
        result = evaluate_features(features.query, features.gallery, metric="cosine", rerank=rerank)
        assert ranking["average_precision"] == result.average_precision.tolist()
        assert ranking["first_match"] == result.first_match.tolist()
        assert ranking["cmc"] == result.cmc.tolist()
        assert ranking["scores"]["mAP"] == result.mean_ap
        assert ranking["scores"]["mAP_interval_95"] == list(mean_ap_interval(result))


def test_camera_pairs_are_those_of_evaluate_camera_pairs(
    data: dict[str, Any], tested: list[tuple[dict[str, Any], ScoredFeatures]]
) -> None:
    features = tested[0][1]
    assert features.gallery is not None
    expected = [
        (pair.query_camid, pair.gallery_camid, None if pair.result is None else pair.result.mean_ap)
        for pair in evaluate_camera_pairs(features.query, features.gallery)
    ]
    shown = [(pair["query"], pair["gallery"], pair["mAP"]) for pair in data["runs"][0]["camera_pairs"]]
    assert shown == expected
    assert [value is None for _, _, value in shown] == [True, False]


def test_a_rank_list_shows_gallery_images_with_their_kinds(data: dict[str, Any]) -> None:
    images = data["images"]
    for row, (places, distances, kinds) in zip(data["shown"], data["lists"][0]["shown"], strict=True):
        query = data["queries"][row]
        assert images["names"][query].startswith("query/")
        assert all(images["names"][place].startswith("bounding_box_test/") for place in places)
        assert distances == sorted(distances)
        for place, kind in zip(places, kinds, strict=True):
            same = images["pids"][place] == images["pids"][query]
            other = images["camids"][place] != images["camids"][query]
            assert kind == (RIGHT if same and other else IGNORED if same else 1)
        first = data["lists"][0]["first_match"][row]
        counted = [kind for kind in kinds if kind != IGNORED]
        assert len(counted) == 10
        assert first > 10 or counted.index(RIGHT) + 1 == first


def test_what_the_run_folder_holds_is_in_the_report(data: dict[str, Any], nasty: Path) -> None:
    run = data["runs"][0]
    assert (run["environment"]["commit"], run["name"]) == ("abc123", "a")
    assert run["training"]["steps"]["group"] == [2.0, 1.0, 0.5]
    assert run["training"]["evaluations"]["mAP"] == [0.2, 0.4]
    assert run["ablation"]["rows"] == ABLATION["rows"]
    assert run["changed"]["DATA.ROOT"] == str(nasty / "market1501")
    assert "SEED" not in run["changed"]
    assert sum(run["distances"]["same"]) == 8 * 3
    assert sum(run["distances"]["different"]) == 8 * (49 - 6)
    assert len(run["map"]["places"]) == 8 * 7
    assert run["distances"]["note"].startswith("No thresholds: reid-gl calibrate")


def test_each_run_shows_where_the_similarity_to_every_image_on_its_lists_comes_from(
    data: dict[str, Any],
) -> None:
    for number, run in enumerate(data["runs"]):
        maps = run["similarity_maps"]
        assert maps["note"] == ""
        assert len(maps["queries"]) == 8
        for place, row in enumerate(data["shown"]):
            listed = [one["shown"][place][0] for one in data["lists"] if one["run"] == number]
            places, text = maps["queries"][str(data["queries"][row])]
            assert set(places) == {image for images in listed for image in images}
            assert len(base64.b64decode(text)) == len(places) * 2 * maps["height"] * maps["width"]


def test_the_worst_the_best_and_random_queries_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "FIRST", 2)
    precision = np.array([0.5, 1.0, 0.2, np.nan, 1.0, 0.7])
    shown = np.array([0, 1, 2, 3, 4])
    random = sorted(range(5), key=lambda row: (row + 1) * 2654435761 % 2**32)
    expected = [3, 1, random[0], 2, 4, random[1], *random]
    assert report._most_important_first(precision, shown) == list(dict.fromkeys(expected))


def test_thumbnails_fill_what_is_left_of_the_page(
    nasty: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, summary: dict[str, Any]
) -> None:
    monkeypatch.setattr(report, "MAX_PAGE_BYTES", summary["bytes"] - 8_000)
    fewer = run_report([nasty / "a", nasty / "b"], tmp_path / "report.html")
    assert 0 < fewer["thumbnails"] < summary["thumbnails"]
    assert summary["bytes"] - 12_000 < fewer["bytes"] <= summary["bytes"] - 8_000


def test_comparisons_are_of_the_first_run_and_of_re_ranking(data: dict[str, Any]) -> None:
    assert [(pair["first"], pair["second"]) for pair in data["comparisons"]] == [
        (0, 1),
        (0, 2),
        (1, 3),
        (2, 3),
    ]
    pair = data["comparisons"][1]
    assert pair["difference"] == data["lists"][2]["scores"]["mAP"] - data["lists"][0]["scores"]["mAP"]


def test_names_from_files_are_text(nasty: Path, summary: dict[str, Any]) -> None:
    page = (nasty / "report.html").read_text()
    assert "<script>alert" not in page
    assert NASTY in read_report(nasty / "report.html")["images"]["folder"]
    assert summary["thumbnails"] == 8 + 49 == page.count("UklGR")  # "RIFF" in base64
    assert summary["bytes"] == (nasty / "report.html").stat().st_size


def test_a_report_replaces_a_report_and_no_other_file(nasty: Path, tmp_path: Path) -> None:
    foreign = tmp_path / "notes.html"
    foreign.write_text("<p>mine</p>")
    with pytest.raises(FileExistsError, match="this command did not write it"):
        run_report([nasty / "a"], foreign)
    assert foreign.read_text() == "<p>mine</p>"
    with pytest.raises(FileNotFoundError, match=r"the folder of the report .* does not exist"):
        run_report([nasty / "a"], tmp_path / "none" / "report.html")
    with pytest.raises(ValueError, match=r"a report is an HTML page, got .*report.txt"):
        run_report([nasty / "a"], tmp_path / "report.txt")


def test_a_folder_that_is_no_run(nasty: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"is no finished run, it has no config.yml"):
        run_report([tmp_path], tmp_path / "report.html")
    (tmp_path / "config.yml").write_text("SEED: 1\n")
    with pytest.raises(FileNotFoundError, match=r"is no finished run, it has no model.ckpt"):
        run_report([tmp_path], tmp_path / "report.html")
    (tmp_path / "model.ckpt").symlink_to(tmp_path / "unmounted")
    with pytest.raises(FileNotFoundError, match=r"model.ckpt is a link to nothing: restore it"):
        run_report([tmp_path], tmp_path / "report.html")
    (tmp_path / "model.ckpt").unlink()
    (tmp_path / "training.ckpt").touch()
    with pytest.raises(FileNotFoundError, match=r"has training.ckpt and no model.ckpt yet: wait for its tr"):
        run_report([tmp_path], tmp_path / "report.html")


def test_a_run_that_is_given_twice(nasty: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"a run is given twice among .*: name each once"):
        run_report([nasty / "a", nasty / ".." / nasty.name / "a"], tmp_path / "report.html")


def test_images_that_were_moved_and_their_new_place(nasty: Path, tmp_path: Path) -> None:
    data = write_people(tmp_path / "old" / "market1501", num_people=2, images=1)
    run = write_run(tmp_path / "run", data)
    shutil.move(data, tmp_path / "new")
    with pytest.raises(
        FileNotFoundError, match=r"add DATA.ROOT <folder> to the command, the images of .*run"
    ):
        run_report([run], tmp_path / "report.html")
    with pytest.raises(FileNotFoundError, match=r"^Market-1501 is not in "):
        run_report([run], tmp_path / "report.html", overrides=["DATA.ROOT", str(tmp_path)])
    words = ["DATA.ROOT", str(tmp_path / "new")]
    run_report([run], tmp_path / "report.html", overrides=words)
    assert read_report(tmp_path / "report.html")["images"]["folder"] == str(tmp_path / "new")
    moved = write_run(tmp_path / "moved", tmp_path / "new")
    with pytest.raises(ValueError, match=r"tested on 2 queries and 5 gallery images, .* on 8 and 49, or on"):
        run_report([moved, nasty / "a"], tmp_path / "report.html")
