from __future__ import annotations

from pathlib import Path

import pytest

from reid_gl.config import build, load_config

CONFIGS = sorted((Path(__file__).parents[2] / "configs").rglob("*.yml"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_config_builds(path: Path) -> None:
    config = load_config(path, ["MODEL.PRETRAINED", "none", "MODEL.DEVICE", "cpu"])
    labels = [label for label in range(20) for _ in range(10)]
    net = build.build_net(config, 20)
    losses = build.build_losses(config, 20, net.num_features)
    optimizer = build.build_optimizer(config, net, losses)
    settings = build.build_fit_settings(config)
    batch_size = config.SOLVER.IDENTITIES_PER_BATCH * config.SOLVER.IMAGES_PER_IDENTITY
    assert all(len(batch) == batch_size for batch in build.build_sampler(config, labels).epoch_batches(0))
    assert len(optimizer.param_groups) == 2
    assert 0 < settings.schedule.factor(settings.schedule.num_epochs - 0.5) <= 1
    assert build.build_preprocessing(config).height == config.INPUT.SIZE[0]
    assert build.build_augmentation(config).fill == tuple(round(255 * mean) for mean in config.INPUT.MEAN)
    assert set(losses.losses) == {"group", "cross_entropy"}
