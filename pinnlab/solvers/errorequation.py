r"""The equation that the error of an approximate solution satisfies, read from tables of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from pinnlab.core.conditions import Boundary, Condition, Initial
from pinnlab.core.domain import Domain
from pinnlab.core.field import Field
from pinnlab.core.grid import Grid
from pinnlab.core.gridfield import GridField
from pinnlab.core.parameters import evaluate
from pinnlab.core.pytree import register
from pinnlab.core.variables import Variables
from pinnlab.equations.base import Equation

Arrays = Mapping[str, Any]
# Two points of Gauss on [0, 1]: exact for a rhs that is a polynomial of up to the fourth degree.
_SHARES = (0.5 - 0.5 / 3.0**0.5, 0.5 + 0.5 / 3.0**0.5)


@dataclass(frozen=True, eq=False)
class ErrorEquation(Equation):
    r"""What :math:`d = \hat u - u` satisfies, where *u* solves the equation :attr:`of`.

    .. math:: \partial_t^k d = \int_0^1 F'(\hat u - s\,d)\,d\;\mathrm{d}s + r, \qquad
        r = \partial_t^k \hat u - F(\hat u)

    With k = 0 the left side is zero and r = F(u^) enters with a minus. F' is the derivative of the
    grid's ``rhs``: the grid's own error for the approximation is in no difference, and nothing
    cancels where d is small. Conditions are those of :attr:`of`, for what the approximation
    violates them by. It answers grid fields alone.

    Arguments:
        of: the equation.
        tables: ``values``, ``rates`` (order 2) and ``residual`` by variable, (T, *grid) at even
            times over the time axis, or (*grid) for a steady problem; ``start`` by order and
            variable, and ``sides``, a mapping by variable for each of :func:`sides_of`.
        size: by variable a magnitude of the error; the unknown is d over it.
    """

    of: Equation
    tables: Mapping[str, Any]
    size: Arrays
    domain: Domain
    variables: Variables

    def check(self) -> None:
        """As for the equation itself: a dry run cannot give a field of a grid."""
        self.of.check()

    def rhs(self, f: Field) -> dict[str, Any]:
        assert isinstance(f, GridField)
        time, grid = self.domain.time, f.grid
        t = f.coordinates[time] if time is not None else None
        known = tuple(self._now(self.tables[kind], t) for kind in ("values", "rates"))
        once = {str(time): 1}
        change = (
            {n: self.size[n] * f(n) for n in self.variables},
            {n: self.size[n] * f(n, **once) for n in known[1]},
        )

        def sides(values: Arrays, rates: Arrays) -> dict[str, Any]:
            made = self.of.rhs(GridField(grid, values, t, rates))
            return {n: _full(made[n], grid) for n in self.variables}

        def slope(share: float) -> Arrays:
            at = jax.tree.map(lambda u, d: u - share * d, known, change)
            return jax.jvp(sides, at, change)[1]

        first, last = (slope(share) for share in _SHARES)
        source = self._now(self.tables["residual"], t)
        return {
            n: (0.5 * (first[n] + last[n]) + (r if self.variables[n].order else -r)) / self.size[n]
            for n, r in source.items()
        }

    def conditions(self) -> Sequence[Condition]:
        made: list[Condition] = []
        for order, start in self.tables["start"].items():
            made.append(Initial(order, **{n: v / self.size[n] for n, v in start.items()}))
        pairs = zip(sides_of(self.of), self.tables["sides"], strict=True)
        for (condition, side), missing in pairs:
            made.append(
                Boundary(
                    condition.axis,
                    (side,),
                    condition.a,
                    condition.b,
                    {n: self._wall(table, self.size[n]) for n, table in missing.items()},
                )
            )
        return made

    def _wall(self, table: Any, size: Any) -> Any:
        time = self.domain.time

        def missing(x: Arrays) -> Any:
            return self._now({"": table}, None if time is None else x[time])[""] / size

        return missing

    def _now(self, tables: Arrays, t: Any) -> dict[str, Any]:
        """Tables at one time."""
        if t is None:
            return dict(tables)
        axis = self.domain[str(self.domain.time)]
        share = (jnp.asarray(t) - axis.lower) / axis.length
        return {name: _between(table, share) for name, table in tables.items()}


register(ErrorEquation, ["of", "tables", "size"])


@jax.jit
def _between(table: Any, share: Any) -> Any:
    """A (T, ...) table at a share of its length: cubic between four neighbouring rows."""
    last = table.shape[0] - 1
    first = jnp.clip(jnp.floor(share * last).astype(int) - 1, 0, last - 3)
    s = share * last - first.astype(share.dtype)
    weights = (
        -(s - 1.0) * (s - 2.0) * (s - 3.0) / 6.0,
        s * (s - 2.0) * (s - 3.0) / 2.0,
        -s * (s - 1.0) * (s - 3.0) / 2.0,
        s * (s - 1.0) * (s - 2.0) / 6.0,
    )
    rows = jax.lax.dynamic_slice_in_dim(table, first, 4)
    return sum(w * rows[i] for i, w in enumerate(weights))


def sides_of(equation: Equation) -> list[tuple[Boundary, str]]:
    """Each boundary condition with each of its sides."""
    boundaries = [c for c in equation.conditions() if isinstance(c, Boundary)]
    return [(c, side) for c in boundaries for side in c.sides]


def wall_mismatch(
    equation: Equation, grid: Grid, times: Any, values: Arrays, slopes: Mapping[Any, Any]
) -> list[dict[str, Any]]:
    """By how much an approximation violates each of :func:`sides_of`.

    Arguments:
        times: the times of the tables shaped to broadcast before the grid's axes, or None.
        values: the approximation on the grid.
        slopes: its derivatives by (variable, axis), for conditions that have them.
    """
    made, before = [], 0 if times is None else 1
    for c, side in sides_of(equation):
        outward, end = (-1.0, 0) if side == "lower" else (1.0, -1)
        dim = grid.dim(c.axis) + before

        def face(array: Any, dim: int = dim, end: int = end) -> Any:
            return jnp.take(jnp.asarray(array), jnp.asarray([end % array.shape[dim]]), axis=dim)

        x = {a: jnp.asarray(nodes[(None,) * before]) for a, nodes in grid.coordinates.items()}
        x[c.axis] = face(x[c.axis])
        if times is not None:
            x[str(equation.domain.time)] = jnp.asarray(times)
        missing = {}
        for name, given in c.values.items():
            found = evaluate(c.a, x) * face(values[name]) - evaluate(given, x)
            if not c.fixes_value:
                found = found + evaluate(c.b, x) * outward * face(slopes[name, c.axis])
            missing[name] = found
        made.append(missing)
    return made


def start_mismatch(
    equation: Equation, grid: Grid, values: Arrays, rates: Arrays
) -> dict[int, dict[str, Any]]:
    """By how much an approximation violates the initial conditions, by order and variable.

    Arguments:
        values, rates: of the approximation at the start, on the grid.
    """
    time, made = str(equation.domain.time), dict[int, dict[str, Any]]()
    x = {a: jnp.asarray(nodes) for a, nodes in grid.coordinates.items()}
    x[time] = jnp.asarray(equation.domain[time].lower, jnp.result_type(float))
    for c in equation.conditions():
        if isinstance(c, Initial):
            found = rates if c.order else values
            there = made.setdefault(c.order, {})
            there |= {n: found[n] - evaluate(given, x) for n, given in c.values.items()}
    return made


def _full(value: Any, grid: Grid) -> Any:
    return jnp.broadcast_to(jnp.asarray(value, jnp.result_type(float)), grid.shape)
