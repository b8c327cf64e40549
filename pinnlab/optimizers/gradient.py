"""First-order methods and L-BFGS: any optax transformation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import optax

from pinnlab.core.errors import PinnlabError
from pinnlab.optimizers.base import Objective, Optimizer, value_and_grad


def as_optimizer(made: Any, key: str) -> Optimizer:
    """One of ours as it is, an optax transformation as :class:`Gradient`.

    Raises:
        PinnlabError: something else, which stands at the yaml *key*.
    """
    if isinstance(made, optax.GradientTransformation):
        return Gradient(made)
    if isinstance(made, Optimizer):
        return made
    raise PinnlabError(f"{key}: {type(made).__name__} is neither an optimizer nor of optax")


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
