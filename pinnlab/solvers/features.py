r"""Method of lines on frozen random features: the coefficients are integrated in time.

Boundary conditions hold exactly: features are multiplied by a distance and what is given is
lifted off (:mod:`pinnlab.models.exact`). A singular value decomposition of the features at the
collocation points leaves those that can be told apart, orthonormal under the grid's quadrature;
a right-hand side is projected onto them by (weighted) least squares, which is then a Galerkin
method: symmetric operators stay symmetric. Reference: Datar et al., arXiv:2405.20836, 2024.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from pinnlab.core.conditions import Boundary
from pinnlab.core.errors import PinnlabError
from pinnlab.core.featurefield import FeatureField, Features, Point, along
from pinnlab.core.field import Orders
from pinnlab.core.grid import Grid
from pinnlab.core.staging import now_in_double
from pinnlab.equations.base import Equation
from pinnlab.models.exact import exact_scalar
from pinnlab.solvers.discretisation import GridDiscretisation, State
from pinnlab.solvers.gridsolution import GridSolution, solution

Sides = tuple[tuple[str, str, float, float], ...]  # axis, side, a and b of a u + b du/dn = g


@dataclass(frozen=True)
class FeatureDiscretisation:
    """A discretisation for :func:`pinnlab.solvers.lines.solve_lines`; hashable.

    Arguments:
        grid: the collocation points with their quadrature; the solution is kept on it. About
            twice as many points as features along each axis.
        features: a hashable function of a point with a ``count``, such as
            :class:`~pinnlab.core.featurefield.RandomFeatures`.
        cutoff: singular values below this share of the largest are dropped.

    Raises:
        PinnlabError: (when used) too few points, a variable of order 0, or a boundary condition
            whose a or b is no number.
    """

    grid: Grid
    features: Features
    cutoff: float = 1e-12

    def initial(self, equation: Equation) -> State:
        on_grid = GridDiscretisation(self.grid).initial(equation)
        start = jnp.asarray(
            equation.domain[str(equation.domain.time)].lower, jnp.result_type(float)
        )
        values = self.fit(equation, on_grid.values, start, 0)
        return State(values, self.fit(equation, on_grid.rates, start, 1))

    def prepare(self, equation: Equation, t: Any, y: State) -> None:
        """Nothing is passed on, but the tables are made here, before anything is traced."""
        expansion = Conditioned(self, equation)
        for name, orders in equation.slots():
            expansion.table(name, tuple(o for o in orders if o[0] != equation.domain.time))

    def field(self, equation: Equation, t: Any, y: State, prepared: Any) -> FeatureField:
        return FeatureField(Conditioned(self, equation), y.values, t, y.rates)

    def project(self, equation: Equation, values: Mapping[str, Any], t: Any) -> dict[str, Any]:
        orders = {name: equation.variables[name].order for name in values}
        return {n: self.fit(equation, {n: v}, t, orders[n])[n] for n, v in values.items()}

    def complete(self, equation: Equation, t: Any, y: State, prepared: Any) -> State:
        field, time = self.field(equation, t, y, prepared), str(equation.domain.time)
        rates = {name: field(name, **{time: 1}) for name in y.rates}
        return State({name: field(name) for name in equation.variables}, rates)

    def solution(self, times: Any, kept: State, statistics: Mapping[str, Any]) -> GridSolution:
        about = {**statistics, "features": self.features.count}
        return solution(self.grid, times, kept.values, kept.rates, about)

    def fit(
        self, equation: Equation, values: Mapping[str, Any], t: Any, in_time: int = 0
    ) -> dict[str, Any]:
        """Coefficients whose sum, with the given part, comes nearest to *values* on the grid: those
        of the derivative of order *in_time* in time."""
        expansion, found = Conditioned(self, equation), {}
        orders = ((str(equation.domain.time), in_time),) if in_time else ()
        for name, value in values.items():
            real = jnp.result_type(float)
            rest = jnp.broadcast_to(jnp.asarray(value, real), self.grid.shape)
            given = expansion.given(name)
            if given is not None:
                rest = rest - along(given, expansion, t, orders)
            found[name] = expansion.projection(name) @ rest.ravel()
        return found


class Conditioned:
    """The :class:`~pinnlab.core.featurefield.Expansion` of one equation's unknowns: features that
    satisfy its boundary conditions, compressed, at the nodes of a grid."""

    def __init__(self, basis: FeatureDiscretisation, equation: Equation):
        self.domain, self.names = equation.domain, equation.variables.names
        self._basis, self._conditions = basis, equation.conditions()
        self._sides = {name: self._sides_of(equation, name) for name in self.names}

    @property
    def shape(self) -> tuple[int, ...]:
        return self._basis.grid.shape

    @property
    def coordinates(self) -> Mapping[str, Any]:
        real = jnp.result_type(float)
        return {a: jnp.asarray(c, real) for a, c in self._basis.grid.coordinates.items()}

    def table(self, name: str, orders: Orders) -> Any:
        return jnp.asarray(_table(self._basis, self._sides[name], orders), jnp.result_type(float))

    def projection(self, name: str) -> Any:
        """The (K, M) matrix that takes values at the nodes to the nearest coefficients."""
        return jnp.asarray(_projection(self._basis, self._sides[name]), jnp.result_type(float))

    def features(self, name: str, point: Point) -> Any:
        raw = _conditioned(self._basis, self._sides[name])(point)
        return raw @ jnp.asarray(_compression(self._basis, self._sides[name]), raw.dtype)

    def given(self, name: str) -> Callable[[Point], Any] | None:
        mine = [c for c in self._conditions if isinstance(c, Boundary) and name in c.values]
        if all(isinstance(g := c.values[name], (int, float)) and g == 0 for c in mine):
            return None
        first = self.domain.space[0]
        return exact_scalar(lambda x: 0.0 * x[first], name, mine, self.domain)

    def _sides_of(self, equation: Equation, name: str) -> Sides:
        if not equation.variables[name].order:
            raise PinnlabError(
                f"'{name}' of {type(equation).__name__} has order 0 in time, which features do "
                "not solve for: use a grid"
            )
        mine = [c for c in self._conditions if isinstance(c, Boundary) and name in c.values]
        for c in mine:
            if not all(isinstance(number, (int, float)) for number in (c.a, c.b)):
                raise PinnlabError(
                    f"the condition on '{name}' at '{c.axis}' has coefficients that are no plain "
                    "numbers, which frozen features cannot be fitted to: use a grid"
                )
        return tuple((c.axis, side, float(c.a), float(c.b)) for c in mine for side in c.sides)


def _conditioned(basis: FeatureDiscretisation, sides: Sides) -> Callable[[Point], Any]:
    """The features as a function of one point, made to satisfy a u + b du/dn = 0."""
    domain = basis.grid.domain
    features, count = basis.features, basis.features.count
    conditions = [Boundary(axis, (side,), a, b, {"v": 0.0}) for axis, side, a, b in sides]
    if not conditions:
        return features

    def at(point: Point) -> Any:
        def combined(c: Any) -> Any:
            return exact_scalar(lambda x: features(x) @ c, "v", conditions, domain)(point)

        dtype = jnp.asarray(point[domain.space[0]]).dtype
        return jax.jacrev(combined)(jnp.zeros(count, dtype))  # linear in c

    return at


@lru_cache(maxsize=128)
def _raw_table(basis: FeatureDiscretisation, sides: Sides, orders: Orders) -> np.ndarray:
    """A derivative of the conditioned features at the nodes, (M, count)."""
    function = _conditioned(basis, sides)
    for axis, order in orders:
        for _ in range(order):
            function = _slope(function, axis)
    grid = basis.grid
    with now_in_double():
        places = {
            axis: jnp.asarray(np.broadcast_to(c, grid.shape).ravel())
            for axis, c in grid.coordinates.items()
        }
        return np.asarray(jax.jit(jax.vmap(function))(places))


def _slope(function: Callable[[Point], Any], axis: str) -> Callable[[Point], Any]:
    def along_axis(point: Point) -> Any:
        here = point[axis]
        return jax.jvp(lambda s: function({**point, axis: s}), (here,), (jnp.ones_like(here),))[1]

    return along_axis


@lru_cache(maxsize=32)
def _compression(basis: FeatureDiscretisation, sides: Sides) -> np.ndarray:
    """(count, K): the combinations of features that are orthonormal under the quadrature."""
    _, size, rows = np.linalg.svd(_root(basis) * _raw_table(basis, sides, ()), full_matrices=False)
    kept = size > basis.cutoff * size[0]
    points = len(_root(basis))
    if 4 * np.sum(kept) > 3 * points:
        raise PinnlabError(
            f"{np.sum(kept)} independent features on {points} points of the grid: at least "
            f"{4 * np.sum(kept) // 3 + 1} points are needed (twice as many is good), or a smaller "
            "slope or count"
        )
    return rows[kept].T / size[kept]


@lru_cache(maxsize=128)
def _table(basis: FeatureDiscretisation, sides: Sides, orders: Orders) -> np.ndarray:
    """A derivative of the compressed features at the nodes, (*grid, K)."""
    table = _raw_table(basis, sides, orders) @ _compression(basis, sides)
    return table.reshape(*basis.grid.shape, -1)


@lru_cache(maxsize=32)
def _projection(basis: FeatureDiscretisation, sides: Sides) -> np.ndarray:
    """(K, M): weighted least squares. Not the transpose alone, which it would be without rounding:
    combinations with a small singular value carry rounding of cutoff^-1 times the precision."""
    table = _table(basis, sides, ())
    q, r = np.linalg.qr(_root(basis) * table.reshape(-1, table.shape[-1]))
    return np.linalg.solve(r, q.T * _root(basis).T)


def _root(basis: FeatureDiscretisation) -> np.ndarray:
    """Square roots of the quadrature weights at the nodes, (M, 1)."""
    return np.sqrt(np.broadcast_to(basis.grid.weights, basis.grid.shape)).reshape(-1, 1)
