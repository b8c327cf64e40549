"""U-Net: convolutions on ever coarser grids and back, beside paths that keep what is fine."""

from __future__ import annotations

from itertools import pairwise
from math import gcd
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from pinnlab.core.errors import PinnlabError, choose
from pinnlab.networks.layers import activation
from pinnlab.networks.pointwise import Pointwise

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
        kind = (self.activation, self.beyond, self.periodic)
        return Pointwise(self.outputs)(UShape(self.width, self.depth, 2, *kind)(x))


class UShape(nn.Module):
    """The same from (*n, C) to (*n, width) fields, a part of other networks.

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
        _check(x.shape[:-1], self.depth)
        kind = (self.activation, self.beyond, self.periodic or (True,) * (x.ndim - 1))
        widths = [self.width * self.growth**level for level in range(self.depth + 1)]
        x, finer = Block(self.width, *kind)(x), []
        for near, far in pairwise(widths):
            finer.append(x)
            x = Convolution(near, *kind[1:], stride=2)(x)
            x = Block(far, *kind)(x)
        for near, skip in zip(widths[-2::-1], finer[::-1], strict=True):
            x = Convolution(near, *kind[1:])(_repeated(x, skip.shape[:-1]))
            x = Block(near, *kind)(jnp.concatenate([skip, x], axis=-1))
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
        return y + (x if x.shape[-1] == self.features else Pointwise(self.features)(x))


class Convolution(nn.Module):
    """(*n, C) to (*n, features) fields by the nodes beside each node; strides leave fewer."""

    features: int
    beyond: str
    periodic: tuple[bool, ...]
    stride: int = 1

    @nn.compact
    def __call__(self, x: Any) -> Any:
        dims, channels = x.ndim - 1, x.shape[-1]
        # Small, so that blocks begin near the identity: larger ones learn far more slowly.
        start = nn.initializers.variance_scaling(0.2, "fan_in", "normal", in_axis=-2, out_axis=-1)
        shape = (*[3] * dims, channels, self.features)
        weight = self.param("kernel", start, shape, x.dtype)
        bias = self.param("bias", nn.initializers.zeros, (self.features,), x.dtype)
        for axis, closed in enumerate(self.periodic):
            one = [(1, 1) if d == axis else (0, 0) for d in range(x.ndim)]
            x = jnp.pad(x, one, mode="wrap" if closed else BEYOND[self.beyond])
        space = "XYZ"[:dims]
        layout = (f"N{space}C", f"{space}IO", f"N{space}C")
        strides = (self.stride,) * dims
        y = jax.lax.conv_general_dilated(
            x[None], weight, strides, "VALID", dimension_numbers=layout
        )
        return y[0] + bias.reshape(*[1] * dims, -1)


class Normalized(nn.Module):
    """Groups of channels of an instance with mean zero and mean square one, times learned scales.

    After Wu & He, *Group normalization*, 2018.
    """

    @nn.compact
    def __call__(self, x: Any) -> Any:
        channels = x.shape[-1]
        grouped = x.reshape(-1, gcd(channels, 8), channels // gcd(channels, 8))
        grouped = grouped - jnp.mean(grouped, axis=(0, 2), keepdims=True)
        size = jnp.sqrt(jnp.mean(grouped**2, axis=(0, 2), keepdims=True) + 1e-5)
        scale = self.param("scale", nn.initializers.ones, (channels,), x.dtype)
        bias = self.param("bias", nn.initializers.zeros, (channels,), x.dtype)
        each = (*[1] * (x.ndim - 1), -1)
        return (grouped / size).reshape(x.shape) * scale.reshape(each) + bias.reshape(each)


def _repeated(x: Any, shape: tuple[int, ...]) -> Any:
    """Each node of (*n, C) twice along each axis, cut to *shape*."""
    for axis in range(x.ndim - 1):
        x = jnp.repeat(x, 2, axis=axis)
    return x[tuple(slice(0, n) for n in shape)]


def _check(shape: tuple[int, ...], depth: int) -> None:
    most = min((n - 1).bit_length() - 1 for n in shape)
    if depth > most:
        raise PinnlabError(
            f"network.depth: {depth} halvings of a grid of {' x '.join(map(str, shape))} nodes "
            f"leave an axis with less than two; at most {max(most, 0)}"
        )
