"""Every module has a test file of its name, so that its tests are found without a search."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = {
    path.relative_to(ROOT / "reid_gl").with_suffix("").as_posix()
    for path in (ROOT / "reid_gl").rglob("*.py")
    if path.name != "__init__.py"
}
TESTS = {
    (path.parent.relative_to(ROOT / "tests") / path.stem.removeprefix("test_")).as_posix()
    for path in (ROOT / "tests").rglob("test_*.py")
}
UNTESTED = {
    "config/experiment": "a record without rules of its own",
    "data/datasets/own/parquet_files": "tested with table_files, which chooses it",
    "distributed/place": "what torchrun says; tested with ranks, which read it",
    "experiment/comparing/job_process": "tested with jobs, which starts it",
    "experiment/gallery": "tested with cli/gallery and extracting/extract_into",
    "experiment/same_everywhere": "needs ranks: experiment/train_on_ranks",
    "gallery/additions": "tested with gallery/gallery, which adds",
    "gallery/answers": "tested with gallery/gallery, whose answers they are",
    "gallery/checks": "tested with gallery/gallery, whose arguments they check",
    "gallery/engines/ivf/indexed_rows": "tested with faiss_engine, which reads them",
    "gallery/engines/ivf/ivf_search": "tested with faiss_engine, against the exact search",
    "gallery/engines/ivf/kept_index": "tested with faiss_engine, which keeps it",
    "gallery/engines/nearest_rows": "tested with recall, which counts them",
    "gallery/engines/servers/milvus_place": "tested with milvus_engine and open_engine",
    "gallery/engines/servers/qdrant_points": "tested with qdrant_engine",
    "gallery/engines/servers/served_engine": "tested with qdrant_engine and milvus_engine, which inherit it",
    "gallery/engines/servers/served_rows": "tested with qdrant_engine and milvus_engine, whose rows they are",
    "gallery/engines/sqlite/index_beside": "tested with faiss_engine, which keeps the index",
    "gallery/engines/sqlite/sqlite_keys": "tested with gallery/gallery, by repeated additions",
    "gallery/engines/sqlite/stored_rows": "tested with sqlite_engine and sqlite_verify",
    "gallery/engines/vector_bytes": "tested with sqlite_verify and qdrant_engine, which find changed bytes",
    "gallery/interface/addition_key": "tested with gallery/gallery, whose additions have keys",
    "gallery/interface/condition": "tested with condition_sql, against Python's own filter",
    "gallery/interface/engine": "what an engine must have",
    "gallery/retention": "tested with gallery/gallery, which deletes",
    "gallery/searches": "tested with gallery/gallery, which searches",
    "inference/extractor/foreign": "a record; its rules are open_weights'",
    "serve/refusals": "records; tested with guard and routes, which send them",
    "synthetic/cameras": "constants",
    "untrusted/matlab_layout": "tested with matlab, which walks it",
    "untrusted/sizes": "tested with npz and hdf5, whose limit it is",
}
"""Modules without a test file of their name, each with the reason."""
WHOLE = {
    "architecture": "the source tree",
    "cli/commands": "commands as processes",
    "cli/torchrun": "train under torchrun, as processes",
    "config/changes": "config/load, of a resumed run",
    "contributing": "CONTRIBUTING.md",
    "data/loading/balanced_sampler": "data/loading/sampler, of several sets",
    "evaluation/scores/average_precision_peers": "scores beside those of peers",
    "examples": "every page of docs/",
    "experiment/training_input": "experiment/train, of caches and crops",
    "experiment/train_on_ranks": "experiment/train, on several ranks",
    "gallery/browse/page": "the page of gallery/browse/server in a real browser",
    "gallery/guide": "docs/gallery.md",
    "inference/guide": "docs/inference.md",
    "inference/own_backbone": "a backbone of the caller's own, everywhere",
    "lazy_imports": "the front of every folder",
    "losses/bad_batches": "every loss",
    "losses/pair_losses": "binomial deviance, Multi-Similarity and Ranked List",
    "mirror": "the tests",
    "notebooks": "notebooks/",
    "project_files": "files beside the package",
    "readme": "README.md",
    "serve/guide": "docs/serving.md",
    "tracking/adapters": "every adapter",
    "tracking/boxmot_check": "benchmarks/boxmot_check.py",
    "tracking/guide": "docs/trackers.md",
    "tracking/tracking_quality": "features inside a tracker",
    "tracking/ultralytics_check": "benchmarks/ultralytics_check.py",
    "report/in_browser": "report/page, in a real browser",
    "training/every_loss": "every loss in a training step",
}
"""Test files without a module of their name, each with what they test."""


def test_every_module_has_a_test_file_of_its_name() -> None:
    assert sorted(MODULES - TESTS - set(UNTESTED)) == []


def test_every_test_file_has_a_module_of_its_name() -> None:
    assert sorted(TESTS - MODULES - set(WHOLE)) == []


def test_no_exception_is_out_of_date() -> None:
    assert sorted(set(UNTESTED) - (MODULES - TESTS)) == []
    assert sorted(set(WHOLE) - (TESTS - MODULES)) == []


@pytest.mark.parametrize("exceptions", [UNTESTED, WHOLE])
def test_every_exception_says_why(exceptions: dict[str, str]) -> None:
    assert all(exceptions.values())
