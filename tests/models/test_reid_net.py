from __future__ import annotations

from typing import Any

import pytest
import torch

from reid_gl.models import NetSettings, ReidNet


def _net(**changes: Any) -> ReidNet:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return ReidNet(NetSettings(**{"backbone": "resnet18", "num_classes": 5, **changes}))


def _images(num: int = 2) -> torch.Tensor:
    return torch.randn(num, 3, 64, 32, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("pooling", ["average", "max", "mixed", "gem"])
@pytest.mark.parametrize("neck", ["bnneck", "none"])
def test_shapes(neck: str, pooling: str) -> None:
    net = _net(neck=neck, pooling=pooling)
    output = net(_images())
    assert net.num_features == 512
    assert output.before_neck.shape == output.after_neck.shape == (2, 512)
    assert output.logits.shape == (2, 5)
    assert torch.equal(output.before_neck, output.after_neck) == (neck == "none")


@pytest.mark.parametrize("pooling", ["average", "gem"])
def test_the_head_is_float32_under_autocast(pooling: str) -> None:
    net = _net(pooling=pooling)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert net.backbone(_images()).dtype == torch.bfloat16
        output = net(_images())
    assert [tensor.dtype for tensor in output] == [torch.float32] * 3
    assert torch.equal(output.logits, net.classifier(net.neck(output.before_neck)))


def test_forward_is_pooling_then_head() -> None:
    net = _net().eval()
    with torch.inference_mode():
        output = net(_images())
        pooled = net.pooled(_images())
        assert torch.equal(output.before_neck, pooled)
        assert torch.equal(output.after_neck, net.head(pooled).after_neck)
        assert torch.equal(output.logits, net.classifier(output.after_neck))


def test_a_linear_layer_gives_the_embedding_its_dimension() -> None:
    net = _net(embedding_dim=24).eval()
    with torch.inference_mode():
        pooled = net.pooled(_images())
        output = net(_images())
        expected = pooled @ net.projection.weight.T + net.projection.bias
    assert (net.num_pooled, net.num_features) == (512, 24)
    assert torch.allclose(output.before_neck, expected, atol=1e-6)
    assert output.after_neck.shape == (2, 24)
    assert NetSettings(**net.settings.to_dict()) == net.settings
    with pytest.raises(ValueError, match="embedding dimension must not be negative, got -1"):
        _net(embedding_dim=-1)


def test_classifier_has_small_weights_and_no_bias() -> None:
    classifier = _net(num_classes=1000).classifier
    assert classifier.bias is None
    assert classifier.weight.std().item() == pytest.approx(0.001, rel=0.02)


def test_every_parameter_but_the_necks_bias_learns() -> None:
    net = _net()
    net(_images()).logits.pow(2).sum().backward()
    idle = [name for name, parameter in net.named_parameters() if parameter.grad is None]
    assert idle == ["neck.bias"]
    assert not net.neck.get_parameter("bias").requires_grad


def test_settings_round_trip_and_are_plain() -> None:
    settings = NetSettings("resnet50", 751, last_stride=2, pooling="gem", gem_exponent=4.0, neck="none")
    values = settings.to_dict()
    assert NetSettings(**values) == settings
    assert {type(value) for value in values.values()} <= {str, int, float}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_classes": 0}, "the classifier needs at least one identity, got 0"),
        ({"backbone": "resnet19"}, "unknown backbone 'resnet19'; the nearest one is"),
        ({"pooling": "median"}, "unknown pooling 'median'"),
        ({"neck": "long"}, "unknown neck 'long'"),
    ],
)
def test_errors(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        _net(**changes)
