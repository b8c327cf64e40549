r"""Steps in pseudo time: any optimizer, led towards the solution by the flow of the equation.

.. math:: \frac{\partial u}{\partial\tau} = -R(u), \qquad
    R(u_\theta) + \frac{u_\theta - u_n}{\tau} \to 0, \qquad
    \frac1\tau = \frac{|R(u_n) - R(u_m)|}{|u_n - u_m|}

Least squares of R do not know in which direction the equation runs: steady states that are unstable
attract them like stable ones, and states of a time-dependent equation near an unstable one are
minima that solve nothing. The flow in pseudo time leaves both. Here the optimizer is given the rows
of an implicit Euler step of it, from the network's own state :math:`u_n` at an earlier step; at the
solution they vanish with R. The rate :math:`1/\tau` is the change of R over that of u between two
states, norms over the points of the batch, rows and variables over their scales. After Cao & Zhang,
*TSONN: time-stepping-oriented neural network for solving partial differential equations*,
arXiv:2310.16491, 2023; the choice of :math:`\tau` after Wang, Koohy, Lu & Perdikaris, *When PINNs
go wrong: pseudo-time stepping against spurious solutions*, arXiv:2604.23528, 2026.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree

from pinnlab.core.errors import PinnlabError
from pinnlab.optimizers.base import Objective, Optimizer
from pinnlab.optimizers.gradient import as_optimizer


class Evolving(Objective, Protocol):
    """An objective whose rows change states in time (:class:`pinnlab.terms.Problem` is one)."""

    def stepped(self, before: Any, batch: Any, rate: Any, signs: Mapping[str, float]) -> Any:
        """The batch at which rows are those of a step of length 1/rate from the state *before*."""

    def stiffness(self, params: Any, before: Any, batch: Any) -> Any:
        """The change of the rows over that of the states, between two sets of parameters."""


@dataclass(frozen=True)
class PseudoTime(Optimizer):
    """An optimizer whose residual rows are implicit steps in pseudo time.

    For equations whose trivial or unstable states attract a training: it leaves them for a stable
    one. Where least squares find the solution by themselves, there is little to gain. Draw new
    points every few steps. Methods that compare gradients of successive steps, such as L-BFGS, want
    *every* as long as their chunk. The loss in the log, and a phase's ``until``, are those of the
    steps; the fresh loss is the equation's. Nothing is to be had for variables of second order in
    time: neither direction of their flow is stable.

    Arguments:
        inner: the optimizer of each step: one of ours, or an optax transformation.
        every: steps of it from one state u_n.
        adapt: steps between two estimates of 1/tau.
        momentum: of the mean over these estimates.
        signs: by variable, -1 where the equation has the side of a variable of order 0 with the
            other sign than a right-hand side; 0 leaves the variable without pseudo time.

    Raises:
        PinnlabError: numbers out of range, or an inner optimizer that is none.
    """

    inner: Any
    every: int = 1
    adapt: int = 10
    momentum: float = 0.5
    signs: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "inner", as_optimizer(self.inner, "optimizer.inner"))
        if self.every < 1 or self.adapt < 1 or not 0 <= self.momentum < 1:
            raise PinnlabError(
                "optimizer: give every >= 1, adapt >= 1 and 0 <= momentum < 1; "
                f"got {self.every}, {self.adapt} and {self.momentum}"
            )

    @property
    def chunk(self) -> int:  # type: ignore[override]
        return self.inner.chunk

    @property
    def early(self) -> float:  # type: ignore[override]
        return self.inner.early

    def init(self, params: Any) -> Any:
        dtype = ravel_pytree(params)[0].dtype
        return {
            "inner": self.inner.init(params),
            # Another state than the first, so that there is a change to estimate 1/tau from
            "before": jax.tree.map(lambda p: 0.99 * p, params),
            "rate": jnp.zeros((), dtype),
            "count": jnp.zeros((), jnp.int32),
        }

    def memory(self, rows: int, parameters: int, itemsize: int) -> int:
        """What the inner optimizer holds, and the state u_n."""
        held = (parameters + 2 * rows) * itemsize
        return self.inner.memory(rows, parameters, itemsize) + held

    def step(
        self, objective: Objective, params: Any, state: Any, batch: Any, weights: Any
    ) -> tuple[Any, Any, Any]:
        evolving, count, before = cast(Evolving, objective), state["count"], state["before"]
        rate = jax.lax.cond(
            count % self.adapt == 0,
            lambda: self._mean(state["rate"], evolving.stiffness(params, before, batch)),
            lambda: state["rate"],
        )
        new = count % self.every == 0
        before = jax.tree.map(lambda here, old: jnp.where(new, here, old), params, before)
        shifted = evolving.stepped(before, batch, rate, self.signs)
        params, inner, loss = self.inner.step(objective, params, state["inner"], shifted, weights)
        return params, {"inner": inner, "before": before, "rate": rate, "count": count + 1}, loss

    def _mean(self, rate: Any, found: Any) -> Any:
        """The mean of 1/tau with the one that was *found*; the first is taken whole.

        Nothing is found where no state has changed.
        """
        mean = jnp.where(rate > 0, self.momentum * rate + (1.0 - self.momentum) * found, found)
        return jnp.where(jnp.isfinite(found), mean, rate)
