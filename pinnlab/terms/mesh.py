"""Tensor products of points: batches for models that are evaluated on them.

A batch is a mesh if it has an axis's coordinates along one dimension each, all of as many
dimensions as there are axes, like ``numpy.ix_``: of n points along each of d axes it holds d n
numbers and stands for N = n^d points. What a training adds to the points (names with an
underscore) are (N,) columns, as are all of any other batch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import jax.numpy as jnp

from pinnlab.terms.base import Batch, Term

Draw = Callable[[int, int], Any]  # number of the axis and n -> (n,) points of the unit interval


def is_mesh(columns: Batch) -> bool:
    """Whether *columns* are a tensor product of points, not a list of them."""
    places = _places(columns)
    return len(places) > 1 and all(
        c.ndim == len(places) and c.size == max(c.shape) for c in places.values()
    )


def count(columns: Batch) -> int:
    """The number of points."""
    if is_mesh(columns):
        return prod(c.size for c in _places(columns).values())
    return next(iter(columns.values())).shape[0]


def mesh_of(term: Term, axes: Sequence[str], points: int, draw: Draw, reach: float) -> Batch:
    """A mesh of about *points* points for a term that fills a box, as many along each axis."""
    n = max(1, round(points ** (1.0 / len(term.box))))
    unit = jnp.stack([draw(i, n) for i in range(len(term.box))], axis=1)
    columns, mesh = term.place(unit, reach), {}
    for i, axis in enumerate(axes):
        own = columns[axis] if axis in term.box else columns[axis][:1]  # one where the box is flat
        mesh[axis] = own.reshape([-1 if j == i else 1 for j in range(len(axes))])
    return mesh


def listed(columns: Batch) -> Batch:
    """The (N,) columns of all points of a mesh; other columns as they are."""
    if not is_mesh(columns):
        return columns
    places = _places(columns)
    full = jnp.broadcast_arrays(*places.values())
    return {**columns, **{axis: c.reshape(-1) for axis, c in zip(places, full, strict=True)}}


def _places(columns: Batch) -> Batch:
    """The coordinates, without what a training adds to the points."""
    return {name: c for name, c in columns.items() if not name.startswith("_")}
