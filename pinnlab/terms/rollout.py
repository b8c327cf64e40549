"""A term of operators that step in time: errors of several steps, one after the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from pinnlab.equations.base import Equation
from pinnlab.models.operator import OperatorModel
from pinnlab.terms.base import Batch
from pinnlab.terms.instances import SOLUTION, InstanceTerm, relative_rows


@dataclass(frozen=True, eq=False)
class RolloutTerm(InstanceTerm):
    r"""The relative errors after each of *steps* steps of the operator G, over their number:

    .. math:: \frac1m\sum_{j=1}^m \frac{|G^j u - u^*_j|^2}{|u^*_j|^2}

    with the columns ``_solution_NAME`` (N, steps, *grid). With *pushforward* the rows are those of
    the first step and of the last one, :math:`G(\mathrm{stop}(G^{m-1}u))`, which starts from the
    operator's own errors without learning how to make them (Brandstetter, Worrall & Welling,
    *Message passing neural PDE solvers*, ICLR 2022).
    """

    name: str = "rollout"
    steps: int = 1
    pushforward: bool = False

    def row(self, model: OperatorModel, params: Any, equation: Equation, point: Batch) -> Any:  # type: ignore[override]
        state, rows = self.inputs(point), []
        last = self.steps - 1
        for step in range(self.steps):
            found = model.apply(params, self.member_of(equation, state), self.grid)
            if not self.pushforward or step in (0, last):
                truth = {
                    column.removeprefix(SOLUTION): values[step]
                    for column, values in point.items()
                    if column.startswith(SOLUTION)
                }
                rows.append(relative_rows(found, truth))
            state = {**state, **{n: v for n, v in found.items() if n in self.family.initial}}
            if self.pushforward:
                state = jax.lax.stop_gradient(state)
        made = jnp.concatenate(rows)
        return made / jnp.asarray(len(rows), made.dtype) ** 0.5
