"""What several operators share: a stack of layers between a lifting and a projection."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from pinnlab.networks.layers import activation
from pinnlab.networks.pointwise import Pointwise, continued


class Sized(Protocol):
    """The attributes of a network made by :func:`stacked`."""

    width: int
    depth: int
    hidden: int
    activation: str
    outputs: int


def stacked(
    network: Sized,
    x: Any,
    linear: Callable[[int, Any], Any],
    periodic: tuple[bool, ...] = (),
    padding: float = 0.0,
    residual: bool = True,
) -> Any:
    r"""(\*n, channels) to (\*n, outputs) by a lifting, layers and a projection:

    .. math:: v_{l+1} = v_l + \sigma(\mathcal K_l v_l + W_l v_l + b_l)

    To be called inside of a network's ``__call__``.

    Arguments:
        network: whose sizes these are.
        x: the instance.
        linear: K, from the number of the layer and (\*n, C) fields to as many.
        periodic, padding: which axes close, and by which share the others are continued with
            zeros.
        residual: whether each layer adds to what it was given; where none does, the last has no
            activation.
    """
    act, shape = activation(network.activation), x.shape[:-1]
    x = continued(x, periodic, padding)
    x = Pointwise(network.width)(x)
    for layer in range(network.depth):
        last = layer == network.depth - 1
        y = Pointwise(network.width)(x, linear(layer, x), act if residual or not last else None)
        x = x + y if residual else y
    return projected(network, x[tuple(slice(0, n) for n in shape)])


def projected(network: Sized, x: Any) -> Any:
    """(*n, C) fields to (*n, outputs), by one hidden layer that acts on the channels at a node."""
    act = activation(network.activation)
    x = Pointwise(network.hidden or 2 * network.width)(x, act=act)
    return Pointwise(network.outputs)(x)
