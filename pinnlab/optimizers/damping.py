r"""What the damped Gauss-Newton methods share: the dense solve and the rule of the damping.

.. math:: (J^\top J + \mu I)^{-1} J^\top r = J^\top (J J^\top + \mu I)^{-1} r

The left form is taken while there are more rows than parameters, the right one otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from pinnlab.optimizers.levenberg_marquardt import gram_lower


def damped_solver(
    jacobian: Any, relative: Any, blocks: int = 4
) -> tuple[Callable[[Any], Any], Any]:
    """The map r -> (J'J + mu I)^-1 J'r, and the absolute mu.

    Arguments:
        jacobian: (N, P).
        relative: mu, relative to the mean diagonal of the smaller of J'J and JJ'.
        blocks: lower blocks of the contraction.
    """
    n, p = jacobian.shape
    factors = jacobian if n < p else lax.optimization_barrier(jacobian.T)
    gram = gram_lower(factors, blocks)
    mu = relative * jnp.trace(gram) / min(n, p)
    damped = gram + mu * jnp.eye(min(n, p), dtype=gram.dtype)
    lower = lax.linalg.cholesky(damped, symmetrize_input=False)

    def solve(rows: Any) -> Any:
        if n < p:
            return jax.scipy.linalg.cho_solve((lower, True), rows) @ jacobian
        return jax.scipy.linalg.cho_solve((lower, True), rows @ jacobian)

    return solve, mu


def adapted(
    state: Mapping[str, Any],
    decrease: Any,
    promised: Any,
    loss: Any,
    smallest: float,
    largest: float,
) -> tuple[Any, dict[str, Any]]:
    """Whether a step is taken, and the relative damping ``mu`` and its ``growth`` after it.

    A step whose gain, *decrease* over *promised*, is near one lowers the damping to a fifth at
    most; each rejected step in a row raises it by twice as much as the one before. After Nielsen,
    *Damping parameter in Marquardt's method*, IMM-REP-1999-05, with a fifth for his third. A
    promise that the rounding of the *loss* hides is no reason for damping: it is halved.
    """
    gain = decrease / promised
    good = jnp.isfinite(gain) & (gain > 0) & (promised > 0)
    hidden = jnp.abs(promised) < 10.0 * jnp.finfo(loss.dtype).eps * loss
    shrink = jnp.where(good, jnp.maximum(0.2, 1.0 - (2.0 * gain - 1.0) ** 3), 0.5)
    mu = state["mu"] * jnp.where(good | hidden, shrink, state["growth"])
    growth = jnp.where(good | hidden, 2.0, jnp.minimum(2.0 * state["growth"], 1e3))
    return good, {"mu": jnp.clip(mu, smallest, largest), "growth": growth}
