"""The contract of an optimizer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Protocol

import jax
import jax.numpy as jnp


class Objective(Protocol):
    """A weighted least-squares objective (:class:`pinnlab.terms.Problem` is one)."""

    def loss(self, params: Any, batch: Any, weights: Any) -> Any:
        """The scalar loss."""

    def rows(self, params: Any, batch: Any, weights: Any) -> Any:
        """(N,) rows whose squares sum to the loss."""

    def jacobian(self, params: Any, batch: Any, weights: Any) -> tuple[Any, Any]:
        """(N,) rows and their (N, P) Jacobian."""


def value_and_grad(objective: Objective, params: Any, batch: Any, weights: Any) -> tuple[Any, Any]:
    """The loss and its gradient: by the objective's own way, which a problem has, if it has one."""
    own = getattr(objective, "value_and_grad", None) or jax.value_and_grad(objective.loss)
    return own(params, batch, weights)


class Optimizer(ABC):
    """Two pure functions, compiled and scanned by the trainer.

    ``chunk`` is how many steps are compiled into one call, between which a run logs, checks and
    checkpoints: about a second of work. ``early`` is how much of a training, in points times
    parameters times steps, may run on a program that is compiled soon rather than well: where a
    step is products and factorizations of matrices, little is lost by it.
    """

    chunk: int
    early: ClassVar[float] = 0.0

    @abstractmethod
    def init(self, params: Any) -> Any:
        """The state before the first step."""

    @abstractmethod
    def step(
        self, objective: Objective, params: Any, state: Any, batch: Any, weights: Any
    ) -> tuple[Any, Any, Any]:
        """One step: new parameters, new state, and the loss before the step."""

    def memory(self, rows: int, parameters: int, itemsize: int) -> int:
        """Bytes that a step holds at once, by an estimate: here the state and a few vectors.

        A method that makes larger arrays adds them. What the network computes inside of itself
        comes on top, for all points at once or for pieces of them.

        Arguments:
            rows, parameters: N and P.
            itemsize: bytes of a number.
        """
        like = jax.ShapeDtypeStruct((parameters,), jnp.dtype(f"float{8 * itemsize}"))
        state = jax.tree.leaves(jax.eval_shape(self.init, like))
        held = sum(leaf.size * leaf.dtype.itemsize for leaf in state)
        return held + (4 * parameters + 2 * rows) * itemsize
