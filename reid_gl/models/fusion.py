"""Fold batch normalisations into the convolutions before them: the same function in fewer steps."""

from __future__ import annotations

import inspect
import logging
from collections import Counter

from torch import fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torch.nn.utils.parametrize import is_parametrized

logger = logging.getLogger(__name__)

CANNOT_BE_FOLLOWED = (TypeError, ValueError, RuntimeError, AttributeError, AssertionError, LookupError)
"""Errors that a network's own code may raise if its input is not a tensor."""


class _Tracer(fx.Tracer):
    """Trace a network down to its layers, including ours."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, nn.Conv2d) or super().is_leaf_module(m, module_qualified_name)


def fuse_convolutions(net: nn.Module) -> int:
    """Fold every batch normalisation into its convolution if no other layer follows that; in place.

    Args:
        net: in evaluation mode; stored statistics become weights, so it can no longer be trained.

    Returns:
        Number of folded normalisations; 0, with a log line, for a network that cannot be traced.
    """
    parameters = inspect.signature(net.forward).parameters.values()
    switches = {each.name: each.default for each in parameters if each.default is not each.empty}
    try:
        graph = _Tracer().trace(net, concrete_args=switches)
    except CANNOT_BE_FOLLOWED as error:
        logger.info("the network cannot be traced (%s): no batch normalisation is folded", error)
        return 0
    calls = Counter(node.target for node in graph.nodes if node.op == "call_module")
    read = {str(node.target).rpartition(".")[0] for node in graph.nodes if node.op == "get_attr"}
    count = 0
    for node in graph.nodes:
        before = node.args[0] if node.op == "call_module" and node.args else None
        if not isinstance(before, fx.Node) or before.op != "call_module" or len(before.users) > 1:
            continue
        names = str(before.target), str(node.target)
        convolution, normalization = (net.get_submodule(name) for name in names)
        if not isinstance(convolution, nn.Conv2d) or not isinstance(normalization, nn.BatchNorm2d):
            continue
        if calls[before.target] > 1 or calls[node.target] > 1:
            continue  # also used elsewhere, after another layer
        if read.intersection(names) or _has_hooks(convolution) or _has_hooks(normalization):
            continue  # its parameters are read elsewhere, or its weights or results change while it runs
        net.set_submodule(names[0], fuse_conv_bn_eval(convolution, normalization))
        net.set_submodule(names[1], nn.Identity())
        count += 1
    return count


def _has_hooks(layer: nn.Module) -> bool:
    """Also true of a layer under spectral or weight normalisation."""
    return bool(layer._forward_hooks or layer._forward_pre_hooks or is_parametrized(layer))
