"""The interface, on the engine that every computer has."""

from __future__ import annotations

import json
import logging
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reid_gl.evaluation import RerankSettings, k_reciprocal_rerank
from reid_gl.gallery import Gallery, Sighting
from reid_gl.gallery.audit_log import AuditLog
from reid_gl.gallery.engines.sqlite import sqlite_keys
from reid_gl.gallery.interface.sightings import unit_features
from reid_gl.gallery.searches import Search
from tests.gallery.made_up_galleries import MORNING, WIDTH, features, filled, sightings
from tests.inference.extractor.test_stored_thresholds import CALIBRATION
from tests.reference.slow_gallery import SlowRow, slow_rows, slow_search


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "people.db"


def as_rows(vectors: np.ndarray, metadata: list[Sighting], added: float) -> list[SlowRow]:
    return [SlowRow(row + 1, vectors[row], metadata[row], added) for row in range(len(vectors))]


def found(answers: list[list[Any]]) -> list[list[int]]:
    return [[match.id for match in answer] for answer in answers]


def test_what_was_added_comes_back_as_it_was(path: Path) -> None:
    vectors, metadata = filled(path)
    with Gallery(path, "r") as gallery:
        answers = gallery.search(3.0 * vectors, k=1)
    assert [answer[0].sighting for answer in answers] == metadata
    assert [answer[0].id for answer in answers] == list(range(1, 41))
    assert all(answer[0].score == pytest.approx(1.0, abs=1e-6) for answer in answers)
    assert {(answer[0].probability, answer[0].reranked) for answer in answers} == {(None, None)}


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"cameras": [0, 2]},
        {"cameras": 1, "time": (MORNING + 120, MORNING + 1500)},
        {"time": (None, MORNING + 600)},
        {"time": (MORNING + 600, None), "min_score": 0.1},
        {"time": (None, None)},
        {"exclude": {"camera": 1, "tracklet": [0, 1, 2]}},
        {"exclude": [{"pid": 3}, {"id": [1, 2, 3, 900]}, {"camera": -1}]},
        {"cameras": []},
    ],
)
def test_a_search_agrees_with_looking_at_every_row(path: Path, asked: dict[str, Any]) -> None:
    vectors, metadata = filled(path, 90)
    queries = features(5, seed=1)
    with Gallery(path, "r") as gallery:
        answers = found(gallery.search(queries, 12, **asked))
    cameras = asked.get("cameras")
    only = {} if cameras is None else {"camera": cameras if isinstance(cameras, list) else [cameras]}
    rules = asked.get("exclude", [])
    exclude = [
        {name: values if isinstance(values, list) else [values] for name, values in rule.items()}
        for rule in (rules if isinstance(rules, list) else [rules])
    ]
    rows = as_rows(vectors, metadata, time.time())
    rows = slow_rows(rows, only=only, exclude=exclude, time=asked.get("time"))
    assert answers == [slow_search(rows, query, 12, asked.get("min_score", -1.0)) for query in queries]


def test_equal_rows_rank_by_number_and_one_query_may_be_flat(path: Path) -> None:
    vectors = np.repeat(features(1), 30, axis=0)
    with Gallery(path) as gallery:
        assert gallery.search(vectors[0]) == [[]]  # nothing was ever added
        gallery.add(vectors, sightings(30))
        assert found(gallery.search(vectors[0], 5)) == [[1, 2, 3, 4, 5]]
        assert len(gallery.search(vectors[:2], 99)[1]) == 30
        assert gallery.search(vectors[:0]) == []


def test_it_goes_on_where_it_was_and_numbers_are_not_given_twice(path: Path) -> None:
    with Gallery(path) as gallery:
        assert gallery.add(features(3), sightings(3)).tolist() == [1, 2, 3]
        assert gallery.add(np.zeros((0, WIDTH), np.float32), []).tolist() == []
        assert gallery.delete(ids=3) == 1
    with Gallery(path, "r+") as gallery:
        assert gallery.add(features(2, seed=5), sightings(2)).tolist() == [4, 5]
        assert found(gallery.search(features(1, seed=5), 1)) == [[4]]
        assert gallery.verify().is_whole


