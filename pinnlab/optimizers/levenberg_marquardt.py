r"""Levenberg-Marquardt on residual rows, with dense Cholesky, all on the device.

.. math:: (J^\top J + \mu I)\,\delta = -J^\top r
    \qquad\text{or, while } N < P,\qquad
    \delta = -J^\top (J J^\top + \mu I)^{-1} r

The damping follows the gain ratio as in Nielsen, *Damping parameter in Marquardt's method*, 1999.
The step is bent along the geodesic: half the solution for the second derivative of the rows along
it is added, after Transtrum & Sethna, arXiv:1201.5885. Small networks need it: their valleys are
narrow and curved, and a straight step is cut short by the damping (measured: two to four further
digits of the loss in the same number of steps, for an eighth more time).
The contraction is made from the transposed Jacobian by lower blocks, which costs half of the full
product and is fastest under XLA (measured).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jax import lax
from jax.flatten_util import ravel_pytree

from pinnlab.core.errors import choose
from pinnlab.optimizers.base import Objective, Optimizer

Solve = Callable[[Any], Any]
FACTORIZATIONS = ("cholesky", "qr")


@dataclass(frozen=True)
class LevenbergMarquardt(Optimizer):
    """Gauss-Newton with adaptive damping; for networks of up to a few thousand parameters.

    Arguments:
        damping: the first mu, relative to the mean diagonal of the smaller Gram matrix.
        smallest, largest: range of mu, on the same scale.
        acceleration: the largest length of the second-order correction relative to half the
            step; 0 switches it off.
        factorization: ``cholesky`` of the Gram matrix, or ``qr`` of the Jacobian, which does not
            square its condition number: three times the time of a step, and further digits where
            they are lacking. There ``smallest`` is squared.
        blocks: lower blocks of the contraction.
        chunk: steps compiled into one call.

    Raises:
        PinnlabError: a factorization that does not exist.
    """

    damping: float = 1e-3
    smallest: float = 1e-15
    largest: float = 1e6
    acceleration: float = 0.75
    factorization: str = "cholesky"
    blocks: int = 4
    chunk: int = 10
    # as long as plain code costs at most what compiling with care does (measured: 2 to 4 s)
    early: ClassVar[float] = 8e7

    def __post_init__(self) -> None:
        choose("factorization (optimizer.factorization)", self.factorization, FACTORIZATIONS)

    def init(self, params: Any) -> Any:
        dtype = ravel_pytree(params)[0].dtype
        return {"mu": jnp.asarray(self.damping, dtype), "growth": jnp.asarray(2.0, dtype)}

    def step(
        self, objective: Objective, params: Any, state: Any, batch: Any, weights: Any
    ) -> tuple[Any, Any, Any]:
        flat, unravel = ravel_pytree(params)

        def rows_at(theta: Any) -> Any:
            return objective.rows(unravel(theta), batch, weights)

        rows, jacobian = objective.jacobian(params, batch, weights)
        loss, slope = jnp.vdot(rows, rows), rows @ jacobian
        mu = state["mu"] * jnp.vdot(jacobian, jacobian) / min(jacobian.shape)
        if self.factorization == "qr":
            direction, solve = _by_qr(jacobian, mu, rows)
        else:
            solve = _by_cholesky(jacobian, mu, self.blocks)
            direction = solve(rows)
        step = -direction
        # what the linear model promises: |r|^2 - |r + J d|^2 = d.(mu d - J'r)
        promised = jnp.vdot(step, mu * step - slope)
        if self.acceleration:
            step = step + self._acceleration(rows_at, flat, step, solve)
        trial = rows_at(flat + step)
        gain = (loss - jnp.vdot(trial, trial)) / promised
        # A singular matrix that rounding lets pass may promise less than nothing.
        good = jnp.isfinite(gain) & (gain > 0) & (promised > 0) & jnp.all(jnp.isfinite(step))
        # A promise that rounding hides is no reason for damping, which new points would meet.
        calm = good | (jnp.abs(promised) < 10.0 * jnp.finfo(flat.dtype).eps * loss)
        shrink = jnp.where(good, jnp.maximum(0.2, 1.0 - (2.0 * gain - 1.0) ** 3), 0.5)
        smaller, larger = state["mu"] * shrink, state["mu"] * state["growth"]
        new = {
            "mu": jnp.clip(jnp.where(calm, smaller, larger), self._smallest, self.largest),
            "growth": jnp.where(calm, 2.0, jnp.minimum(2.0 * state["growth"], 1e3)),
        }
        return unravel(jnp.where(good, flat + step, flat)), new, loss

    @property
    def _smallest(self) -> float:
        return self.smallest**2 if self.factorization == "qr" else self.smallest

    def _acceleration(
        self, rows_at: Callable[[Any], Any], flat: Any, step: Any, solve: Solve
    ) -> Any:
        """Half the solution for the rows' second derivative along the step, bounded."""

        def along(theta: Any) -> Any:
            return jax.jvp(rows_at, (theta,), (step,))[1]

        bend = -0.5 * solve(jax.jvp(along, (flat,), (step,))[1])
        ratio = 2.0 * jnp.linalg.norm(bend) / (jnp.linalg.norm(step) + jnp.finfo(flat.dtype).tiny)
        return bend * jnp.minimum(1.0, self.acceleration / ratio)

    def memory(self, rows: int, parameters: int, itemsize: int) -> int:
        """The Jacobian in its parts, whole, weighed and transposed, and four Gram matrices."""
        dense = 4 * rows * parameters + 4 * min(rows, parameters) ** 2
        return super().memory(rows, parameters, itemsize) + dense * itemsize


