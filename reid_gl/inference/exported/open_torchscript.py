"""Open TorchScript files with torch."""

from __future__ import annotations

from pathlib import Path

import torch

from reid_gl.device import choose_device
from reid_gl.inference.exported.exported_network import METADATA_KEY, UNKNOWN, ExportedNet, Floats

DESCRIPTION_FILE = f"{METADATA_KEY}.json"
"""Name of the description in a TorchScript file, which is an archive."""


def open_torchscript(path: Path, *, device: str) -> ExportedNet:
    """Open a TorchScript file. It can run any program that it contains: open only files that you trust.

    Args:
        path: .torchscript.
        device: see reid_gl.device.

    Raises:
        ValueError: no such device, or not a TorchScript file.
    """
    target = choose_device(device)
    extra = {DESCRIPTION_FILE: ""}
    try:
        net = torch.jit.load(str(path), map_location=target, _extra_files=extra)
    except (RuntimeError, ValueError) as error:
        raise ValueError(f"{path} cannot be used as a TorchScript file: {error}") from None
    net.eval()

    @torch.inference_mode()
    def run(images: Floats) -> Floats:
        features: Floats = net(torch.from_numpy(images).to(target)).float().cpu().numpy()
        return features

    # without a description, the entry is an empty text or empty bytes, depending on torch's version
    description = extra[DESCRIPTION_FILE]
    text = description.decode() if isinstance(description, bytes) else description
    return ExportedNet(run=run, input_shape=UNKNOWN, description=text, device=str(target))
