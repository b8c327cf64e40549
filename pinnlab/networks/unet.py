"""U-Net: convolutions on ever coarser grids and back, beside paths that keep what is fine."""

from __future__ import annotations

from itertools import pairwise
from math import gcd
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from pinnlab.core.errors import PinnlabError, choose
from pinnlab.networks.fno import Pointwise
from pinnlab.networks.layers import activation

BEYOND = {"reflect": "reflect", "zero": "constant"}  # names of jnp.pad


class UNet(nn.Module):
    """A U-Net with residual blocks, whose convolutions go round on periodic axes.

    A stride of two leaves every second node, the first included; the way back repeats each node
    and drops what is too much, so that sizes need not be powers of two. Shifts by 2^depth nodes of
    a periodic axis with a multiple of as many nodes shift the answer. A convolution reaches a
    number of nodes: on a finer grid the parameters fit, but mean something else. After Ronneberger,
    Fischer & Brox, *U-Net: convolutional networks for biomedical image segmentation*, 2015, with
    the blocks of Gupta & Brandstetter, *Towards multi-spatiotemporal-scale generalized PDE
    modeling*, arXiv:2209.15616, 2022.

    Attributes:
        width: channels on the finest grid, twice as many on each next one; 16 to 64.
        depth: halvings of the grid; 2 to 4.
        activation: as for :class:`~pinnlab.networks.MLP`.
        beyond: what lies beyond the ends of axes that are not periodic: ``reflect`` or ``zero``.
        outputs, periodic: set by the model.

    Raises:
        PinnlabError: a name that does not exist, or a grid too small for its halvings.
    """

    width: int = 32
    depth: int = 3
    activation: str = "gelu"
    beyond: str = "reflect"
    outputs: int = 1
    periodic: tuple[bool, ...] = ()

    @nn.compact
    def __call__(self, x: Any) -> Any:
        x = jnp.moveaxis(x, -1, 0)
        x = UShape(self.width, self.depth, 2, self.activation, self.beyond, self.periodic)(x)
        return jnp.moveaxis(Pointwise(self.outputs)(x), 0, -1)


class UShape(nn.Module):
    """The same from (C, *n) to (width, *n) fields, a part of other networks.

    Attributes:
        growth: how many times the channels of a grid the next coarser one has.
    """

    width: int
    depth: int
    growth: int = 2
    activation: str = "gelu"
    beyond: str = "reflect"
    periodic: tuple[bool, ...] = ()

    @nn.compact
    def __call__(self, x: Any) -> Any:
        choose("rule (network.beyond)", self.beyond, BEYOND)
        _check(x.shape[1:], self.depth)
        kind = (self.activation, self.beyond, self.periodic or (True,) * (x.ndim - 1))
        widths = [self.width * self.growth**level for level in range(self.depth + 1)]
        x, finer = Block(self.width, *kind)(x), []
        for near, far in pairwise(widths):
            finer.append(x)
            x = Convolution(near, *kind[1:], stride=2)(x)
            x = Block(far, *kind)(x)
        for near, skip in zip(widths[-2::-1], finer[::-1], strict=True):
            x = Convolution(near, *kind[1:])(_repeated(x, skip.shape[1:]))
            x = Block(near, *kind)(jnp.concatenate([skip, x]))
        return x


class Block(nn.Module):
    """Two convolutions, each behind a normalisation and an activation, added to what came in."""

    features: int
    activation: str
    beyond: str
    periodic: tuple[bool, ...]

    @nn.compact
    def __call__(self, x: Any) -> Any:
        act, y = activation(self.activation), x
        for _ in range(2):
            y = act(Normalized()(y))
            y = Convolution(self.features, self.beyond, self.periodic)(y)
        return y + (x if len(x) == self.features else Pointwise(self.features)(x))


class Convolution(nn.Module):
    """(C, *n) to (features, *n) fields by the nodes beside each node; strides leave fewer."""

    features: int
    beyond: str
    periodic: tuple[bool, ...]
    stride: int = 1

    @nn.compact
    def __call__(self, x: Any) -> Any:
        dims, channels = x.ndim - 1, len(x)
        # Small, so that blocks begin near the identity: larger ones learn far more slowly.
        start = nn.initializers.variance_scaling(0.2, "fan_in", "normal", in_axis=1, out_axis=0)
        shape = (self.features, channels, *[3] * dims)
        weight = self.param("kernel", start, shape, x.dtype)
        bias = self.param("bias", nn.initializers.zeros, (self.features,), x.dtype)
        for axis, closed in enumerate(self.periodic, 1):
            one = [(1, 1) if d == axis else (0, 0) for d in range(x.ndim)]
            x = jnp.pad(x, one, mode="wrap" if closed else BEYOND[self.beyond])
        y = jax.lax.conv_general_dilated(x[None], weight, (self.stride,) * dims, "VALID")[0]
        return y + bias.reshape(-1, *[1] * dims)


class Normalized(nn.Module):
    """Groups of channels of an instance with mean zero and mean square one, times learned scales.

    After Wu & He, *Group normalization*, 2018.
    """

    @nn.compact
    def __call__(self, x: Any) -> Any:
        channels = len(x)
        grouped = x.reshape(gcd(channels, 8), -1)
        grouped = grouped - jnp.mean(grouped, axis=1, keepdims=True)
        size = jnp.sqrt(jnp.mean(grouped**2, axis=1, keepdims=True) + 1e-5)
        scale = self.param("scale", nn.initializers.ones, (channels,), x.dtype)
        bias = self.param("bias", nn.initializers.zeros, (channels,), x.dtype)
        each = (-1, *[1] * (x.ndim - 1))
        return (grouped / size).reshape(x.shape) * scale.reshape(each) + bias.reshape(each)


def _repeated(x: Any, shape: tuple[int, ...]) -> Any:
    """Each node of (C, *n) twice along each axis, cut to *shape*."""
    for axis in range(1, x.ndim):
        x = jnp.repeat(x, 2, axis=axis)
    return x[(slice(None), *(slice(0, n) for n in shape))]


def _check(shape: tuple[int, ...], depth: int) -> None:
    most = min((n - 1).bit_length() - 1 for n in shape)
    if depth > most:
        raise PinnlabError(
            f"network.depth: {depth} halvings of a grid of {' x '.join(map(str, shape))} nodes "
            f"leave an axis with less than two; at most {max(most, 0)}"
        )
