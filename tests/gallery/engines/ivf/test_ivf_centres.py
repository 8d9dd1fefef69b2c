"""Centres of lists, beside the literal form."""

from __future__ import annotations

import numpy as np
import pytest

from reid_gl.gallery.engines.ivf import ivf_centres
from reid_gl.gallery.engines.ivf.ivf_centres import find_centres, nearest_centres
from reid_gl.gallery.interface.sightings import Floats
from tests.reference.slow_k_means import slow_k_means

WIDTH = 16


def unit_rows(count: int, seed: int = 0) -> Floats:
    rows = np.random.default_rng(seed).normal(size=(count, WIDTH)).astype(np.float32)
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


@pytest.fixture(autouse=True)
def few_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ivf_centres, "MOST_COSINES", 100)


def before_iterations(sample: Floats, num_centres: int) -> Floats:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ivf_centres, "ITERATIONS", 0)
        return find_centres(sample, num_centres)


def test_centres_are_those_of_the_literal_form() -> None:
    sample = unit_rows(120)
    start = before_iterations(sample, 9)
    assert all((row == sample).all(axis=1).any() for row in start)
    found = find_centres(sample, 9)
    np.testing.assert_allclose(found, slow_k_means(sample, start, ivf_centres.ITERATIONS), atol=1e-6)
    assert not np.allclose(found, start, atol=0.1)
    np.testing.assert_array_equal(found, find_centres(sample, 9))


def test_centres_without_rows_move_to_people_without_a_centre() -> None:
    people = unit_rows(10)
    sample = np.repeat(people, 30, axis=0)
    assert len(np.unique(before_iterations(sample, 10), axis=0)) < 10
    np.testing.assert_allclose((people @ find_centres(sample, 10).T).max(axis=1), 1, atol=1e-6)


def test_of_equal_centres_one_has_the_rows_and_the_others_are_zero() -> None:
    people = unit_rows(3)
    centres = find_centres(np.repeat(people, 40, axis=0), 20)
    assert np.count_nonzero(np.linalg.norm(centres, axis=1)) == 3
    np.testing.assert_allclose((people @ centres.T).max(axis=1), 1, atol=1e-6)


def test_the_nearest_centre_of_rows_that_cannot_be_written_to() -> None:
    rows, centres = unit_rows(57, seed=1), unit_rows(9, seed=2)
    rows.flags.writeable = False
    expected = [int(np.argmax([row @ centre for centre in centres])) for row in rows]
    assert nearest_centres(rows, centres).tolist() == expected
    assert nearest_centres(rows[:0], centres).tolist() == []
