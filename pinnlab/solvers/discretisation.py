"""What a method of lines needs of a basis, and how a grid gives it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp

from pinnlab.core.closure import close, close_rates, free
from pinnlab.core.conditions import Initial
from pinnlab.core.errors import PinnlabError
from pinnlab.core.field import Field
from pinnlab.core.grid import Grid
from pinnlab.core.gridfield import GridField
from pinnlab.core.parameters import evaluate_on
from pinnlab.equations.base import Equation
from pinnlab.solvers import constraints
from pinnlab.solvers.gridsolution import GridSolution, solution


class State(NamedTuple):
    """What is integrated: coefficients of the evolving variables and, of those of order 2, of
    their rates."""

    values: dict[str, Any]
    rates: dict[str, Any]


class Discretisation(Protocol):
    """A basis for the unknowns of an equation; frozen and hashable, static under ``jax.jit``.

    The integrator in :mod:`pinnlab.solvers.lines` knows nothing else of it.
    """

    def initial(self, equation: Equation) -> State:
        """The coefficients at the start of time."""

    def prepare(self, equation: Equation, t: Any, y: State) -> Any:
        """A pytree of whatever is computed once for a solve (factorisations); may be None."""

    def field(self, equation: Equation, t: Any, y: State, prepared: Any) -> Field:
        """The field of all variables at one time, conditions and constraints included."""

    def project(self, equation: Equation, values: Mapping[str, Any], t: Any) -> dict[str, Any]:
        """Rates of change of the coefficients from right-hand sides in the field's shape."""

    def complete(self, equation: Equation, t: Any, y: State, prepared: Any) -> State:
        """What a solution keeps of one time (all variables)."""

    def solution(self, times: Any, kept: State, statistics: Mapping[str, Any]) -> Any:
        """The solution from what was kept, stacked over *times*."""


def evolving(equation: Equation, order: int = 1) -> list[str]:
    """The variables of at least this order in time."""
    return [name for name in equation.variables if equation.variables[name].order >= order]


def untraced(equation: Equation) -> Equation:
    """The equation itself, or with defaults for those parameters that are traced."""
    changes = {}
    for name, known in type(equation).parameters().items():
        leaves = jax.tree.leaves(getattr(equation, name))
        if any(isinstance(leaf, jax.core.Tracer) for leaf in leaves):
            changes[name] = known.default
    if any(value is None for value in changes.values()):
        raise PinnlabError(
            f"the solver cannot be chosen for {type(equation).__name__} with traced parameters "
            "that have no default: say solver='explicit' or 'implicit'"
        )
    return equation.replace(**changes) if changes else equation


def slope(equation: Equation, basis: Discretisation, prepared: Any, t: Any, y: State) -> State:
    """dy/dt."""
    field = basis.field(equation, t, y, prepared)
    sides = equation.rhs(field)
    slopes = basis.project(equation, {name: sides[name] for name in evolving(equation)}, t)
    second = set(y.rates)
    values = {n: y.rates[n] if n in second else slopes[n] for n in y.values}
    return State(values, {n: slopes[n] for n in y.rates})


def scales(equation: Equation, y: State) -> State:
    """The magnitudes by which the state is divided, so that one tolerance fits all of it."""
    time = equation.domain[str(equation.domain.time)].natural_scale
    size = {name: equation.variables[name].scale for name in y.values}
    return State(size, {name: size[name] / time for name in y.rates})


@dataclass(frozen=True)
class GridDiscretisation:
    """Values at the nodes of a grid. End nodes with a condition are solved for at each time; they
    stay in the state, where nothing reads them."""

    grid: Grid

    def initial(self, equation: Equation) -> State:
        """The equation's initial conditions at the nodes.

        Raises:
            PinnlabError: a grid of another domain, or a variable without an initial condition.
        """
        if self.grid.domain != equation.domain:
            raise PinnlabError(
                f"the grid was made for another domain than the one of {type(equation).__name__}: "
                "build it with Grid(equation.domain, ...)"
            )
        values = {name: self._start(equation, name, 0) for name in evolving(equation)}
        return State(
            values, {name: self._start(equation, name, 1) for name in evolving(equation, 2)}
        )

    def prepare(self, equation: Equation, t: Any, y: State) -> Any:
        return constraints.prepare(equation, self.grid, *self._closed(equation, t, y), t)

    def field(self, equation: Equation, t: Any, y: State, prepared: Any) -> GridField:
        values, rates = self._closed(equation, t, y)
        rest = constraints.solve(prepared, equation, self.grid, values, rates, t)
        return GridField(self.grid, {**values, **rest}, t, rates)

    def project(self, equation: Equation, values: Mapping[str, Any], t: Any) -> dict[str, Any]:
        conditions = equation.conditions()
        whole = GridField(self.grid, {}, t).project(values)
        return {
            name: jnp.where(free(self.grid, conditions, name), value, jnp.zeros_like(value))
            for name, value in whole.items()
        }

    def complete(self, equation: Equation, t: Any, y: State, prepared: Any) -> State:
        values, rates = self._closed(equation, t, y)
        rest = constraints.solve(prepared, equation, self.grid, values, rates, t)
        return State({name: {**values, **rest}[name] for name in equation.variables}, rates)

    def solution(self, times: Any, kept: State, statistics: Mapping[str, Any]) -> GridSolution:
        return solution(self.grid, times, kept.values, kept.rates, statistics)

    def _closed(self, equation: Equation, t: Any, y: State) -> State:
        conditions = equation.conditions()
        rates = close_rates(self.grid, conditions, y.values, y.rates, t)
        return State(close(self.grid, conditions, y.values, t), rates)

    def _start(self, equation: Equation, name: str, order: int) -> Any:
        time, dtype = str(equation.domain.time), jnp.result_type(float)
        for c in equation.conditions():
            if isinstance(c, Initial) and c.order == order and name in c.values:
                x = {a: jnp.asarray(nodes, dtype) for a, nodes in self.grid.coordinates.items()}
                x[time] = jnp.asarray(equation.domain[time].lower, dtype)
                given = jnp.asarray(evaluate_on(c.values[name], self.grid.nodes, x), dtype)
                return jnp.broadcast_to(given, self.grid.shape)
        rate = f"Initial({name}=...)" if not order else f"Initial(1, {name}=...) for its rate"
        raise PinnlabError(
            f"{type(equation).__name__} has no initial condition on '{name}': add {rate}"
        )
