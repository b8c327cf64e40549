r"""Levenberg-Marquardt on residual rows, with dense Cholesky, all on the device.

.. math:: (J^\top J + \mu I)\,\delta = -J^\top r
    \qquad\text{or, while } N < P,\qquad
    \delta = -J^\top (J J^\top + \mu I)^{-1} r

The damping follows the gain ratio as in Nielsen, *Damping parameter in Marquardt's method*, 1999.
The contraction is made from the transposed Jacobian by lower blocks, which costs half of the full
product and is fastest under XLA (measured).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.flatten_util import ravel_pytree

from pinnlab.optimizers.base import Objective, Optimizer


@dataclass(frozen=True)
class LevenbergMarquardt(Optimizer):
    """Gauss-Newton with adaptive damping; for networks of up to a few thousand parameters.

    Arguments:
        damping: the first mu, relative to the mean diagonal of the smaller Gram matrix.
        smallest, largest: range of mu, on the same scale.
        blocks: lower blocks of the contraction.
        chunk: steps compiled into one call.
    """

    damping: float = 1e-3
    smallest: float = 1e-15
    largest: float = 1e6
    blocks: int = 4
    chunk: int = 10

    def init(self, params: Any) -> Any:
        dtype = ravel_pytree(params)[0].dtype
        return {"mu": jnp.asarray(self.damping, dtype), "growth": jnp.asarray(2.0, dtype)}

    def step(
        self, objective: Objective, params: Any, state: Any, batch: Any, weights: Any
    ) -> tuple[Any, Any, Any]:
        flat, unravel = ravel_pytree(params)
        rows, jacobian = objective.jacobian(params, batch, weights)
        loss = jnp.vdot(rows, rows)
        step, slope, mu = self._solve(rows, jacobian, state["mu"])
        trial = objective.rows(unravel(flat + step), batch, weights)
        # what the linear model promises: |r|^2 - |r + J d|^2 = d.(mu d - J'r)
        promised = jnp.vdot(step, mu * step - slope)
        gain = (loss - jnp.vdot(trial, trial)) / promised
        good = jnp.isfinite(gain) & (gain > 0) & jnp.all(jnp.isfinite(step))
        shrink = jnp.maximum(1.0 / 3.0, 1.0 - (2.0 * gain - 1.0) ** 3)
        smaller, larger = state["mu"] * shrink, state["mu"] * state["growth"]
        new = {
            "mu": jnp.clip(jnp.where(good, smaller, larger), self.smallest, self.largest),
            "growth": jnp.where(good, 2.0, jnp.minimum(2.0 * state["growth"], 1e3)),
        }
        return unravel(jnp.where(good, flat + step, flat)), new, loss

    def _solve(self, rows: Any, jacobian: Any, relative: Any) -> tuple[Any, Any, Any]:
        """The step, J'r, and the absolute damping used."""
        n, p = jacobian.shape
        slope = rows @ jacobian
        if n < p:
            gram = gram_lower(jacobian, self.blocks)
            mu = relative * jnp.trace(gram) / n
            return -(_solved(gram, mu, rows) @ jacobian), slope, mu
        gram = gram_lower(lax.optimization_barrier(jacobian.T), self.blocks)
        mu = relative * jnp.trace(gram) / p
        return -_solved(gram, mu, slope), slope, mu


def gram_lower(b: Any, blocks: int) -> Any:
    """The lower triangle of B B' for a (P, N) matrix, by block rows; zeros far above it."""
    p = b.shape[0]
    edges = [p * i // blocks for i in range(blocks + 1)]
    rows = [
        jnp.pad(b[lo:hi] @ b[:hi].T, ((0, 0), (0, p - hi)))
        for lo, hi in zip(edges, edges[1:], strict=False)
    ]
    return jnp.concatenate(rows)


def _solved(gram: Any, mu: Any, right: Any) -> Any:
    factor = lax.linalg.cholesky(
        gram + mu * jnp.eye(gram.shape[0], dtype=gram.dtype), symmetrize_input=False
    )
    return jax.scipy.linalg.cho_solve((factor, True), right)
