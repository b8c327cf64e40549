"""Gradients of means, summed over pieces of the points.

A gradient over all points at once keeps every layer's values for every point: 50 MB for 4,096
points of a second-order residual and 5 x 64 units in single precision. Where a process has one core
to itself, pieces of 128 points stay in that core's cache and take two thirds of the time
(``experiments/adam_step``). On several cores XLA divides each operation among them, which needs
large pieces; they are kept below the size from which the C library returns memory to the system
after every call. Accelerators take all points at once.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.core import jaxprs_in_params

from pinnlab.terms.base import Batch

# Bytes of all values that the rows of a piece make; about half are live at once in their gradient.
_ONE_CORE, _SEVERAL_CORES = 7 << 19, 7 << 23
_FEWEST = 128  # points in a piece; fewer starve the matrix products of wide networks


def piece_size(row: Callable[[Batch], Any], columns: Batch) -> int:
    """How many of the (N,) points to take at once; N where the whole is best.

    It follows from the number of cores and from what *row* computes at one point; nothing is
    timed, so that a run resumed on the same machine adds up in the same order.
    """
    count = _count(columns)
    if jax.default_backend() != "cpu":
        return count
    point = {name: jax.ShapeDtypeStruct(c.shape[1:], c.dtype) for name, c in columns.items()}
    room = _ONE_CORE if _cores() == 1 else _SEVERAL_CORES
    most = max(_FEWEST, room // max(1, _bytes(jax.make_jaxpr(row)(point).jaxpr)))
    if count <= most:
        return count
    even = (size for size in range(most, most // 2, -1) if count % size == 0)
    return next(even, count // -(-count // most))


def mean_and_grad(
    mean: Callable[[Any, Batch], Any], params: Any, columns: Batch, size: int
) -> tuple[Any, Any]:
    """``mean(params, columns)``, a mean over (N,) points, and its gradient, in pieces of *size*.

    The few points that equal pieces leave over are a piece of their own.
    """
    value_and_grad, count = jax.value_and_grad(mean), _count(columns)
    if count <= size:
        return value_and_grad(params, columns)
    even = count - count % size
    parts = {name: c[:even].reshape(-1, size, *c.shape[1:]) for name, c in columns.items()}
    like = jax.eval_shape(value_and_grad, params, {name: c[0] for name, c in parts.items()})
    zero = jax.tree.map(lambda made: jnp.zeros(made.shape, made.dtype), like)

    def add(total: Any, part: Batch) -> tuple[Any, None]:
        return jax.tree.map(jnp.add, total, value_and_grad(params, part)), None

    sums, _ = jax.lax.scan(add, zero, parts)
    means = jax.tree.map(lambda s: s * (size / count), sums)
    if even == count:
        return means
    rest = value_and_grad(params, {name: c[even:] for name, c in columns.items()})
    return jax.tree.map(lambda m, r: m + r * ((count - even) / count), means, rest)


def _cores() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _count(columns: Batch) -> int:
    return next(iter(columns.values())).shape[0]


def _bytes(jaxpr: Any) -> int:
    """The size of all values that a computation makes, those of inner ones included."""
    total = 0
    for step in jaxpr.eqns:
        inner = list(jaxprs_in_params(step.params))
        made = [v.aval.size * v.aval.dtype.itemsize for v in step.outvars]
        total += sum(map(_bytes, inner)) if inner else sum(made)
    return total
