"""A network small enough to be trained inside a test, on people whom the sequences do not show."""

from __future__ import annotations

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from reid_gl.data.loading.images import Image8
from reid_gl.data.loading.transforms import Preprocessing
from reid_gl.inference.extractor.feature_extractor import FeatureExtractor
from reid_gl.inference.extractor.runtime import TorchRuntime
from reid_gl.synthetic.people import Person
from reid_gl.synthetic.plan import TRAIN, SyntheticSize, draw_cast, plan_shots
from reid_gl.synthetic.write_people import render_shot

PREPROCESSING = Preprocessing(64, 32)
SIZE = SyntheticSize(
    num_train_identities=96,
    num_test_identities=1,
    num_queries=1,
    num_distractors=0,
    num_junk=0,
    cameras_per_identity=4,
    images_per_camera=1,
)
NUM_STEPS = 240
PEOPLE, VIEWS = 16, 4
WIDTHS = (32, 64, 96, 128)
STRIPES = 4


class TinyNet(nn.Module):
    """Four convolutions, and the mean and maximum of four stripes."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3
        for number, width in enumerate(WIDTHS):
            size, stride = (5, 2) if number == 0 else (3, 1 if number == 3 else 2)
            layers += [nn.Conv2d(channels, width, size, stride, size // 2, bias=False)]
            layers += [nn.BatchNorm2d(width), nn.ReLU()]
            channels = width
        self.layers = nn.Sequential(*layers)
        self.head = nn.Sequential(nn.Linear(2 * STRIPES * channels, 128, bias=False), nn.BatchNorm1d(128))

    def forward(self, images: Tensor) -> Tensor:
        maps = self.layers(images)
        pooled = [pool(maps, (STRIPES, 1)) for pool in (F.adaptive_avg_pool2d, F.adaptive_max_pool2d)]
        return self.head(torch.cat(pooled, dim=1).flatten(1))  # type: ignore[no-any-return]


def training_people() -> list[Person]:
    return draw_cast(0, SIZE)[: SIZE.num_train_identities]


def training_images() -> tuple[Image8, NDArray[np.int64]]:
    """(N, height, width, 3) uint8 RGB, and who is on them from 0."""
    people = draw_cast(0, SIZE)
    shots = [shot for shot in plan_shots(0, SIZE) if shot.folder == TRAIN]
    rendered = [
        cv2.imdecode(np.frombuffer(render_shot(shot, 0, people), np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
        for shot in shots
    ]
    images = np.stack([PREPROCESSING.resize(np.ascontiguousarray(one)) for one in rendered])
    return images, np.array([shot.person for shot in shots], dtype=np.int64)


def augment(images: Tensor, generator: torch.Generator) -> Tensor:
    """Other light, mirrored, shifted, and a part hidden; images (N, 3, H, W) normalised."""
    count, height, width = len(images), images.shape[2], images.shape[3]
    gain = 1 + 0.25 * torch.randn(count, 1, 1, 1, generator=generator)
    shade = 0.3 * torch.randn(count, 1, 1, 1, generator=generator)
    images = images * gain + shade + 0.1 * torch.randn(count, 3, 1, 1, generator=generator)
    if torch.rand((), generator=generator) < 0.5:
        images = images.flip(3)
    down, right = torch.randint(-4, 5, (2,), generator=generator).tolist()
    images = images.roll((down, right), (2, 3)).clone()
    for image in images[torch.rand(count, generator=generator) < 0.4]:
        top = int(torch.randint(0, height, (), generator=generator))
        left = int(torch.randint(0, width, (), generator=generator))
        image[:, top : top + height // 3, left : left + width // 3] = 0
    return images


def trained_extractor() -> FeatureExtractor:
    """The network after a training of half a minute on one thread; takes BGR frames."""
    images, labels = training_images()
    pixels = PREPROCESSING.normalize(torch.from_numpy(images).permute(0, 3, 1, 2))
    rows_of = [np.flatnonzero(labels == label) for label in range(labels.max() + 1)]
    rng, generator = np.random.default_rng(0), torch.Generator().manual_seed(0)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net, proxies = TinyNet(), nn.Parameter(torch.randn(len(rows_of), 128))
    optimizer = torch.optim.AdamW([*net.parameters(), proxies], lr=4e-3, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=NUM_STEPS)
    for _ in range(NUM_STEPS):
        people = rng.choice(len(rows_of), PEOPLE, replace=False)
        rows = np.concatenate([rng.choice(rows_of[person], VIEWS, replace=False) for person in people])
        features = net(augment(pixels[torch.from_numpy(rows)], generator))
        cosines = F.normalize(features) @ F.normalize(proxies).T
        loss = F.cross_entropy(16 * cosines, torch.from_numpy(labels[rows]), label_smoothing=0.05)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
    return FeatureExtractor(
        TorchRuntime(net, PREPROCESSING, precision="float32", device="cpu"), color_order="bgr"
    )