def test_a_reader_keeps_up_with_a_writer(path: Path) -> None:
    vectors, _ = filled(path)
    with Gallery(path) as writer, Gallery(path, "r") as reader:
        assert found(reader.search(vectors[:1], 1)) == [[1]]
        new = features(1, seed=9)
        writer.add(new, [Sighting(camera=7, pid=70)])
        assert found(reader.search(new, 1)) == [[41]]
        assert writer.set_identity([41], 71) == 1
        assert reader.search(new, 1, exclude={"pid": 71})[0][0].id != 41
        assert reader.search(new, 1)[0][0].sighting == Sighting(camera=7, pid=71)
        assert writer.delete(cameras=7) == 1
        assert writer.delete(cameras=7) == 0
        assert 41 not in found(reader.search(new, 50))[0]
        assert found(reader.search(new, 50)) == found(writer.search(new, 50))


def test_deleting_says_what(path: Path) -> None:
    vectors, metadata = filled(path)
    rows = as_rows(vectors, metadata, time.time())
    with Gallery(path) as gallery:
        expected = slow_rows(rows, only={"pid": [2], "camera": [0, 1, 2, 3]})
        assert gallery.delete(pids=2, cameras=range(4)) == len(expected) > 0
        kept = [row for row in rows if row not in expected]
        old = slow_rows(kept, only={}, before=MORNING + 600)
        assert gallery.delete(older_than=MORNING + 600) == len(old) > 0
        assert gallery.stats().num_rows == 40 - len(expected) - len(old)
        with pytest.raises(ValueError, match="say which rows to delete: ids, pids"):
            gallery.delete()
        left = [row.id for row in kept if row not in old]
        assert sorted(found(gallery.search(vectors[:1], 99))[0]) == left
        assert gallery.delete(ids=[]) == 0


def test_deleted_bytes_are_gone_from_all_files(path: Path) -> None:
    """Rows are deleted here and there, so that SQLite moves the others between pages."""
    vectors = np.random.default_rng(0).normal(size=(240, 256)).astype(np.float32)
    stored = [row.tobytes()[500:516] for row in unit_features("", vectors, None)]
    metadata = [Sighting(row % 5, MORNING + row, path=f"a/secret-{row:03d}.jpg") for row in range(240)]
    order = np.random.default_rng(1).permutation(np.arange(1, 201))
    with Gallery(path) as gallery:
        gallery.add(vectors[:200], metadata[:200])
        gallery.set_identity(range(1, 201, 3), 7)
        assert all(row in path.read_bytes() for row in stored[:200])
        for part in range(4):
            gallery.delete(ids=order[40 * part : 40 * part + 40].tolist())
            gallery.add(vectors[200 + 10 * part :][:10], metadata[200 + 10 * part :][:10])
    left = b"".join(file.read_bytes() for file in path.parent.iterdir())
    for number in order[:160] - 1:
        assert stored[number] not in left
        assert metadata[number].path.encode() not in left
    assert stored[order[-1] - 1] in left


def test_identities_are_merged(path: Path) -> None:
    _, metadata = filled(path)
    before = [sighting.pid for sighting in metadata]
    with Gallery(path) as gallery:
        assert gallery.merge_identities([1, 2], into=3) == before.count(1) + before.count(2)
        assert gallery.set_identity([1, 2], 9) == 2
        expected = [9, 9, *(3 if pid in (1, 2) else pid for pid in before[2:])]
        matches = gallery.search(features(1), 99)[0]
        assert {match.id: match.sighting.pid for match in matches} == dict(enumerate(expected, start=1))
        assert gallery.verify().is_whole
        with pytest.raises(ValueError, match="identity -1 means unknown"):
            gallery.merge_identities([-1, 2], into=3)
        with pytest.raises(ValueError, match="pid must be a whole number from 0"):
            gallery.merge_identities([2], into=1.5)  # type: ignore[arg-type]


