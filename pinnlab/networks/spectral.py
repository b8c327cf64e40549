r"""Spectral convolution: a linear map of channels for each of the lowest waves of a field.

.. math:: (\mathcal K v)_o(x) = \sum_{|k_i| \le K_i} \sum_c R_{k,c,o}\,\hat v_c(k)\,e^{ik\cdot x}

Two ways to the same numbers. ``fft`` transforms the whole field and drops what is not kept.
``dft`` multiplies with the few rows of the transform's matrix that are kept: real and imaginary
part side by side, one matrix product an axis, so that nothing is complex, the padded spectrum never
exists, and no transform is left in an exported program. Which is faster depends on size and
machine. Reference: Li et al., *Fourier neural operator for parametric partial differential
equations*, ICLR 2021.

The order of axes follows from how derivatives of products are taken: one that contracts the last
axes of a field has a transpose that does the same, and neither turns a field round. Channels that
come last are mixed as one product over all nodes of all instances of a batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from pinnlab.core.errors import PinnlabError, choose

TRANSFORMS = ("dft", "fft")
# Parts of a product of complex numbers by those of its factors.
_PRODUCT = np.asarray([[[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [-1.0, 0.0]]])


class SpectralConvolution(nn.Module):
    """(C, *n) fields to (features, *n) ones by their lowest waves.

    Attributes:
        features: channels of the answer.
        modes: waves kept on each axis; on a grid with fewer, those that it has.
        transform: ``dft`` or ``fft``.
        last: whether fields are (*n, C), which is faster in a batch.

    Raises:
        PinnlabError: an unknown transform, or modes for another number of axes.
    """

    features: int
    modes: tuple[int, ...]
    transform: str = "dft"
    last: bool = False

    @nn.compact
    def __call__(self, x: Any) -> Any:
        channels = x.shape[-1 if self.last else 0]
        shape = x.shape[:-1] if self.last else x.shape[1:]
        if len(self.modes) != len(shape):
            raise PinnlabError(
                f"network.modes: {len(self.modes)} numbers for {len(shape)} axes of the grid"
            )
        choose("transform (network.transform)", self.transform, TRANSFORMS)
        sizes = _rows(self.modes)
        start = nn.initializers.normal((2.0 * channels * self.features) ** -0.5)
        full = self.param("weight", start, (*sizes, channels, self.features, 2), x.dtype)
        kept = tuple(min(k, n // 2) for k, n in zip(self.modes, shape, strict=True))
        weight = full
        for dim, (most, k) in enumerate(zip(self.modes, kept, strict=True)):
            if k < most:
                rows = (
                    np.arange(k) if dim == len(shape) - 1 else np.r_[0:k, 2 * most - k : 2 * most]
                )
                weight = jnp.take(weight, rows, axis=dim)
        return convolve(x, weight, kept, self.transform, self.last)


def convolve(x: Any, weight: Any, modes: Sequence[int], transform: str, last: bool = False) -> Any:
    """Multiply the waves of (C, *n) *x* with (*rows, C, features, 2) real and imaginary weights.

    *modes* waves are kept on each axis: k = 0 to K - 1 of the last, -K to K - 1 of the others.
    Where channels are *last*, *x* and the answer have them behind the axes of the grid.
    """
    if transform == "dft":
        return _by_dft(x, weight, tuple(modes), last)
    if last:
        return jnp.moveaxis(_by_fft(jnp.moveaxis(x, -1, 0), weight, tuple(modes)), 0, -1)
    return _by_fft(x, weight, tuple(modes))


def _by_fft(x: Any, weight: Any, modes: tuple[int, ...]) -> Any:
    axes = tuple(range(1, x.ndim))
    spectrum = jnp.fft.rfftn(x, axes=axes)
    for dim, (k, n) in enumerate(zip(modes, spectrum.shape[1:], strict=True), 1):
        last = dim == x.ndim - 1
        rows = np.arange(k) if last else np.r_[0:k, n - k : n]
        spectrum = jnp.take(spectrum, rows, axis=dim)
    mixed = _mixed_complex(spectrum, weight)
    full = jnp.zeros((mixed.shape[0], *x.shape[1:-1], x.shape[-1] // 2 + 1), mixed.dtype)
    index = np.ix_(
        *[
            np.arange(k) if i == len(modes) - 1 else np.r_[0:k, n - k : n]
            for i, (k, n) in enumerate(zip(modes, full.shape[1:], strict=True))
        ]
    )
    return jnp.fft.irfftn(full.at[(slice(None), *index)].set(mixed), x.shape[1:], axes=axes)


def _mixed_complex(spectrum: Any, weight: Any) -> Any:
    letters = "klmn"[: spectrum.ndim - 1]
    product = f"c{letters},{letters}co->o{letters}"
    return jnp.einsum(product, spectrum, jax.lax.complex(weight[..., 0], weight[..., 1]))


def _by_dft(x: Any, weight: Any, modes: tuple[int, ...], last: bool) -> Any:
    """Axis after axis, the last one first; pairs of real and imaginary part stay behind.

    The product of complex numbers is left open: the four products of real numbers are summed by
    the first matrix on the way back, so that no copy of the weights is made.
    """
    dims, dtype = len(modes), x.dtype
    x = jnp.swapaxes(x, -1, -2) if last else x  # the grid's last axis is the last one
    shape = (*(x.shape[:-2] if last else x.shape[1:-1]), x.shape[-1])
    z = jnp.tensordot(x, _constant(_real_forward, shape[-1], modes[-1], dtype), 1)
    for n, k in zip(shape[:-1], modes[:-1], strict=True):
        matrix = _constant(_complex_forward, n, k, dtype)
        z = jnp.tensordot(z, matrix, axes=([0 if last else 1, z.ndim - 1], [0, 1]))
    # (C, waves of the last axis, of the others in their order, 2)
    z = jnp.transpose(z, (*range(2, dims + 1), 1, dims + 1, 0))
    waves = tuple(range(dims))
    z = jax.lax.dot_general(z, weight, (((dims + 1,), (dims,)), (waves, waves)))
    if dims == 1:
        z = jnp.tensordot(
            z, _constant(_open_real, shape[0], modes[0], dtype), ((0, 1, 3), (0, 1, 2))
        )
        return z.T if last else z
    matrix = _constant(_open_complex, shape[0], modes[0], dtype)
    z = jnp.tensordot(z, matrix, axes=((0, dims, dims + 2), (0, 1, 2)))
    for n, k in zip(shape[1:-1], modes[1:-1], strict=True):
        matrix = _constant(_complex_backward, n, k, dtype)
        z = jnp.tensordot(z, matrix, axes=((0, z.ndim - 1), (0, 1)))
    # (waves of the last axis, features, the other axes, 2)
    order = (*range(2, dims + 1), 1) if last else range(1, dims + 1)
    z = jnp.transpose(z, (*order, 0, dims + 1))
    z = jnp.tensordot(z, _constant(_real_backward, shape[-1], modes[-1], dtype), 2)
    return jnp.swapaxes(z, -1, -2) if last else z


def _constant(make: Any, n: int, modes: int, dtype: Any) -> Any:
    return jnp.asarray(make(n, modes), dtype)


def _rows(modes: Sequence[int]) -> tuple[int, ...]:
    """The waves of each axis: both signs, but for the last one."""
    return (*(2 * k for k in modes[:-1]), modes[-1])


def _signed(modes: int) -> np.ndarray:
    return np.r_[0:modes, -modes:0]


@lru_cache(maxsize=128)
def _real_forward(n: int, modes: int) -> np.ndarray:
    """(n, K, 2)."""
    turn = 2.0 * np.pi * (np.outer(np.arange(n), np.arange(modes)) % n) / n
    return np.stack([np.cos(turn), -np.sin(turn)], axis=-1)


@lru_cache(maxsize=128)
def _real_backward(n: int, modes: int) -> np.ndarray:
    """(K, 2, n); waves other than the constant and the last one stand for their negatives too."""
    turn = 2.0 * np.pi * (np.outer(np.arange(modes), np.arange(n)) % n) / n
    twice = np.where((np.arange(modes) == 0) | (2 * np.arange(modes) == n), 1.0, 2.0)[:, None] / n
    return np.stack([twice * np.cos(turn), -twice * np.sin(turn)], axis=1)


@lru_cache(maxsize=128)
def _complex_forward(n: int, modes: int) -> np.ndarray:
    """(n, 2, 2K, 2): from pairs to pairs."""
    turn = 2.0 * np.pi * (np.outer(np.arange(n), _signed(modes)) % n) / n
    c, s = np.cos(turn), np.sin(turn)
    return np.stack([np.stack([c, -s], -1), np.stack([s, c], -1)], axis=1)


@lru_cache(maxsize=128)
def _complex_backward(n: int, modes: int) -> np.ndarray:
    """(2K, 2, n, 2)."""
    turn = 2.0 * np.pi * (np.outer(_signed(modes), np.arange(n)) % n) / n
    c, s = np.cos(turn) / n, np.sin(turn) / n
    return np.stack([np.stack([c, s], -1), np.stack([-s, c], -1)], axis=1)


@lru_cache(maxsize=128)
def _open_real(n: int, modes: int) -> np.ndarray:
    """(K, 2, 2, n): from products of an amplitude's and a weight's parts."""
    return np.einsum("rst,ktn->krsn", _PRODUCT, _real_backward(n, modes))


@lru_cache(maxsize=128)
def _open_complex(n: int, modes: int) -> np.ndarray:
    """(2K, 2, 2, n, 2)."""
    return np.einsum("rst,ktnu->krsnu", _PRODUCT, _complex_backward(n, modes))
