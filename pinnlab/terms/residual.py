"""The equation's residual inside the domain."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax.numpy as jnp

from pinnlab.core.field import Field
from pinnlab.equations.base import Equation
from pinnlab.models.model import Model
from pinnlab.terms.base import HELD, RATE, Batch, Term, spread


@dataclass(frozen=True, eq=False)
class ResidualTerm(Term):
    r"""One row for each side of ``equation.rhs``, over the whole domain.

    Where the points have columns for it (:mod:`.pseudo`), the rows are those
    of an implicit step in pseudo time, :math:`R(u) + (u - u_n)/\tau`.
    """

    equation: Equation
    name: str = "residual"
    adaptive: bool = True

    @cached_property
    def slots(self) -> list:
        """What the residual asks of a field."""
        return self.equation.slots()

    @property
    def dims(self) -> int:  # type: ignore[override]
        return len(self.box)

    @property
    def box(self) -> tuple[str, ...]:  # type: ignore[override]
        return self.equation.domain.axes

    def place(self, unit: Any, reach: float = 1.0) -> Batch:
        domain = self.equation.domain
        return spread(domain, domain.axes, unit, reach)

    def row(self, model: Model, params: Any, equation: Equation, point: Batch) -> Any:
        stepped = [name for name in equation.variables if RATE + name in point]
        slots = [*self.slots, *((name, ()) for name in stepped)]
        field = model.field(params, equation, point, slots)
        rows = {
            name: side / equation.residual_scale(name)
            for name, side in equation.residual(field).items()
        }
        for name in stepped:
            state = _state(field, equation, name)
            rate, held = (point[what + name].reshape(jnp.shape(state)) for what in (RATE, HELD))
            rows[name] += rate * (state - held)
        return jnp.stack(list(rows.values()))

    def states(self, model: Model, params: Any, equation: Equation, point: Batch) -> dict[str, Any]:
        names = equation.variables.names
        field = model.field(params, equation, point, [(name, ()) for name in names])
        return {name: _state(field, equation, name) for name in names}


def _state(field: Field, equation: Equation, name: str) -> Any:
    """A variable as networks see it: the O(1) of ``offset + scale * O(1)``."""
    variable = equation.variables[name]
    return (field(name) - variable.offset) / variable.scale