def test_retention(path: Path) -> None:
    now = time.time()
    ages = [None, 10.0, 3000.0, 7000.0]
    metadata = [Sighting(time=None if age is None else now - age) for age in ages]
    with Gallery(path) as gallery:
        gallery.add(features(4), metadata)
        assert gallery.stats().keep_seconds is None
        assert gallery.keep_for(5000) == 1
        assert gallery.stats().keep_seconds == 5000
    with Gallery(path) as gallery:  # the rule is in the file
        assert len(gallery.search(features(1))[0]) == 3
        gallery.add(features(1, seed=3), [Sighting(time=now - 6000)])
        assert gallery.stats().num_rows == 4  # stays until the next addition, and is not found
        assert len(gallery.search(features(1))[0]) == 3
        gallery.add(features(1, seed=4), [Sighting()])
        assert gallery.stats().num_rows == 4
        assert gallery.keep_for(None) == gallery.apply_retention() == 0
        for wrong in (0, -1, float("nan"), float("inf"), "30d"):
            with pytest.raises(ValueError, match="a positive number of seconds"):
                gallery.keep_for(wrong)


def test_old_rows_stay_if_their_deletion_cannot_be_logged(path: Path, tmp_path: Path) -> None:
    with Gallery(path) as gallery:
        gallery.add(features(3), [Sighting(time=1.0)] * 3)
        gallery.keep_for(None)
    with Gallery(path, audit_log=tmp_path / "nowhere" / "log") as gallery:
        with gallery._turns.take() as engine:
            engine.keep_for(5.0)
        with pytest.raises(FileNotFoundError, match="nothing is done"):
            gallery.apply_retention()
        assert gallery.stats().num_rows == 3
    with Gallery(path) as gallery:
        assert gallery.apply_retention() == 3
    last = json.loads((tmp_path / "people.db.audit.jsonl").read_text().splitlines()[-1])
    assert (last["action"], last["rows"], last["keep_seconds"]) == ("retention", 3, 5.0)


def test_every_change_and_search_is_in_the_audit_log(path: Path, tmp_path: Path) -> None:
    with Gallery(path, user="eva") as gallery:
        gallery.add(features(40), sightings(40))
        gallery.add(features(1), sightings(1), user="door")
        gallery.add(np.zeros((0, WIDTH), np.float32), [])  # nothing was done
        (answer,) = gallery.search(features(1), 2, cameras=[2, 1], exclude={"pid": 3}, reason="case 7")
        gallery.merge_identities(1, into=2)
        gallery.set_identity([1], 7)
        gallery.export(tmp_path / "rows.npz")
        gallery.delete(pids=2)
        gallery.keep_for(3600)
    lines = [json.loads(line) for line in (tmp_path / "people.db.audit.jsonl").read_text().splitlines()]
    done = {line["action"]: line["rows"] for line in lines if line["action"].endswith(" done")}
    pids = [one.pid for one in [*sightings(40), *sightings(1)]]
    left = [7, *(2 if pid == 1 else pid for pid in pids[1:])]
    assert done == {
        "merge done": pids.count(1),
        "set identity done": 1,
        "export done": 41,
        "delete done": left.count(2),
    }
    lines = [line for line in lines if not line["action"].endswith(" done")]
    actions = ["add", "add", "search", "merge", "set identity", "export", "delete", "keep", "retention"]
    assert [line["action"] for line in lines] == actions
    assert [line["user"] for line in lines] == ["eva", "door", *["eva"] * 7]
    assert [line["rows"] for line in lines[:2]] == [40, 1]
    search = lines[2]
    assert search["rows"] == [[match.id for match in answer]]
    assert search["filter"] == {"camera": [1, 2], "exclude": [{"pid": [3]}]}
    assert search["reason"] == "case 7"
    assert abs(search["at"] - time.time()) < 60
    assert lines[3]["filter"] == {"pid": [1]}
    assert lines[6]["filter"] == {"pid": [2]}
    assert lines[7]["keep_seconds"] == 3600


def test_nothing_is_done_without_an_audit_log(path: Path, tmp_path: Path) -> None:
    filled(path)
    with Gallery(path, audit_log=tmp_path / "nowhere" / "log") as gallery:
        for act in (lambda: gallery.search(features(1)), lambda: gallery.add(features(1), sightings(1))):
            with pytest.raises(FileNotFoundError, match=r"audit log .* cannot be written .* nothing is done"):
                act()
        assert gallery.stats().num_rows == 40


