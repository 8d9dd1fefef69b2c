from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from reid_gl.inference.exported.exported_network import (
    UNKNOWN,
)
from reid_gl.inference.exported.open_torchscript import DESCRIPTION_FILE, open_torchscript
from tests.inference.exported.mean_colour import (
    MeanColour,
)

pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit.* is deprecated:FutureWarning")
NORMALIZED = np.random.default_rng(0).normal(size=(4, 3, 8, 4)).astype(np.float32)


@pytest.mark.parametrize("description", ["", "described"])
def test_features_and_description_by_hand(description: str, tmp_path: Path) -> None:
    path = tmp_path / "net.torchscript"
    traced = torch.jit.trace(MeanColour(), torch.zeros(2, 3, 8, 4))
    torch.jit.save(traced, str(path), _extra_files={DESCRIPTION_FILE: description} if description else {})
    net = open_torchscript(path, device="cpu")
    features = net.run(NORMALIZED)
    np.testing.assert_allclose(features, NORMALIZED.mean(axis=(2, 3)), atol=1e-6)
    assert features.dtype == np.float32
    assert (net.input_shape, net.description, net.device) == (UNKNOWN, description, "cpu")


def test_a_network_saved_in_training_is_evaluated(tmp_path: Path) -> None:
    path = tmp_path / "net.torchscript"
    torch.jit.save(torch.jit.script(torch.nn.Sequential(torch.nn.Dropout(0.5)).train()), str(path))
    net = open_torchscript(path, device="cpu")
    assert np.array_equal(net.run(NORMALIZED), NORMALIZED)


def test_files_and_devices_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "net.torchscript").write_bytes(b"nothing")
    with pytest.raises(ValueError, match=r"net\.torchscript cannot be used as a TorchScript file: "):
        open_torchscript(tmp_path / "net.torchscript", device="cpu")
    with pytest.raises(ValueError, match="abacus"):
        open_torchscript(tmp_path / "net.torchscript", device="abacus")
