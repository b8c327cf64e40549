r"""The lowest waves of fields as numbers of their own, and the way back, also to another grid.

Two ways to the same numbers. ``fft`` transforms the whole field and drops what is not kept.
``dft`` multiplies with the few rows of the transform's matrix that are kept: cosines and sines
along one axis after the other, the first one first, so that fields are read as they lie, nothing is
complex, the padded spectrum never exists, and no transform is left in an exported program. Only
numbers of waves of both signs are different: they are made of the products of cosines and sines at
the end,

.. math:: e^{-i(\pm kx + ly)} = (\cos kx \mp i\sin kx)(\cos ly - i\sin ly).

Which way is faster depends on size and machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from pinnlab.core.errors import PinnlabError
from pinnlab.networks.left import left

TRANSFORMS = ("dft", "fft")


def for_axes(modes: int | tuple[int, ...], dims: int) -> tuple[int, ...]:
    """The waves of each of *dims* axes.

    Raises:
        PinnlabError: modes for another number of axes.
    """
    found = modes if isinstance(modes, tuple) else (modes,) * dims
    if len(found) != dims:
        raise PinnlabError(f"network.modes: {len(found)} numbers for {dims} axes of the grid")
    return found


def rows(modes: Sequence[int]) -> tuple[int, ...]:
    """How many waves each axis has: both signs, but for the last one."""
    return (*(2 * k for k in modes[:-1]), modes[-1])


def remaining(weight: Any, modes: Sequence[int], kept: Sequence[int]) -> Any:
    r"""Of a (\*rows, ...) *weight* for *modes*, the rows of the fewer *kept* waves."""
    for dim, (most, k) in enumerate(zip(modes, kept, strict=True)):
        if k < most:
            last = dim == len(modes) - 1
            weight = jnp.take(weight, np.arange(k) if last else _signed(k) % (2 * most), axis=dim)
    return weight


def to_waves(x: Any, modes: tuple[int, ...], transform: str) -> Any:
    r"""(\*rows, C, 2) real and imaginary amplitudes of the lowest *modes* of (\*n, C) fields.

    Of the last axis k = 0 to K - 1, of the others 0 to K - 1 and then -K to -1. An amplitude does
    not depend on the number of nodes: the constant's is the mean.
    """
    *shape, channels = x.shape
    dims = len(shape)
    if transform == "fft":
        z = jnp.fft.rfftn(x, axes=range(dims))
        for dim, k in enumerate(modes):
            kept = np.arange(k) if dim == dims - 1 else _signed(k) % shape[dim]
            z = jnp.take(z, kept, axis=dim)
        return jnp.stack([z.real, z.imag], axis=-1) / prod(shape)
    lead = 1
    for n, k in zip(shape, _pairs(modes), strict=True):
        x = left(jnp.asarray(_forward(n, k), x.dtype), x.reshape(lead, n, -1))
        lead *= 2 * k
    x = x.reshape(*(size for k in _pairs(modes) for size in (k, 2)), channels)
    return jnp.stack(_with_signs(x, modes), axis=-1)


def from_waves(z: Any, shape: tuple[int, ...], transform: str) -> Any:
    r"""(\*n, C) fields on a grid of any *shape* from the amplitudes of :func:`to_waves`.

    At least two nodes are needed for each wave.
    """
    dims = len(shape)
    modes = tuple(r if d == dims - 1 else r // 2 for d, r in enumerate(z.shape[:-2]))
    if transform == "fft":
        z = jax.lax.complex(z[..., 0], z[..., 1]) * prod(shape)
        full = jnp.zeros((*shape[:-1], shape[-1] // 2 + 1, z.shape[-1]), z.dtype)
        index = [_signed(k) % n for k, n in zip(modes[:-1], shape[:-1], strict=True)]
        full = full.at[np.ix_(*index, np.arange(modes[-1]))].set(z)
        return jnp.fft.irfftn(full, shape, axes=range(dims))
    x, channels = _without_signs(z[..., 0], z[..., 1], modes), z.shape[-2]
    after = channels
    for d in range(dims - 1, -1, -1):
        k, last = _pairs(modes)[d], d == dims - 1
        x = left(jnp.asarray(_backward(shape[d], k, last), x.dtype), x.reshape(-1, 2 * k, after))
        after *= shape[d]
    return x.reshape(*shape, channels)


def mixed(z: Any, weight: Any) -> Any:
    r"""(\*rows, C, 2) amplitudes times (\*rows, O, 2, C) weights: (\*rows, O, 2).

    As a product of real matrices with the weights as they lie, forward and backward: these are by
    far the largest array.
    """
    *kept, features, _, channels = weight.shape
    real, imaginary = z[..., 0], z[..., 1]
    both = jnp.stack([jnp.stack([real, imaginary], -1), jnp.stack([-imaginary, real], -1)], -3)
    p = jax.lax.dot_general(
        weight.reshape(-1, features, 2 * channels),
        both.reshape(-1, 2 * channels, 2),
        (((2,), (1,)), ((0,), (0,))),
    )
    return p.reshape(*kept, features, 2)


def _signed(modes: int) -> np.ndarray:
    return np.r_[0:modes, -modes:0]


def _pairs(modes: Sequence[int]) -> list[int]:
    """Waves without their sign, of each axis: 0 to K, but for the last one."""
    return [*(k + 1 for k in modes[:-1]), modes[-1]]


def _with_signs(x: Any, modes: tuple[int, ...]) -> tuple[Any, Any]:
    r"""(\*rows, C) real and imaginary parts from products (k, cos or sin, l, cos or sin, C)."""
    real, imaginary = x[..., 0, :], -x[..., 1, :]  # e^(-ily) of the last axis
    for d in range(len(modes) - 2, -1, -1):
        k, dim = modes[d], 2 * d  # behind: the axes whose signs are known
        (cos, sin), (icos, isin) = (
            [jax.lax.index_in_dim(a, part, dim + 1, keepdims=False) for part in (0, 1)]
            for a in (real, imaginary)
        )
        plus, minus = (cos + isin, icos - sin), (cos - isin, icos + sin)
        real, imaginary = (_joined(p, m, k, dim) for p, m in zip(plus, minus, strict=True))
    return real, imaginary


def _joined(plus: Any, minus: Any, k: int, dim: int) -> Any:
    """k = 0 to K - 1 of one array, -K to -1 of the other, whose rows are 0 to K."""
    plus, minus = (jax.lax.slice_in_dim(a, i, k + i, axis=dim) for i, a in enumerate((plus, minus)))
    return jnp.concatenate([plus, jnp.flip(minus, dim)], dim)


def _without_signs(real: Any, imaginary: Any, modes: tuple[int, ...]) -> Any:
    """What is to be multiplied with cosines and sines: (k, cos or sin, l, cos or sin, C)."""
    for d, k in enumerate(modes[:-1]):
        (plus, minus), (iplus, iminus) = (_apart(a, k, 2 * d) for a in (real, imaginary))
        # sum over signs of z e^(ikx): its part with the cosine, and with the sine
        real = jnp.stack([plus + minus, iminus - iplus], axis=2 * d + 1)
        imaginary = jnp.stack([iplus + iminus, plus - minus], axis=2 * d + 1)
    return jnp.stack([real, -imaginary], axis=-2)


def _apart(a: Any, k: int, dim: int) -> tuple[Any, Any]:
    """Rows 0 to K of the waves with each sign, zero where there is none."""
    ends = [[(0, 0)] * a.ndim for _ in range(2)]
    ends[0][dim], ends[1][dim] = (0, 1), (1, 0)
    plus, minus = (jax.lax.slice_in_dim(a, i * k, (i + 1) * k, axis=dim) for i in (0, 1))
    return jnp.pad(plus, ends[0]), jnp.pad(jnp.flip(minus, dim), ends[1])


@lru_cache(maxsize=128)
def _forward(n: int, waves: int) -> np.ndarray:
    """(2 waves, n): means with the cosine and with the sine of each wave."""
    turn = 2.0 * np.pi * (np.outer(np.arange(waves), np.arange(n)) % n) / n
    return np.stack([np.cos(turn), np.sin(turn)], axis=1).reshape(2 * waves, n) / n


@lru_cache(maxsize=128)
def _backward(n: int, waves: int, last: bool) -> np.ndarray:
    """(n, 2 waves): cosines and sines; waves of the last axis other than the constant and the
    shortest stand for their negatives too."""
    turn = 2.0 * np.pi * (np.outer(np.arange(n), np.arange(waves)) % n) / n
    k = np.arange(waves)
    twice = np.where(last & (k > 0) & (2 * k != n), 2.0, 1.0)[:, None]
    return (np.stack([np.cos(turn), np.sin(turn)], axis=2) * twice).reshape(n, 2 * waves)
