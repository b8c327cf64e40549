r"""Gauss-Newton on a small sketch of the Jacobian, which serves a whole set of trust regions.

.. math:: \min_p\ 2\,(G^\top J^\top r)\cdot p + |S J G\,p|^2 \quad\text{over}\quad |p| \le \Delta,
    \qquad \delta = G p

The columns of G are random groups of parameters, each with random signs: they are orthonormal, so
that :math:`|\delta| = |p|`. S adds the rows into few buckets, with random signs. Both are drawn
anew for each step. One singular value decomposition of S J G serves all radii. The loss is
evaluated at each of them, and the largest that still keeps a little of its promise is taken: it is
the middle of the next set. The slope is that of all rows, so that the sketch bends the step but
does not move the minimum. A row of S J is the gradient of a signed sum of rows: all of S J costs
about two gradients of the loss, and J is never made.

After Webb, Jerad & Cartis, arXiv:2607.02194, who sketch both sides and choose the radius in this
way, with a subsampled cosine transform for G; groups are cheaper and served as well (measured). A
true slope beside a sketched matrix is due to Pilanci & Wainwright, J. Mach. Learn. Res. 17, 2016.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.flatten_util import ravel_pytree

from pinnlab.core.errors import PinnlabError
from pinnlab.optimizers.base import Objective, Optimizer, value_and_grad
from pinnlab.optimizers.sketches import Basis, Buckets, Map, groups, sketches

_KEPT = 0.075  # the share of the promised decrease that a step has to keep
_BISECTIONS = 60
# Bytes of gradients that are made at once: what stays in a core's cache; more on an accelerator
_CACHED, _WIDE = 1 << 20, 1 << 28


@dataclass(frozen=True)
class SketchedGaussNewton(Optimizer):
    """Trust-region Gauss-Newton on random subspaces; for 3,000 to 30,000 parameters.

    Arguments:
        directions: of the subspace; as many as the Jacobian has singular values that count.
        rows: of the sketch, some times the directions; no more than these are not sketched.
        hashes: buckets that each row is added to; each costs a gradient.
        radii: tried in a step.
        spread: factor from the last radius to the largest and the smallest that are tried.
        radius: the first one, relative to the length of the parameters.
        chunk: steps compiled into one call.

    Raises:
        PinnlabError: a size below one, a spread of one or less, or a radius that is not positive.
    """

    directions: int = 400
    rows: int = 1200
    hashes: int = 1
    radii: int = 8
    spread: float = 3.0
    radius: float = 0.1
    chunk: int = 5

    def __post_init__(self) -> None:
        for name in ("directions", "rows", "hashes", "radii"):
            if getattr(self, name) < 1:
                raise PinnlabError(f"optimizer.{name}: {getattr(self, name)} must be at least 1")
        if self.spread <= 1 or self.radius <= 0:
            raise PinnlabError(
                "optimizer: spread must be above 1 and radius above 0; "
                f"got {self.spread} and {self.radius}"
            )

    def init(self, params: Any) -> Any:
        length = _length(ravel_pytree(params)[0])
        return {"radius": self.radius * length, "count": jnp.zeros((), jnp.int32)}

    def memory(self, rows: int, parameters: int, itemsize: int) -> int:
        """Some gradients, with what is sorted of them; the small matrix and its factors; the steps
        that are tried, and the basis."""
        size, kept = min(self.directions, parameters), min(self.rows, rows)
        piece = 3 * min(kept, _at_once(parameters * itemsize)) * parameters
        dense = piece + 4 * kept * size + 4 * size**2 + (self.radii + 6) * parameters
        return super().memory(rows, parameters, itemsize) + dense * itemsize

    def step(
        self, objective: Objective, params: Any, state: Any, batch: Any, weights: Any
    ) -> tuple[Any, Any, Any]:
        flat, unravel = ravel_pytree(params)

        def loss_at(step: Any) -> Any:
            return objective.loss(unravel(flat + step), batch, weights)

        seed, other = jax.random.split(jax.random.fold_in(jax.random.key(0), state["count"]))
        basis, listed = groups(seed, flat, self.directions), _listed(batch)
        sizes = (
            _sizes(objective, params, batch, weights)
            if listed
            else ((jax.eval_shape(objective.rows, params, batch, weights).size, 1),)
        )
        rows, drawn = sketches(other, sizes, self.rows, self.hashes, flat.dtype)
        system = by_points if listed else by_products
        loss, slope, matrix = system(objective, params, batch, weights, basis, rows, drawn)
        values, axes = right_singular(matrix)
        slope = axes @ slope
        spread = jnp.geomspace(1.0 / self.spread, self.spread, self.radii, dtype=flat.dtype)
        inner = at_radii(values, slope, state["radius"] * spread)
        promised = -2.0 * inner @ slope - jnp.sum((inner * values[None]) ** 2, axis=1)
        steps = jax.vmap(basis.widen)(inner @ axes)
        choice, good = chosen(loss, _each(loss_at, steps), promised)
        # A promise that rounding hides is no reason for a smaller radius, which new points meet.
        hidden = jnp.max(promised) < 10.0 * jnp.finfo(flat.dtype).eps * loss
        refused = jnp.where(hidden, state["radius"], state["radius"] / self.spread)
        radius = jnp.where(good, jnp.linalg.norm(inner[choice]), refused)
        least = jnp.finfo(flat.dtype).eps * _length(flat)
        new = {"radius": jnp.maximum(radius, least), "count": state["count"] + 1}
        return unravel(jnp.where(good, flat + steps[choice], flat)), new, loss


def by_points(
    objective: Objective,
    params: Any,
    batch: Mapping[str, Any],
    weights: Any,
    basis: Basis,
    rows: int,
    drawn: Sequence[Buckets],
) -> tuple[Any, Any, Any]:
    """The loss, G'J'r and S J G of *rows* rows, from gradients of sums of rows.

    The loss is a mean over the points of a term: the rows of m of its n points by themselves are
    larger by the root of n/m.
    """
    flat, unravel = ravel_pytree(params)
    loss, slope = value_and_grad(objective, params, batch, weights)
    matrix = jnp.zeros((rows, basis.size), flat.dtype)
    for (name, columns), (points, signs, places) in zip(batch.items(), drawn, strict=True):
        larger = (_count(columns) / points.shape[1]) ** 0.5

        def total(theta: Any, part: Any, signs: Any, name: str = name) -> Any:
            found = objective.rows(unravel(theta), {name: part}, weights)
            return jnp.vdot(signs.reshape(-1), found)

        def row(bucket: tuple, total: Any = total, columns: Any = columns) -> Any:
            part = jax.tree.map(lambda c: c[bucket[0]], columns)
            return basis.narrow(jax.grad(total)(flat, part, bucket[1])[None])[0]

        most = _even(len(points), _at_once(flat.nbytes))
        made = lax.map(row, (points, signs / larger), batch_size=most)
        matrix = matrix.at[places].add(made)
    # the gradient of |r|^2 is twice J'r
    return loss, 0.5 * basis.narrow(ravel_pytree(slope)[0][None])[0], matrix


def by_products(
    objective: Objective,
    params: Any,
    batch: Any,
    weights: Any,
    basis: Basis,
    rows: int,
    drawn: Sequence[Buckets],
) -> tuple[Any, Any, Any]:
    """The same from a product with each direction, for a batch that is no list of points."""
    flat, unravel = ravel_pytree(params)
    found, forward = jax.linearize(lambda t: objective.rows(unravel(t), batch, weights), flat)
    (slope,) = jax.linear_transpose(forward, flat)(found)
    ((points, signs, places),) = drawn

    def column(direction: Any) -> Any:
        sums = jnp.sum(forward(basis.widen(direction))[points] * signs[:, :, 0], axis=1)
        return jnp.zeros(rows, flat.dtype).at[places].add(sums)

    matrix = lax.map(column, jnp.eye(basis.size, dtype=flat.dtype)).T
    return jnp.vdot(found, found), basis.narrow(slope[None])[0], matrix


def right_singular(matrix: Any) -> tuple[Any, Any]:
    """Singular values and, as rows, right singular vectors; of a tall matrix by way of its R."""
    tall = matrix.shape[0] > matrix.shape[1]
    small = jnp.linalg.qr(matrix, mode="r") if tall else matrix
    _, values, axes = jnp.linalg.svd(small, full_matrices=False)
    return values, axes


def at_radii(values: Any, slope: Any, radii: Any) -> Any:
    """(radii, k) steps -(diag(values^2) + lambda)^-1 slope of these lengths, or shorter.

    lambda is found by bisection of its logarithm. Its least value is what rounding leaves of the
    mean of the squares; a step that this makes shorter than a radius is the same for all above.
    """
    squares = values**2
    tiny = jnp.finfo(values.dtype).tiny
    least = jnp.finfo(values.dtype).eps * jnp.mean(squares) + 8.0 * tiny
    most = jnp.maximum(jnp.linalg.norm(slope) / radii, 2.0 * least)

    def solved(level: Any) -> Any:
        return -slope[None] / (squares[None] + jnp.exp(level)[:, None])

    def halve(_: Any, ends: tuple) -> tuple:
        low, high = ends
        middle = 0.5 * (low + high)
        long = jnp.linalg.norm(solved(middle), axis=1) > radii
        return jnp.where(long, middle, low), jnp.where(long, high, middle)

    ends = jnp.full_like(radii, jnp.log(least)), jnp.log(most)
    return solved(lax.fori_loop(0, _BISECTIONS, halve, ends)[1])


def chosen(loss: Any, trial: Any, promised: Any) -> tuple[Any, Any]:
    """Which of the trials, in order of their radii, to take, and whether it lowers the loss.

    It is the last that keeps enough of its promise; if none does, the one of least loss.
    """
    finite = jnp.isfinite(trial)
    kept = finite & (promised > 0) & (loss - trial >= _KEPT * promised)
    last = kept.size - 1 - jnp.argmax(kept[::-1])
    best = jnp.argmin(jnp.where(finite, trial, jnp.inf))
    choice = jnp.where(jnp.any(kept), last, best)
    return choice, finite[choice] & (trial[choice] < loss)


def _each(function: Map, values: Any) -> Any:
    """*function* of each of the *values*: at once, but in turn on a processor, where a batch of
    networks took five times as long (measured)."""
    if jax.default_backend() == "cpu":
        return lax.map(function, values)
    return jax.vmap(function)(values)


def _length(flat: Any) -> Any:
    """|theta|, and one for zeros."""
    size = jnp.linalg.norm(flat)
    return jnp.where(size > 0, size, jnp.ones_like(size))


def _at_once(itemsize: int) -> int:
    """How many gradients of *itemsize* bytes are made at once."""
    room = _CACHED if jax.default_backend() == "cpu" else _WIDE
    return max(1, room // itemsize)


def _even(total: int, most: int) -> int:
    """The largest size of equal parts of *total*, but at most *most*, if one comes near it."""
    most = min(total, most)
    return next((size for size in range(most, most // 2, -1) if total % size == 0), most)


def _count(columns: Any) -> int:
    return jax.tree.leaves(columns)[0].shape[0]


def _sizes(objective: Objective, params: Any, batch: Any, weights: Any) -> list[tuple[int, int]]:
    """By term, how many points there are and rows of each."""
    counts = {name: _count(columns) for name, columns in batch.items()}
    rows = {
        name: jax.eval_shape(objective.rows, params, {name: columns}, weights).size
        for name, columns in batch.items()
    }
    return [(n, rows[name] // n) for name, n in counts.items()]


def _listed(batch: Any) -> bool:
    """Whether a batch is, by term, a list of points: columns that have one length."""
    if not isinstance(batch, Mapping):
        return False
    lengths = [{c.shape[:1] for c in jax.tree.leaves(own)} for own in batch.values()]
    return all(len(found) == 1 and () not in found for found in lengths)