def test_what_is_done_is_not_undone_if_the_second_line_cannot_be_written(
    path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(path)
    write = AuditLog.write

    def fails_at_the_end(log: AuditLog, action: str, details: Any, user: str | None = None) -> None:
        if action.endswith(" done"):
            raise OSError("the disk is full")
        write(log, action, details, user)

    monkeypatch.setattr(AuditLog, "write", fails_at_the_end)
    with Gallery(path) as gallery:
        assert gallery.delete(ids=3) == 1
    assert "delete is done, but not logged: the disk is full" in caplog.text


def test_probabilities_and_their_prior(path: Path) -> None:
    vectors, _ = filled(path)
    histogram = tuple([40, 30, 20, 10, *[0] * 16])
    calibration = replace(
        CALIBRATION, histogram_same=histogram, histogram_different=tuple([0, 1, *[50] * 18])
    )
    with Gallery(path, calibration=calibration) as gallery:
        (answer,) = gallery.search(vectors[:1], 40)
    probabilities = [match.probability or 0.0 for match in answer]
    assert probabilities == sorted(probabilities, reverse=True)
    assert probabilities[0] > 0.95 > 0.05 > probabilities[-1] > 0
    with Gallery(path, calibration=calibration, prior=1e-4) as gallery:
        assert 0 < (gallery.search(vectors[:1], 1)[0][0].probability or 0.0) < probabilities[0]
    with pytest.raises(ValueError, match="prior must lie between 0 and 1"):
        Gallery(path, calibration=calibration, prior=1.0)
    with pytest.raises(ValueError, match="a prior is for probabilities"):
        Gallery(path, prior=0.5)


def test_the_shortlist_is_reranked(path: Path) -> None:
    vectors, _ = filled(path)
    settings = RerankSettings(k1=6, k2=2)
    query = features(1, seed=1)
    with Gallery(path) as gallery:
        plain = gallery.search(query, 20)[0]
        (answer,) = gallery.search(query, 5, rerank=settings, shortlist=20)
        assert gallery.search(query, 5, rerank=settings, min_score=1.0) == [[]]
    places = [match.id - 1 for match in plain]
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    expected = k_reciprocal_rerank(
        query / np.linalg.norm(query), unit[places], k1=6, k2=2, lambda_value=settings.lambda_value
    )[0]
    best = np.argsort(expected, kind="stable")[:5]
    assert [match.id - 1 for match in answer] == [places[place] for place in best]
    assert [match.reranked for match in answer] == pytest.approx(expected[best].tolist(), abs=1e-6)
    assert [match.score for match in answer] == [plain[place].score for place in best.tolist()]
    assert best.tolist() != list(range(5))


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"k": 0}, "k must be a whole number of at least 1, got 0"),
        ({"k": 2.5}, "k must be a whole number"),
        ({"shortlist": 0}, "shortlist must be"),
        ({"min_score": float("nan")}, "min_score is a cosine in"),
        ({"min_score": 40}, "min_score is a cosine in"),
        ({"min_score": "0.5"}, r"min_score is a cosine in \[-1, 1\], got '0.5'"),
        ({"cameras": "front"}, "values of camera must be whole numbers, got 'front'"),
        ({"cameras": [0.5]}, "values of camera must be whole numbers"),
        ({"exclude": {"colour": 3}}, "rows cannot be selected by 'colour': expected one of id, camera"),
        ({"exclude": {}}, "exclude must be a mapping"),
        ({"exclude": [3]}, "exclude must be a mapping"),
        ({"time": (5, 4)}, "time ends before it begins: from 5.0 to 4.0"),
        ({"time": 4}, r"time must be \(first, last\)"),
        ({"time": (float("nan"), None)}, "time must be finite seconds"),
        ({"time": ("2026-01-01", None)}, "time must be finite seconds"),
    ],
)
def test_a_filter_that_cannot_be(path: Path, asked: dict[str, Any], message: str) -> None:
    filled(path, 2)
    with Gallery(path, "r") as gallery, pytest.raises(ValueError, match=message):
        gallery.search(features(1), **asked)


