"""A constant matrix times arrays from the left, which keeps the batch where it is.

Under ``jax.vmap`` an ordinary product takes the batch among the columns, and the compiler turns
the whole field round to put it there. This one stays a batch of products, so that a transform
along an early axis reads and writes the fields as they lie.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

_left = Primitive("left")


def left(matrix: Any, x: Any) -> Any:
    r"""(\*lead, r, n) of (r, q) *matrix* and (\*lead, q, n) *x*, of the same type."""
    return _left.bind(matrix, x)


def _product(matrix: Any, x: Any) -> Any:
    flat = x.reshape(-1, *x.shape[-2:])
    matrices = jnp.broadcast_to(matrix, (flat.shape[0], *matrix.shape))
    made = jax.lax.dot_general(matrices, flat, (((2,), (1,)), ((0,), (0,))))
    return made.reshape(*x.shape[:-2], *made.shape[1:])


def _by_matrix(cotangent: Any, matrix: Any, x: Any) -> Any:
    lead = tuple(range(x.ndim - 2))
    return jnp.tensordot(cotangent, x, axes=((*lead, x.ndim - 1), (*lead, x.ndim - 1)))


def _batched(args: Any, dims: Any) -> tuple[Any, int]:
    (matrix, x), (of_matrix, of_x) = args, dims
    if of_matrix is not None:
        return jax.vmap(_product, in_axes=dims)(matrix, x), 0
    return left(matrix, jnp.moveaxis(x, of_x, 0)), 0


_left.def_impl(jax.jit(_product))
_left.def_abstract_eval(
    lambda matrix, x: jax.core.ShapedArray((*x.shape[:-2], matrix.shape[0], x.shape[-1]), x.dtype)
)
ad.defbilinear(_left, _by_matrix, lambda cotangent, matrix, x: left(matrix.T, cotangent))
batching.primitive_batchers[_left] = _batched
mlir.register_lowering(_left, mlir.lower_fun(_product, multiple_results=False))
