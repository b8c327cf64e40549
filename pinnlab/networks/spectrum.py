"""The lowest waves of a field as numbers of their own, and the way back, also to another grid."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from pinnlab.core.errors import PinnlabError
from pinnlab.networks.spectral import (
    _complex_backward,
    _complex_forward,
    _constant,
    _real_backward,
    _real_forward,
    _signed,
)


def for_axes(modes: int | tuple[int, ...], dims: int) -> tuple[int, ...]:
    """The waves of each of *dims* axes.

    Raises:
        PinnlabError: modes for another number of axes.
    """
    found = modes if isinstance(modes, tuple) else (modes,) * dims
    if len(found) != dims:
        raise PinnlabError(f"network.modes: {len(found)} numbers for {dims} axes of the grid")
    return found


def remaining(modes: Sequence[int], kept: Sequence[int], dim: int) -> np.ndarray:
    """Which rows of the weights for *modes* are those of the fewer *kept* waves of axis *dim*."""
    if dim == len(modes) - 1:
        return np.arange(kept[dim])
    return _signed(kept[dim]) % (2 * modes[dim])


def to_waves(x: Any, modes: tuple[int, ...], transform: str) -> Any:
    r"""(C, \*rows, 2) real and imaginary amplitudes of the lowest *modes* of (C, \*n) fields.

    Rows are as those of :func:`~pinnlab.networks.spectral.convolve`. An amplitude does not depend
    on the number of nodes: the constant's is the mean.
    """
    shape, dims = x.shape[1:], x.ndim - 1
    if transform == "fft":
        z = jnp.fft.rfftn(x, axes=range(1, dims + 1))
        for dim, k in enumerate(modes):
            rows = np.arange(k) if dim == dims - 1 else _signed(k) % shape[dim]
            z = jnp.take(z, rows, axis=dim + 1)
        return jnp.stack([z.real, z.imag], axis=-1) / prod(shape)
    z = jnp.tensordot(x, _constant(_real_forward, shape[-1], modes[-1], x.dtype), 1)
    for dim in range(dims - 1):
        matrix = _constant(_complex_forward, shape[dim], modes[dim], x.dtype)
        z = jnp.moveaxis(jnp.tensordot(z, matrix, axes=([dim + 1, dims + 1], [0, 1])), -2, dim + 1)
    return z / prod(shape)


def from_waves(z: Any, shape: tuple[int, ...], transform: str) -> Any:
    r"""(C, \*n) fields on a grid of any *shape* from the amplitudes of :func:`to_waves`.

    At least two nodes are needed for each wave.
    """
    dims = len(shape)
    modes = tuple(r if d == dims - 1 else r // 2 for d, r in enumerate(z.shape[1:-1]))
    z = z * prod(shape)
    if transform == "fft":
        full = jnp.zeros((len(z), *shape[:-1], shape[-1] // 2 + 1), jax.lax.complex(z, z).dtype)
        rows = [_signed(k) % n for k, n in zip(modes[:-1], shape[:-1], strict=True)]
        index = np.ix_(*rows, np.arange(modes[-1]))
        full = full.at[(slice(None), *index)].set(jax.lax.complex(z[..., 0], z[..., 1]))
        return jnp.fft.irfftn(full, shape, axes=range(1, dims + 1))
    for dim in range(dims - 1):
        matrix = _constant(_complex_backward, shape[dim], modes[dim], z.dtype)
        z = jnp.moveaxis(jnp.tensordot(z, matrix, axes=([dim + 1, dims + 1], [0, 1])), -2, dim + 1)
    return jnp.tensordot(z, _constant(_real_backward, shape[-1], modes[-1], z.dtype), 2)


def mixed(z: Any, weight: Any) -> Any:
    r"""(C, \*rows, 2) amplitudes times (\*rows, C, O, 2) weights: (O, \*rows, 2)."""
    letters = "klmn"[: z.ndim - 2]
    both = jnp.stack([weight, jnp.stack([-weight[..., 1], weight[..., 0]], -1)], -2)
    return jnp.einsum(f"c{letters}r,{letters}cors->o{letters}s", z, both)