@pytest.mark.parametrize(
    ("vectors", "error", "message"),
    [
        (features(2, width=8), ValueError, "features have 8 numbers each, this gallery holds features of 16"),
        (np.full((2, WIDTH), np.nan), ValueError, "features are NaN, infinite .* in 2 of 2 rows: 0, 1"),
        (np.eye(2, WIDTH) - np.eye(1, WIDTH), ValueError, r"all zeros in 1 of 2 rows: 0\..*`valid` is False"),
        (features(2).tolist(), TypeError, "features must be a numpy array, got list"),
        (features(2)[0], ValueError, r"features must be numbers \(M, D\)"),
        (features(3), ValueError, "3 features came with metadata of 2 rows"),
        (np.zeros((0, WIDTH)), ValueError, "0 features came with metadata of 2 rows"),
    ],
)
def test_features_that_cannot_be_added(
    path: Path, vectors: Any, error: type[Exception], message: str
) -> None:
    filled(path, 2)
    with Gallery(path) as gallery:
        with pytest.raises(error, match=message):
            gallery.add(vectors, sightings(2))
        assert gallery.stats().num_rows == 2
        assert gallery.verify().is_whole


def test_a_query_that_cannot_be(path: Path) -> None:
    filled(path, 2)
    with Gallery(path, "r") as gallery:
        with pytest.raises(ValueError, match="query features have 8 numbers each"):
            gallery.search(features(1, width=8))
        with pytest.raises(ValueError, match="query features are all zeros in 1 of 1 rows"):
            gallery.search(np.zeros(WIDTH, np.float32))


def test_a_part_that_is_wrong_takes_the_others_with_it(path: Path) -> None:
    with Gallery(path) as gallery:
        parts = [(features(3), sightings(3)), (features(2, width=4), sightings(2))]
        with pytest.raises(ValueError, match="features have 4 numbers each"):
            gallery.add_parts(parts)
        assert gallery.stats().num_rows == 0
        assert gallery.stats().dimension is None
        assert gallery.add(features(2, width=4), sightings(2)).tolist() == [1, 2]


def test_an_addition_with_a_key_is_done_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, metadata = features(3), sightings(3)
    with Gallery(path) as gallery:
        assert gallery.add(vectors, metadata, key="a").tolist() == [1, 2, 3]
    with Gallery(path) as gallery:  # it is remembered in the file
        assert gallery.add(vectors + np.float32(1e-3), metadata, key="a").tolist() == [1, 2, 3]
        assert gallery.add(vectors, metadata, key="b").tolist() == [4, 5, 6]
        assert gallery.add(vectors, metadata).tolist() == [7, 8, 9]
        for others in (metadata[:2], [*metadata[:2], Sighting(camera=9)]):
            with pytest.raises(ValueError, match="the key 'a' was used to add other rows: repeat exactly"):
                gallery.add(vectors[: len(others)], others, key="a")
        with pytest.raises(TypeError, match="features must be a numpy array, got int"):
            gallery.add(3, metadata, key="e")  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="a key has 1 to 400 letters, got ''"):
            gallery.add(vectors, metadata, key="")
        with pytest.raises(ValueError, match="NaN"):
            gallery.add(np.full((1, WIDTH), np.nan), sightings(1), key="c")
        assert gallery.add(vectors[:1], metadata[:1], key="c").tolist() == [10]  # the failure left no key
        assert gallery.stats().num_rows == 10
        monkeypatch.setattr(sqlite_keys, "KEY_SECONDS", -1.0)
        assert gallery.add(vectors, metadata, key="d").tolist() == [11, 12, 13]
        assert gallery.add(vectors, metadata, key="a").tolist() == [14, 15, 16]  # too long ago
        assert gallery.verify().is_whole


