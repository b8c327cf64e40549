"""First-order methods and L-BFGS: any optax transformation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import optax

from pinnlab.optimizers.base import Objective, Optimizer, value_and_grad


@dataclass(frozen=True)
class Gradient(Optimizer):
    """Minimise the loss with an optax transformation.

    Arguments:
        transformation: such as ``optax.adam(1e-3)`` or ``optax.lbfgs()``; line searches get what
            they need.
        chunk: steps compiled into one call.
    """

    transformation: optax.GradientTransformation
    chunk: int = 100

    def init(self, params: Any) -> Any:
        return self.transformation.init(params)

    def step(
        self, objective: Objective, params: Any, state: Any, batch: Any, weights: Any
    ) -> tuple[Any, Any, Any]:
        def loss(p: Any) -> Any:
            return objective.loss(p, batch, weights)

        value, grad = value_and_grad(objective, params, batch, weights)
        updates, state = optax.with_extra_args_support(self.transformation).update(
            grad, state, params, value=value, grad=grad, value_fn=loss
        )
        return optax.apply_updates(params, updates), state, value
