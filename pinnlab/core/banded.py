"""Constant matrices applied along one dimension of an array."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


class Operator:
    """A constant matrix, kept by its diagonals (around the ends, too) where it is banded."""

    def __init__(self, matrix: np.ndarray):
        self.matrix = matrix
        rows, n = np.arange(len(matrix)), matrix.shape[1]
        row, column = np.nonzero(matrix)
        shifts = [int(s) for s in np.unique((column - row + n // 2) % n - n // 2)]
        # Below 128 nodes one small product compiles faster and runs as fast.
        self.banded = n >= 128 and len(shifts) <= n // 4
        self.diagonals = {s: matrix[rows, (rows + s) % n] for s in shifts if self.banded}


def others(ndim: int, dim: int) -> tuple[int, ...]:
    """All dimensions of an array but *dim*."""
    return tuple(i for i in range(ndim) if i != dim % ndim)


def apply(operator: Operator, values: Any, dim: int) -> Any:
    """The product of an operator with *values* along their dimension *dim*."""
    if not operator.banded:
        matrix = jnp.asarray(operator.matrix, values.dtype)
        return jnp.moveaxis(jnp.tensordot(matrix, values, axes=(1, dim)), 0, dim)
    (m, n), shifts = operator.matrix.shape, operator.diagonals
    before, after = max(0, -min(shifts)), max(0, max(shifts)) + max(0, m - n)
    take = partial(jax.lax.slice_in_dim, axis=dim)
    around = jnp.concatenate(
        [take(values, n - before, n), values, take(values, 0, after)], axis=dim
    )
    rest = others(values.ndim, dim)
    return sum(
        jnp.asarray(np.expand_dims(diagonal, rest), values.dtype)
        * take(around, before + shift, before + shift + m)
        for shift, diagonal in shifts.items()
    )