def _by_cholesky(jacobian: Any, mu: Any, blocks: int) -> Solve:
    """The map r -> (J'J + mu I)^-1 J'r."""
    n, p = jacobian.shape
    if n < p:
        factor = _cholesky(gram_lower(jacobian, blocks), mu)
        return lambda r: jax.scipy.linalg.cho_solve((factor, True), r) @ jacobian
    factor = _cholesky(gram_lower(lax.optimization_barrier(jacobian.T), blocks), mu)
    return lambda r: jax.scipy.linalg.cho_solve((factor, True), r @ jacobian)


def _by_qr(jacobian: Any, mu: Any, rows: Any) -> tuple[Any, Solve]:
    """(J'J + mu I)^-1 J'r for the *rows* r, and the map for others.

    From R of the Jacobian with the damping's rows below it. The rows are factorized along as one
    more column, which saves Q. The map has seminormal equations with one correction (Björck,
    Linear Algebra Appl. 88, 1987, 31-48), which serve a correction of the step.
    """
    p = jacobian.shape[1]
    below = jnp.sqrt(mu) * jnp.eye(p, p + 1, dtype=jacobian.dtype)
    whole = jnp.concatenate([jnp.concatenate([jacobian, rows[:, None]], axis=1), below])
    factor = jnp.linalg.qr(whole, mode="r")
    r_factor, last = factor[:p, :p], factor[:p, p]

    def seminormal(g: Any) -> Any:
        half = jax.scipy.linalg.solve_triangular(r_factor, g, trans=1)
        return jax.scipy.linalg.solve_triangular(r_factor, half)

    def solve(r: Any) -> Any:
        x = seminormal(r @ jacobian)
        return x + seminormal((r - jacobian @ x) @ jacobian - mu * x)

    return jax.scipy.linalg.solve_triangular(r_factor, last), solve


def gram_lower(b: Any, blocks: int) -> Any:
    """The lower triangle of B B' for a (P, N) matrix, by block rows; zeros far above it."""
    p = b.shape[0]
    edges = [p * i // blocks for i in range(blocks + 1)]
    rows = [jnp.pad(b[lo:hi] @ b[:hi].T, ((0, 0), (0, p - hi))) for lo, hi in pairwise(edges)]
    return jnp.concatenate(rows)


def _cholesky(gram: Any, mu: Any) -> Any:
    damped = gram + mu * jnp.eye(gram.shape[0], dtype=gram.dtype)
    return lax.linalg.cholesky(damped, symmetrize_input=False)
