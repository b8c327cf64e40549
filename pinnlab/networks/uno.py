"""U-shaped neural operator: spectral layers that give their fields on coarser and finer grids."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
import numpy as np

from pinnlab.networks.layers import activation
from pinnlab.networks.pointwise import Pointwise, continued
from pinnlab.networks.spectral import SpectralConvolution
from pinnlab.networks.spectrum import for_axes
from pinnlab.networks.stack import projected


class Uno(nn.Module):
    r"""Fourier layers on ever coarser grids and back, with paths between layers of one grid:

    .. math:: v_{l+1} = \sigma(\mathcal K_l v_l + W_l P_l v_l + b_l)

    where the spectral convolution K gives its waves on the layer's grid, and P resamples: with all
    waves that both grids bear on periodic axes, by averages over neighbours on others. Each halving
    of the grid doubles the channels and halves the waves. After Rahman, Ross & Azizzadenesheli,
    *U-NO: U-shaped neural operators*, TMLR 2023.

    Attributes:
        width: channels on the finest grid; 16 to 32.
        depth: halvings of the grid; 2 or 3. There are 2 depth + 1 layers.
        modes: waves kept on every axis, or on each, on the finest grid; 12 to 32.
        hidden, padding, activation, transform: as for :class:`~pinnlab.networks.Fno`.
        outputs, periodic: set by the model.

    Raises:
        PinnlabError: modes for another number of axes, or a name that does not exist.
    """

    width: int = 24
    depth: int = 2
    modes: int | tuple[int, ...] = 16
    hidden: int = 0
    padding: float = 0.25
    activation: str = "gelu"
    transform: str = "auto"
    outputs: int = 1
    periodic: tuple[bool, ...] = ()

    @nn.compact
    def __call__(self, x: Any) -> Any:
        act, shape = activation(self.activation), x.shape[:-1]
        modes = for_axes(self.modes, len(shape))
        closed = self.periodic or (True,) * len(shape)
        transform = "dft" if self.transform == "auto" else self.transform
        x = continued(x, closed, self.padding)
        grids = [tuple(max(2, -(-n // 2**k)) for n in x.shape[:-1]) for k in range(self.depth + 1)]
        waves = [tuple(max(1, -(-m // 2**k)) for m in modes) for k in range(self.depth + 1)]

        def layer(x: Any, level: int, coarser: int) -> Any:
            features, grid = self.width * 2**level, grids[level]
            y = SpectralConvolution(features, waves[coarser], transform, grid)(x)
            return Pointwise(features)(resampled(x, grid, closed), y, act)

        x, finer = layer(Pointwise(self.width)(x), 0, 0), []
        for _, level in pairwise(range(self.depth + 1)):
            finer.append(x)
            x = layer(x, level, level)
        for level in range(self.depth - 1, -1, -1):
            x = jnp.concatenate([layer(x, level, level + 1), finer[level]], axis=-1)
        return projected(self, x[tuple(slice(0, n) for n in shape)])


def resampled(x: Any, grid: tuple[int, ...], closed: tuple[bool, ...]) -> Any:
    r"""(\*n, C) fields on another *grid* of the same intervals, whose first nodes agree."""
    for dim, (n, m, goes_round) in enumerate(zip(x.shape[:-1], grid, closed, strict=True)):
        if n != m:
            matrix = jnp.asarray((_trigonometric if goes_round else _averages)(n, m), x.dtype)
            x = jnp.moveaxis(jnp.tensordot(x, matrix, axes=(dim, 0)), -1, dim)
    return x


def _offsets(n: int, m: int) -> np.ndarray:
    """(n, m) distances from nodes to nodes, as shares of the interval, the short way round."""
    apart = np.arange(n)[:, None] / n - np.arange(m) / m
    return apart - np.round(apart)


@lru_cache(maxsize=128)
def _trigonometric(n: int, m: int) -> np.ndarray:
    """(n, m): all waves that both grids bear."""
    fewer, turn = min(n, m), 2.0 * np.pi * _offsets(n, m)
    kernel = 1.0 + 2.0 * sum(np.cos(k * turn) for k in range(1, (fewer + 1) // 2))
    return (kernel + (fewer % 2 == 0) * np.cos(fewer // 2 * turn)) / n


@lru_cache(maxsize=128)
def _averages(n: int, m: int) -> np.ndarray:
    """(n, m): weights that fall linearly to zero within a cell of the coarser grid."""
    hats: np.ndarray = np.maximum(0.0, 1.0 - min(n, m) * np.abs(_offsets(n, m)))
    return hats / hats.sum(axis=0)
