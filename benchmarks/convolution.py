"""Weight gradients of small maps: torch's own compared with the matrix product of SmallMapConv2d.

    python benchmarks/convolution.py

Times the layers of a ResNet-18 (128 x 64) and a ResNet-50 (256 x 128), batch 64, bfloat16, and the whole
training step of both. Prints a Markdown page for docs/benchmarks/.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch
from machine import print_header

from reid_gl.models import NetSettings, ReidNet, convolution

LAYERS = (  # channels in, out, height, width, kernel, stride
    (128, 128, 16, 8, 3, 1),
    (256, 256, 8, 4, 3, 1),
    (256, 512, 8, 4, 3, 2),
    (512, 512, 4, 2, 3, 1),
    (512, 512, 16, 8, 3, 2),
    (512, 512, 8, 4, 3, 1),
    (2048, 512, 8, 4, 1, 1),
    (1024, 2048, 16, 8, 1, 2),
)


def milliseconds(call: Callable[[], object], repeats: int) -> float:
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times)


def time_layer(channels: int, out: int, height: int, width: int, size: int, stride: int) -> tuple[float, ...]:
    """Return the milliseconds of the forward pass, of torch's weight gradient, and of ours."""
    maps = _nhwc(torch.randn(64, channels, height, width))
    weight = _nhwc(torch.randn(out, channels, size, size))
    output = torch.nn.functional.conv2d(maps, weight, None, stride, size // 2)
    gradient = torch.randn_like(output)
    settings = [[stride] * 2, [size // 2] * 2, [1, 1], False, [0, 0], 1, [False, True, False]]
    calls = (
        lambda: torch.nn.functional.conv2d(maps, weight, None, stride, size // 2),
        lambda: torch.ops.aten.convolution_backward(gradient, maps, weight, None, *settings),
        lambda: convolution._weight_gradient(maps, weight, gradient, stride, size // 2),
    )
    return tuple(milliseconds(call, 9) for call in calls)


def _nhwc(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.bfloat16().contiguous(memory_format=torch.channels_last)


def time_step(backbone: str, height: int, width: int, max_places: int) -> float:
    """Return the milliseconds of forward and backward pass; max_places=0 turns the matrix product off."""
    convolution.MAX_PLACES = max_places
    net = ReidNet(NetSettings(backbone, 751, last_stride=2)).train().to(memory_format=torch.channels_last)
    images = torch.randn(64, 3, height, width).contiguous(memory_format=torch.channels_last)

    def step() -> None:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            output = net(images)
        output.logits.square().sum().backward()

    step()
    return milliseconds(step, 7)


def main() -> None:
    places = convolution.MAX_PLACES
    print_header("Weight gradients of small maps")
    print("| channels | output map | kernel | forward (ms) | torch (ms) | product (ms) | ratio | used |")
    print("|---|---|---|---|---|---|---|---|")
    for layer in LAYERS:
        channels, out, height, width, size, stride = layer
        forward, theirs, ours = time_layer(*layer)
        shape = (height // stride, width // stride)
        used = "yes" if shape[0] * shape[1] <= places else "no"
        cells = f"{forward:.1f} | {theirs:.1f} | {ours:.1f} | {theirs / ours:.1f} | {used}"
        print(f"| {channels} to {out} | {shape[0]} x {shape[1]} | {size} | {cells} |", flush=True)
    print("\n| whole step | torch (ms) | product (ms) | ratio |\n|---|---|---|---|")
    for backbone, height, width in (("resnet18", 128, 64), ("resnet50", 256, 128)):
        theirs, ours = (time_step(backbone, height, width, number) for number in (0, places))
        print(
            f"| {backbone}, {height} x {width} | {theirs:.0f} | {ours:.0f} | {theirs / ours:.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
