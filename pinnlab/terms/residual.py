"""The equation's residual inside the domain."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax.numpy as jnp

from pinnlab.equations.base import Equation
from pinnlab.models.model import Model
from pinnlab.terms.base import Batch, Term, spread


@dataclass(frozen=True, eq=False)
class ResidualTerm(Term):
    """One row for each side of ``equation.rhs``, over the whole domain."""

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
        sides = equation.residual(model.field(params, equation, point, self.slots))
        return jnp.stack([side / equation.residual_scale(name) for name, side in sides.items()])
