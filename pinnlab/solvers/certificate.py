r"""An estimate of an approximation's error that needs no reference.

The residual of a smooth approximation is known anywhere by automatic differentiation, and the
error follows from it by the equation of :mod:`pinnlab.solvers.errorequation`, which is solved on
a coarse grid by the method of lines or by Newton's method. One or two digits of the error are
what is wanted, so that the grid has to resolve the residual and no more: it is refined, axis by
axis, until a table of every second node tells the others. Reference: Skeel, *Thirteen ways to
estimate global error*, Numer. Math. 48, 1986, 1-20 (solving for the correction).
"""

from __future__ import annotations

import time as _time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from pinnlab.core.conditions import Initial
from pinnlab.core.errors import PinnlabError
from pinnlab.core.grid import FiniteDifference, Fourier, Grid
from pinnlab.core.variables import Variable, Variables
from pinnlab.equations.base import Equation
from pinnlab.solvers.discretisation import GridDiscretisation, evolving
from pinnlab.solvers.errorequation import ErrorEquation, start_mismatch, wall_mismatch
from pinnlab.solvers.gridsolution import GridSolution, solution
from pinnlab.solvers.lines import solve_lines
from pinnlab.solvers.steady import solve_steady
from pinnlab.solvers.stiffness import is_stiff
from pinnlab.solvers.tables import (
    Approximation,
    Arrays,
    Tables,
    ends,
    finer_counts,
    first_counts,
    misfit,
    resolved,
    sloped,
)

_MISFIT = 0.1  # of an estimated error, before its grid is refined
# A residual that cancels in the error has to be known as much better; so much is worth its time.
_LEAST = 0.1
# Of the integration, the latter against what the residual could make of the error at most. What
# single steps miss adds up along a wave that runs far.
_RTOL, _ATOL = 1e-5, 1e-8


@dataclass(frozen=True)
class Certificate:
    """An estimated error.

    Arguments:
        error: by variable the estimate of approximation minus solution, on the tensor of the
            coordinates that were asked for.
        points: nodes of each axis that it took, time included.
        misfit: how well they resolve the residual: what every second node predicts at the others
            is wrong by this share of it.
        seconds: of all of it, compiling included.
    """

    error: Arrays
    points: dict[str, int] = field(default_factory=dict)
    misfit: float = 0.0
    seconds: float = 0.0


def certify(
    equation: Equation,
    approximation: Approximation,
    params: Any,
    coordinates: Mapping[str, np.ndarray],
) -> Certificate:
    """Estimate the error of an approximate solution of *equation*.

    Arguments:
        approximation: ``f(params, {axis: scalar}) -> {variable: scalar}``, smooth enough for the
            derivatives that the equation asks for; pure, so that it can be compiled.
        coordinates: (n,) arrays, one for each axis: where the error is wanted.

    Raises:
        PinnlabError: no estimate can be had, and why: three space axes, constraints beside
            variables that evolve, a missing initial condition, or an error equation that the
            classical solvers do not get through.
    """
    begun = _time.monotonic()
    _check(equation)
    tables = Tables(equation, approximation, params)
    counts, finer, left = dict[str, int](), first_counts(equation), 1.0
    while True:
        finer, found, missed = resolved(equation, tables, finer, max(left, _LEAST))
        if finer == counts:
            break
        counts = finer
        made, size, left = _solved(equation, _grid(equation, counts), found, counts, coordinates)
        finer = finer_counts(equation, counts, _unresolved(equation, made))
    error = {n: size[n] * np.asarray(v) for n, v in made.on(coordinates).items()}
    if not all(np.isfinite(e).all() for e in error.values()):
        raise PinnlabError("the equation of the error has no finite solution on its grid")
    return Certificate(error, counts, missed, _time.monotonic() - begun)


def _check(equation: Equation) -> None:
    orders = {equation.variables[n].order for n in equation.variables}
    if len(equation.domain.space) > 2:
        raise PinnlabError("three space axes are too many for its grid")
    if 0 in orders and len(orders) > 1:
        raise PinnlabError("the equation has constraints beside what evolves")
    if 0 in orders and equation.domain.time is not None:
        raise PinnlabError("the equation is one of constraints at each time")
    given = {
        (n, c.order) for c in equation.conditions() if isinstance(c, Initial) for n in c.values
    }
    for name in evolving(equation):
        for order in range(equation.variables[name].order):
            if (name, order) not in given:
                raise PinnlabError(f"'{name}' has no initial condition; data stand for it")