def test_searches_of_several_callers(path: Path) -> None:
    filled(path, 60)
    queries = features(5, seed=1)
    with Gallery(path, user="eva") as gallery:
        asked = [
            Search(queries[0], 3, user="door"),
            Search(queries[1], 5, cameras=[1], reason="case 7"),
            Search(queries[2:3], 7, min_score=0.35),
            Search(queries[3], cameras="front"),  # type: ignore[arg-type]
            Search(queries[4][:8]),
            Search(queries[:2]),
            Search(queries[4], 4, cameras=1),
        ]
        answers = dict(gallery.search_together(asked))
        expected = [
            gallery.search(one.query, one.k, cameras=one.cameras, min_score=one.min_score)[0]
            for one in (asked[0], asked[1], asked[2], asked[6])
        ]
    assert [answers[place] for place in (0, 1, 2, 6)] == expected
    assert 0 < len(expected[2]) < 7
    errors = [str(answers[place]) for place in (3, 4, 5)]
    assert errors[0].startswith("values of camera must be whole numbers")
    assert errors[1].startswith("query features have 8 numbers each")
    assert errors[2] == "a search has one query, got 2"
    log = path.with_name("people.db.audit.jsonl").read_text().splitlines()
    lines = [json.loads(line) for line in log][1:5]
    rows = {place: [[match.id for match in answers[place]]] for place in (0, 1, 2, 6)}
    assert [line["rows"] for line in lines] == [rows[0], rows[2], rows[1], rows[6]]
    assert [line["user"] for line in lines] == ["door", "eva", "eva", "eva"]
    assert [(line["k"], line["reason"]) for line in lines[:3]] == [(3, ""), (7, ""), (5, "case 7")]


def test_searches_of_several_callers_in_an_empty_gallery(path: Path) -> None:
    with Gallery(path) as gallery:
        asked = [Search(features(1, width=width)) for width in (4, 8)]
        assert dict(gallery.search_together(asked)) == {0: [], 1: []}


def test_stats(path: Path) -> None:
    _, metadata = filled(path)
    with Gallery(path, "r") as gallery:
        stats = gallery.stats()
    times = [sighting.time for sighting in metadata if sighting.time is not None]
    cameras = [sighting.camera for sighting in metadata]
    assert (stats.num_rows, stats.dimension) == (40, WIDTH)
    assert (stats.first_time, stats.last_time) == (min(times), max(times))
    assert stats.cameras == {camera: cameras.count(camera) for camera in sorted(set(cameras))}
    assert stats.num_identities == len({sighting.pid for sighting in metadata} - {-1})
    tracklets = {(one.camera, one.tracklet) for one in metadata if one.tracklet >= 0}
    assert stats.num_tracklets == len(tracklets)
    assert stats.num_bytes == path.stat().st_size


def test_searches_while_rows_are_deleted(path: Path) -> None:
    vectors, _ = filled(path, 300)
    problems: list[BaseException] = []
    with Gallery(path) as gallery:

        def search() -> None:
            try:
                for _ in range(30):
                    ids = found(gallery.search(vectors[:3], 20))
                    assert all(len(answer) == 20 for answer in ids)
            except BaseException as error:
                problems.append(error)

        threads = [threading.Thread(target=search) for _ in range(2)]
        for thread in threads:
            thread.start()
        for number in range(1, 101):
            gallery.delete(ids=number)
        for thread in threads:
            thread.join()
        assert not problems
        assert min(found(gallery.search(vectors[:1], 300))[0]) == 101


def test_a_closed_gallery_says_so(path: Path) -> None:
    gallery = Gallery(path)
    gallery.close()
    gallery.close()
    with pytest.raises(ValueError, match=r"people\.db is closed"):
        gallery.stats()


def test_a_damaged_row_is_named_and_left_out(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    vectors, _ = filled(path)
    data = bytearray(path.read_bytes())
    data[data.index(unit_features("", vectors, None)[4].tobytes()) + 9] ^= 4
    path.write_bytes(data)
    with Gallery(path, "r") as gallery, caplog.at_level(logging.WARNING):
        assert 5 not in found(gallery.search(vectors[4:5], 99))[0]
        assert len(found(gallery.search(vectors[4:5], 99))[0]) == 39
        report = gallery.verify()
    assert report.broken == {5: "the feature does not match its checksum"}
    assert not report.is_whole
    assert caplog.text.count("1 damaged rows are left out, the first is 5") == 1
