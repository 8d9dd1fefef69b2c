"""Fold batch normalisations into the preceding convolutions: the same function in fewer operations."""

from __future__ import annotations

import inspect
import logging
from collections import Counter

from torch import fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

logger = logging.getLogger(__name__)


class _Tracer(fx.Tracer):
    """Traces a network down to its layers; our own convolutions count as layers too."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, nn.Conv2d) or super().is_leaf_module(m, module_qualified_name)


def fuse_convolutions(net: nn.Module) -> int:
    """Fold each batch normalisation into the convolution before it, in place, if nothing else uses either.

    Args:
        net: in evaluation mode. Its running statistics become weights, so it can no longer be trained.

    Returns:
        Number of folded normalisations; 0, with a log message, if the network cannot be traced.
    """
    parameters = inspect.signature(net.forward).parameters.values()
    switches = {each.name: each.default for each in parameters if each.default is not each.empty}
    try:
        graph = _Tracer().trace(net, concrete_args=switches)
    except (fx.proxy.TraceError, TypeError, ValueError, RuntimeError) as error:
        logger.info("the network cannot be traced (%s): nothing is folded", error)
        return 0
    calls = Counter(node.target for node in graph.nodes if node.op == "call_module")
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
            continue  # also used elsewhere, with a different partner
        net.set_submodule(names[0], fuse_conv_bn_eval(convolution, normalization))
        net.set_submodule(names[1], nn.Identity())
        count += 1
    return count