def _grid(equation: Equation, counts: Mapping[str, int]) -> Grid:
    """Even nodes: Fourier on periodic axes, finite differences on others."""
    domain = equation.domain
    return Grid(
        domain,
        {
            a: (Fourier() if domain[a].periodic else FiniteDifference(4), counts[a])
            for a in domain.space
        },
    )


def _unresolved(equation: Equation, made: GridSolution) -> dict[str, float]:
    """Along the space axes the misfit of an estimated error over what is allowed."""
    values = [np.asarray(v) for v in made.values.values()]
    before = 0 if made.times is None else 1
    return {axis: misfit(values, dim + before) / _MISFIT for dim, axis in enumerate(made.grid.axes)}


def _prepared(
    equation: Equation, grid: Grid, found: Arrays, counts: Mapping[str, int]
) -> dict[str, Any]:
    """The tables as :class:`ErrorEquation` takes them, time first."""
    domain = equation.domain
    time, order = domain.time, (domain.time, *domain.space)
    if time is not None:
        moved = [domain.axes.index(str(a)) for a in order]
        found = {name: table.transpose(moved) for name, table in found.items()}
    values = {n: found[n] for n in equation.variables}
    slopes = {(n, a): found[f"{n}:{a}"] for n in equation.variables for a in sloped(equation, n)}
    times = None
    if time is not None:
        shape = (-1,) + (1,) * len(grid.shape)
        times = np.linspace(*ends(equation, time), counts[time]).reshape(shape)
    rates = {n: found[f"{n}:rate"] for n in evolving(equation, 2)}
    first = [{n: table[0] for n, table in tables.items()} for tables in (values, rates)]
    made = {
        "values": values,
        "rates": rates,
        "residual": {n: found[f"{n}:residual"] for n in equation.variables},
        "start": start_mismatch(equation, grid, *first) if time is not None else {},
        "sides": wall_mismatch(equation, grid, times, values, slopes),
    }
    return jax.tree.map(jnp.asarray, made)


def _solved(
    equation: Equation,
    grid: Grid,
    found: Arrays,
    counts: Mapping[str, int],
    coordinates: Mapping[str, np.ndarray],
) -> tuple[GridSolution, dict[str, float], float]:
    """The errors over their sizes, the sizes, and the largest error over the guess at it.

    It is solved once more where the guess was far too large.
    """
    tables, time = _prepared(equation, grid, found, counts), equation.domain.time
    scale = {n: equation.variables[n].scale for n in equation.variables}
    variables = Variables(
        **{n: Variable(f"error of {n}", order=equation.variables[n].order) for n in scale}
    )
    share = guess = _guess(equation, tables)
    largest = 1.0
    for _ in range(2):
        share *= largest
        size = {n: share * s for n, s in scale.items()}
        leaves = {n: jnp.asarray(s) for n, s in size.items()}
        problem = ErrorEquation(equation, tables, leaves, equation.domain, variables)
        if time is None:
            made = solve_steady(problem, grid, tolerance=_RTOL)
        else:
            made = _evolved(problem, grid, coordinates[time])
        largest = max(float(np.max(np.abs(v))) for v in made.values.values())
        if not 0.0 < largest < 1e3 * _ATOL:
            break
    return made, size, share * largest / guess


def _evolved(problem: Equation, grid: Grid, times: np.ndarray) -> GridSolution:
    """The method of lines, compiled as one program: pieces would take longer than the solve."""
    basis = GridDiscretisation(grid)
    lower = problem.domain[str(problem.domain.time)].lower
    state, span = basis.initial(problem), float(times[-1]) - lower
    method = "implicit" if is_stiff(problem, basis, state, span) else "explicit"

    def values(problem: Equation) -> dict[str, Any]:
        return solve_lines(problem, grid, list(times), method, _RTOL, _ATOL).values

    return solution(grid, times, jax.jit(values)(problem))


def _guess(equation: Equation, tables: Mapping[str, Any]) -> float:
    """How large the errors may be over their variables' scales: nothing decays or grows."""
    domain, known, found = equation.domain, equation.variables, [1e-14]
    length = domain[domain.time].length if domain.time is not None else 1.0
    for name, residual in tables["residual"].items():
        variable = known[name]
        time = length**variable.order / variable.scale
        factor = time if variable.order else 1.0 / variable.residual_scale
        found.append(float(jnp.max(jnp.abs(residual))) * factor)
    for missing in (*tables["start"].values(), *tables["sides"]):
        found += [float(jnp.max(jnp.abs(m))) / known[n].scale for n, m in missing.items()]
    return max(found)
