"""Choose the device and the precision (dtype) of computations."""

from __future__ import annotations

import torch

from reid_gl.distributed.ranks import is_joined, ranks

DEVICES = ("auto", "cuda", "mps", "cpu")
PRECISIONS = ("auto", "float32", "bfloat16", "float16")


def choose_device(name: str) -> torch.device:
    """Return the device with this name; "auto" is the first available one of CUDA, MPS and CPU.

    On several ranks, "auto" and "cuda" are a CUDA device for each rank of a host.

    Raises:
        ValueError: the name is unknown, this machine or torch build does not have the device, or it cannot
            be shared by ranks.
    """
    kind = name.partition(":")[0]
    if kind not in DEVICES:
        raise ValueError(f"unknown device {name!r}: expected one of {', '.join(DEVICES)}")
    available = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if is_joined():
        return _device_of_rank(name, available["cuda"])
    if kind == "auto":
        return torch.device(next(device for device, present in available.items() if present))
    if not available[kind]:
        raise ValueError(f"device {name!r} is not available here: use auto or cpu")
    return torch.device(name)


def _device_of_rank(name: str, has_cuda: bool) -> torch.device:
    if name == "cpu" or (name == "auto" and not has_cuda):
        return torch.device("cpu")
    if name not in ("auto", "cuda") or not has_cuda:
        raise ValueError(f"ranks train on auto, cpu or cuda where there is CUDA, got device {name!r}")
    place, count = ranks(), torch.cuda.device_count()
    if place.local_rank >= count:
        raise ValueError(
            f"{place.local_world_size} ranks on this host need as many CUDA devices and it has {count}: "
            "lower --nproc-per-node, or set MODEL.DEVICE cpu"
        )
    return torch.device("cuda", place.local_rank)


def choose_precision(name: str, device: torch.device) -> torch.dtype:
    """Return the dtype for the backbone; "auto" is the fastest one that trains safely on the device.

    Returns:
        For "auto", bfloat16 if the hardware supports it natively (CUDA since Ampere; CPUs with AMX or
        AVX512-BF16), else float16 on CUDA and float32 on other devices.

    Raises:
        ValueError: the name is unknown, or float16 is requested without CUDA (its gradients need the scaler).
    """
    if name not in PRECISIONS:
        raise ValueError(f"unknown precision {name!r}: expected one of {', '.join(PRECISIONS)}")
    if name == "float16" and device.type != "cuda":
        raise ValueError("float16 needs a CUDA device: use auto, bfloat16 or float32")
    if name != "auto":
        return {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}[name]
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    if device.type == "cpu" and _cpu_multiplies_bfloat16():
        return torch.bfloat16
    return torch.float32


def _cpu_multiplies_bfloat16() -> bool:
    capabilities: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()  # missing in old torch
    return bool(capabilities.get("amx_bf16") or capabilities.get("avx512_bf16"))
