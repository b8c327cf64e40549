r"""SPRING: natural gradient descent with a momentum that is corrected by the rows.

.. math:: \varphi_k = \mu\,\varphi_{k-1}
    + J^\top (J J^\top + \lambda I)^{-1} (r - \mu J \varphi_{k-1}), \qquad
    \theta \leftarrow \theta - \eta\,\varphi_k

The step solves the rows that are seen now and keeps, of the former step, what they leave open:
directions that few rows do not determine are averaged over many draws of points. With mu = 0 it is
energy natural gradient descent by Woodbury's identity, a damped Gauss-Newton step. After
Goldshlager, Abrahamsen & Lin, J. Comput. Phys. 516, 2024, 113351.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
from jax import lax
from jax.flatten_util import ravel_pytree

from pinnlab.core.errors import PinnlabError
from pinnlab.optimizers.base import Objective, Optimizer
from pinnlab.optimizers.damping import damped_solver

_HALVINGS = 30


@dataclass(frozen=True)
class Spring(Optimizer):
    """Momentum and a damped solve; for fewer rows than parameters, drawn anew every few steps.

    Arguments:
        momentum: mu; 0.8 to 0.98, or 0 for none.
        damping: lambda, relative to the mean diagonal of the smaller Gram matrix; 1e-12 to 1e-3.
        rate: eta, 0.05 to 0.1; without it the best of 1, 1/2, 1/4 ... by the loss.
        chunk: steps compiled into one call.

    Raises:
        PinnlabError: a momentum outside of [0, 1), a damping or a rate that is not positive.
    """

    momentum: float = 0.9
    damping: float = 1e-8
    rate: float | None = None
    chunk: int = 10

    def __post_init__(self) -> None:
        rate = 1.0 if self.rate is None else self.rate
        if not 0 <= self.momentum < 1 or self.damping <= 0 or rate <= 0:
            raise PinnlabError(
                "optimizer: give 0 <= momentum < 1, damping > 0 and rate > 0 (or none); "
                f"got {self.momentum}, {self.damping} and {self.rate}"
            )

    def init(self, params: Any) -> Any:
        flat = ravel_pytree(params)[0]
        return {"step": jnp.zeros_like(flat), "damping": jnp.asarray(self.damping, flat.dtype)}

    def memory(self, rows: int, parameters: int, itemsize: int) -> int:
        """The Jacobian in its parts, whole, weighed and transposed, and three Gram matrices."""
        dense = 4 * rows * parameters + 3 * min(rows, parameters) ** 2
        return super().memory(rows, parameters, itemsize) + dense * itemsize

    def step(
        self, objective: Objective, params: Any, state: Any, batch: Any, weights: Any
    ) -> tuple[Any, Any, Any]:
        flat, unravel = ravel_pytree(params)

        def loss_at(theta: Any) -> Any:
            return objective.loss(unravel(theta), batch, weights)

        rows, jacobian = objective.jacobian(params, batch, weights)
        loss = jnp.vdot(rows, rows)
        solve, _ = damped_solver(jacobian, state["damping"])
        kept = self.momentum * state["step"]
        step = kept + solve(rows - jacobian @ kept)
        solved = jnp.all(jnp.isfinite(step))
        step = jnp.where(solved, step, 0.0)
        if self.rate is None:
            rate = best_rate(loss_at, flat, step, loss)
        else:
            rate = jnp.where(jnp.isfinite(loss_at(flat - self.rate * step)), self.rate, 0.0)
        # A step that leads nowhere is not kept. Without momentum to blame, the damping is too weak.
        good = solved & (rate > 0)
        weak = ~good & (jnp.vdot(kept, kept) == 0)
        milder = jnp.maximum(self.damping, 0.5 * state["damping"])
        new = {
            "step": jnp.where(good, step, 0.0),
            "damping": jnp.where(weak, jnp.minimum(10.0 * state["damping"], 1e3), milder),
        }
        return unravel(flat - rate * step), new, loss


def best_rate(loss_at: Callable[[Any], Any], flat: Any, step: Any, loss: Any) -> Any:
    """The first of 1, 1/2, 1/4 ... whose half is no better; 0 if none lowers the *loss*.

    Halving goes on while the loss at ``flat - rate * step`` is not below *loss* or still falls.
    """

    def searching(carry: tuple) -> Any:
        count, _, value, following = carry
        return (count < _HALVINGS) & (~(value < loss) | (following < value))

    def halve(carry: tuple) -> tuple:
        count, rate, _, following = carry
        return count + 1, 0.5 * rate, following, loss_at(flat - 0.25 * rate * step)

    one = jnp.ones((), flat.dtype)
    first = (0, one, loss_at(flat - step), loss_at(flat - 0.5 * step))
    _, rate, value, _ = lax.while_loop(searching, halve, first)
    return jnp.where(value < loss, rate, 0.0)
