from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from reid_gl.synthetic.cameras import CAMERAS, HEIGHT, WIDTH
from reid_gl.synthetic.optics import colour_matrix, expose, tone_curve

CAMERA = CAMERAS[0]
PLAIN = replace(
    CAMERA, exposure=1.0, balance=(1.0, 1.0, 1.0), gamma=1.0, haze=0.0, noise=0.0, defocus=0.1, resolution=1.0
)


def _mean(values: list[np.ndarray]) -> np.ndarray:
    return np.mean(values, axis=0)


def test_a_grey_camera_gives_every_channel_the_brightness() -> None:
    matrix = colour_matrix(replace(PLAIN, saturation=0.0), np.random.default_rng(0))
    np.testing.assert_allclose(
        matrix / matrix.sum(axis=1, keepdims=True), [[0.114, 0.587, 0.299]] * 3, rtol=1e-5
    )


def test_on_the_whole_the_sensor_sees_the_exposure_and_balance_of_its_camera() -> None:
    rng = np.random.default_rng(0)
    camera = replace(PLAIN, exposure=1.5, balance=(0.8, 1.0, 1.2))
    grey = _mean([colour_matrix(camera, rng) @ np.ones(3) for _ in range(500)])
    np.testing.assert_allclose(grey, [1.2, 1.5, 1.8], rtol=0.03)


@pytest.mark.parametrize("camera", CAMERAS, ids=lambda camera: camera.scene)
def test_the_tone_curve_rises_and_haze_lifts_the_shadows(camera: object) -> None:
    curve = tone_curve(camera, np.random.default_rng(0))  # type: ignore[arg-type]
    assert (curve.shape, curve.dtype) == ((256,), np.uint8)
    assert (np.diff(curve.astype(int)) >= 0).all()
    hazy = tone_curve(replace(camera, haze=0.5), np.random.default_rng(0))  # type: ignore[type-var]
    clear = tone_curve(replace(camera, haze=0.0), np.random.default_rng(0))  # type: ignore[type-var]
    assert clear[0] == 0 < hazy[0]


def test_gamma_darkens_the_middle_and_keeps_both_ends() -> None:
    dark, light = (tone_curve(replace(PLAIN, gamma=gamma), np.random.default_rng(0)) for gamma in (2.0, 0.5))
    assert dark[128] < 128 < light[128]
    assert (dark[0], dark[255], light[255]) == (0, 255, 255)


def test_a_scene_of_any_size_becomes_an_image_of_its_brightness() -> None:
    rng = np.random.default_rng(0)
    canvas = np.full((300, 90, 3), 100, np.float32)
    shots = [expose(canvas, PLAIN, rng) for _ in range(50)]
    assert {(shot.shape, shot.dtype.name) for shot in shots} == {((HEIGHT, WIDTH, 3), "uint8")}
    assert _mean(shots).mean() == pytest.approx(100, rel=0.1)


def test_noise_and_blur_are_those_of_the_camera() -> None:
    stripes = np.zeros((HEIGHT, WIDTH, 3), np.float32)
    stripes[:, ::4] = stripes[:, 1::4] = 200
    sharp, soft = (
        expose(stripes, replace(PLAIN, defocus=defocus), np.random.default_rng(0)) for defocus in (0.05, 3.0)
    )
    assert sharp.std(axis=1).mean() > 1.5 * soft.std(axis=1).mean()
    grey = np.full((HEIGHT, WIDTH, 3), 120, np.float32)
    quiet, loud = (
        expose(grey, replace(PLAIN, noise=noise), np.random.default_rng(0)).astype(int)
        for noise in (0.0, 20.0)
    )
    assert np.diff(loud, axis=1).std() > 5 * np.diff(quiet, axis=1).std()
