"""Initial, boundary and periodic conditions as soft rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp

from pinnlab.core.conditions import Boundary, Initial
from pinnlab.core.domain import Domain
from pinnlab.core.parameters import evaluate
from pinnlab.equations.base import Equation
from pinnlab.models.model import Model
from pinnlab.terms.base import Batch, Term, spread


def _face(domain: Domain, fixed: str, value: float, unit: Any, reach: float) -> Batch:
    """Columns of coordinates with one axis held at *value*."""
    columns = spread(domain, _others(domain, fixed), unit, reach)
    return {**columns, fixed: jnp.full(unit.shape[:1], value, unit.dtype)}


def _others(domain: Domain, fixed: str) -> tuple[str, ...]:
    return tuple(axis for axis in domain.axes if axis != fixed)


@dataclass(frozen=True, eq=False)
class InitialTerm(Term):
    """u (or its rate) minus the given value at the start of time, over the variable's scale."""

    equation: Equation
    index: int  # which of the equation's conditions; read anew, since it may hold parameters
    name: str = "initial"
    share: float = 0.25

    @property
    def dims(self) -> int:  # type: ignore[override]
        return len(self.box)

    @property
    def box(self) -> tuple[str, ...]:  # type: ignore[override]
        return self.equation.domain.space

    def place(self, unit: Any, reach: float = 1.0) -> Batch:
        domain = self.equation.domain
        return _face(domain, str(domain.time), domain[str(domain.time)].lower, unit, reach)

    def row(self, model: Model, params: Any, equation: Equation, point: Batch) -> Any:
        condition = equation.conditions()[self.index]
        assert isinstance(condition, Initial)
        f, time = model.field(params, equation, point), str(equation.domain.time)
        scale = equation.domain[time].natural_scale ** condition.order
        return jnp.stack(
            [
                (f(name, **{time: condition.order}) - evaluate(given, point))
                * (scale / equation.variables[name].scale)
                for name, given in condition.values.items()
            ]
        )


@dataclass(frozen=True, eq=False)
class BoundaryTerm(Term):
    """a u + b du/dn - g on one side, over the magnitude of its left side."""

    equation: Equation
    index: int
    side: str
    name: str = "boundary"
    share: float = 0.25

    @property
    def dims(self) -> int:  # type: ignore[override]
        return len(self.box)

    @property
    def box(self) -> tuple[str, ...]:  # type: ignore[override]
        condition = self.equation.conditions()[self.index]
        assert isinstance(condition, Boundary)
        return _others(self.equation.domain, condition.axis)

    def place(self, unit: Any, reach: float = 1.0) -> Batch:
        condition = self.equation.conditions()[self.index]
        assert isinstance(condition, Boundary)
        axis = self.equation.domain[condition.axis]
        return _face(self.equation.domain, condition.axis, getattr(axis, self.side), unit, reach)

    def row(self, model: Model, params: Any, equation: Equation, point: Batch) -> Any:
        condition = equation.conditions()[self.index]
        assert isinstance(condition, Boundary)
        f, axis = model.field(params, equation, point), condition.axis
        a, b = evaluate(condition.a, point), evaluate(condition.b, point)
        outward = -1.0 if self.side == "lower" else 1.0
        length = equation.domain[axis].natural_scale
        rows = [
            (a * f(name) + b * outward * f(name, **{axis: 1}) - evaluate(given, point))
            / (equation.variables[name].scale * (jnp.abs(a) + jnp.abs(b) / length))
            for name, given in condition.values.items()
        ]
        return jnp.stack(rows)


@dataclass(frozen=True, eq=False)
class PeriodicTerm(Term):
    """Differences of the values and of the first derivatives at the two ends of an axis."""

    equation: Equation
    axis: str
    name: str = "periodic"
    share: float = 0.25

    @property
    def dims(self) -> int:  # type: ignore[override]
        return len(self.box)

    @property
    def box(self) -> tuple[str, ...]:  # type: ignore[override]
        return _others(self.equation.domain, self.axis)

    def place(self, unit: Any, reach: float = 1.0) -> Batch:
        domain = self.equation.domain
        return _face(domain, self.axis, domain[self.axis].lower, unit, reach)

    def row(self, model: Model, params: Any, equation: Equation, point: Batch) -> Any:
        axis = equation.domain[self.axis]
        other = {**point, self.axis: jnp.full_like(point[self.axis], axis.upper)}
        lower, upper = (model.field(params, equation, p) for p in (point, other))
        rows = []
        for name in equation.variables:
            scale = equation.variables[name].scale
            for order in (0, 1):
                difference = upper(name, **{self.axis: order}) - lower(name, **{self.axis: order})
                rows.append(difference * (axis.natural_scale**order / scale))
        return jnp.stack(rows)
