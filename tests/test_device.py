from __future__ import annotations

import pytest
import torch

from reid_gl import device
from reid_gl.device import choose_device, choose_precision
from reid_gl.distributed.place import Ranks

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


@pytest.fixture
def bare_machine(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A machine without accelerators whose CPU has no bfloat16 units."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.setattr(torch.cpu, "get_capabilities", dict, raising=False)
    return monkeypatch


def test_auto_prefers_cuda_then_mps_then_the_cpu(bare_machine: pytest.MonkeyPatch) -> None:
    assert choose_device("auto") == CPU
    bare_machine.setattr(torch.backends.mps, "is_available", lambda: True)
    assert choose_device("auto") == torch.device("mps")
    bare_machine.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_device("auto") == CUDA


def test_a_device_may_be_numbered(bare_machine: pytest.MonkeyPatch) -> None:
    bare_machine.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_device("cuda:1") == torch.device("cuda", 1)


@pytest.mark.usefixtures("bare_machine")
@pytest.mark.parametrize("name", ["cuda", "cuda:0", "mps"])
def test_missing_devices_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"device '{name}' is not available here: use auto or cpu"):
        choose_device(name)


@pytest.mark.parametrize("name", ["tpu", "", "CPU", "gpu:0"])
def test_unknown_devices_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"unknown device '{name}': expected one of auto, cuda, mps, cpu"):
        choose_device(name)


@pytest.mark.parametrize("name", ["float32", "bfloat16"])
def test_precision_by_name(name: str) -> None:
    assert choose_precision(name, CPU) is getattr(torch, name)
    assert choose_precision(name, CUDA) is getattr(torch, name)


def test_float16_is_for_cuda() -> None:
    assert choose_precision("float16", CUDA) is torch.float16
    with pytest.raises(ValueError, match="float16 needs a CUDA device: use auto, bfloat16 or float32"):
        choose_precision("float16", CPU)


def test_unknown_precision() -> None:
    with pytest.raises(ValueError, match="unknown precision 'half': expected one of auto, float32"):
        choose_precision("half", CPU)


@pytest.mark.parametrize(("has_bfloat16", "expected"), [(True, torch.bfloat16), (False, torch.float16)])
def test_auto_precision_on_cuda(
    monkeypatch: pytest.MonkeyPatch, has_bfloat16: bool, expected: torch.dtype
) -> None:
    def is_supported(*, including_emulation: bool) -> bool:
        assert not including_emulation
        return has_bfloat16

    monkeypatch.setattr(torch.cuda, "is_bf16_supported", is_supported)
    assert choose_precision("auto", CUDA) is expected


@pytest.mark.parametrize("unit", ["amx_bf16", "avx512_bf16"])
def test_auto_precision_on_the_cpu_follows_its_units(bare_machine: pytest.MonkeyPatch, unit: str) -> None:
    assert choose_precision("auto", CPU) is torch.float32
    bare_machine.setattr(torch.cpu, "get_capabilities", lambda: {unit: True}, raising=False)
    assert choose_precision("auto", CPU) is torch.bfloat16
    assert choose_precision("auto", torch.device("mps")) is torch.float32


def test_auto_precision_with_a_torch_that_cannot_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert choose_precision("auto", CPU) is torch.float32


def test_every_rank_of_a_host_has_a_gpu_of_its_own(bare_machine: pytest.MonkeyPatch) -> None:
    bare_machine.setattr(device, "is_joined", lambda: True)
    bare_machine.setattr(device, "ranks", lambda: Ranks(5, 8, 1, 4))
    assert choose_device("auto") == choose_device("cpu") == CPU
    for name in ("mps", "cuda", "cuda:0"):
        with pytest.raises(ValueError, match=f"ranks train on auto, cpu or cuda .*, got device '{name}'"):
            choose_device(name)
    bare_machine.setattr(torch.cuda, "is_available", lambda: True)
    bare_machine.setattr(torch.cuda, "device_count", lambda: 2)
    assert choose_device("auto") == choose_device("cuda") == torch.device("cuda", 1)
    bare_machine.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(ValueError, match="4 ranks on this host need as many CUDA devices and it has 1"):
        choose_device("auto")
