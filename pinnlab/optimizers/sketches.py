r"""Random maps to fewer parameters and fewer rows, for :mod:`.sketched`.

Parameters are put together in random groups with random signs, orthonormal columns G. Rows are
added with random signs into few buckets, S, so that :math:`E\,|S v|^2 = |v|^2`: the count sketch of
Clarkson & Woodruff, J. ACM 63, 2017, 54, with as many points in each bucket, some times over.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

Map = Callable[[Any], Any]


class Basis(NamedTuple):
    """Orthonormal columns G: *narrow* maps (n, P) rows to (n, k), v -> v G; *widen* p -> G p."""

    narrow: Map
    widen: Map
    size: int


class Buckets(NamedTuple):
    """Rows that are added: B buckets of m points of a term, each with its k rows.

    ``points`` (B, m) says which, ``signs`` (B, m, k) are their factors, zero where a bucket is not
    full, and ``places`` (B,) are the rows of the sketch to which the sums belong.
    """

    points: Any
    signs: Any
    places: Any


def groups(key: Any, like: Any, size: int) -> Basis:
    """A basis of *size* random groups of parameters with random signs.

    Each parameter belongs to one group; they are equal in size, but for one parameter.
    """
    size = min(size, like.size)
    deep = -(-like.size // size)
    order, signs = jax.random.split(key)
    last = deep * size - like.size  # so many groups have a place that is empty
    order = jax.random.permutation(order, like.size)
    order = jnp.concatenate([order, jnp.zeros(last, order.dtype)])
    count = jnp.where(jnp.arange(size) < size - last, deep, deep - 1).astype(like.dtype)
    sign = jax.random.rademacher(signs, (deep * size,), like.dtype)
    sign = jnp.where(jnp.arange(deep * size) < like.size, sign, 0.0)
    factor = sign / jnp.tile(jnp.sqrt(count), deep)

    def narrow(rows: Any) -> Any:
        sorted_ = jnp.take(rows, order, axis=1) * factor[None]
        return jnp.sum(sorted_.reshape(-1, deep, size), axis=1)

    def widen(p: Any) -> Any:
        return jnp.zeros_like(like).at[order].add(factor * jnp.tile(p, deep))

    return Basis(narrow, widen, size)


def sketches(
    key: Any, sizes: Sequence[tuple[int, int]], rows: int, hashes: int, dtype: Any
) -> tuple[int, list[Buckets]]:
    """The rows of a sketch, *rows* at most, and the buckets of each term.

    *sizes* are the points of each term and the rows of a point. Where there is room, each row is
    by itself and nothing is added.
    """
    total = sum(points * each for points, each in sizes)
    if total > rows:
        keys = jax.random.split(key, len(sizes))
        pairs = zip(keys, sizes, strict=True)
        return rows, [_mixed(key, *size, rows, hashes, dtype) for key, size in pairs]
    firsts = accumulate((points * each for points, each in sizes), initial=0)
    return total, [_alone(*size, first, dtype) for size, first in zip(sizes, firsts, strict=False)]


def _mixed(key: Any, points: int, each: int, rows: int, hashes: int, dtype: Any) -> Buckets:
    """A term's points, evenly in as many buckets as there are or may be; again for each hash."""
    used = min(points, rows)
    deep = -(-points // used)

    def draw(key: Any) -> Buckets:
        order, signs, places = jax.random.split(key, 3)
        order = jax.random.permutation(order, used * deep).reshape(used, deep)
        sign = jax.random.rademacher(signs, (used, deep, each), dtype) * hashes**-0.5
        sign = jnp.where((order < points)[:, :, None], sign, 0.0)
        places = jax.random.permutation(places, rows)[:used]
        return Buckets(jnp.minimum(order, points - 1), sign, places)

    drawn = jax.vmap(draw)(jax.random.split(key, hashes))
    return Buckets(*(leaf.reshape(-1, *leaf.shape[2:]) for leaf in drawn))


def _alone(points: int, each: int, first: int, dtype: Any) -> Buckets:
    """A bucket for every row, in order, from the sketch's row *first* on."""
    signs = jnp.tile(jnp.eye(each, dtype=dtype)[:, None], (points, 1, 1))
    places = first + jnp.arange(points * each)
    return Buckets(jnp.repeat(jnp.arange(points), each)[:, None], signs, places)
