r"""Newton's method for steady problems on a grid.

All variables are unknowns, ``rhs`` is zero: that of a variable of order 0 is its equation, that of
an evolution equation its equilibrium. Each Jacobian is dense, boundary conditions included.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import jax.scipy.linalg as jsl
import numpy as np

from pinnlab.core.closure import close, free
from pinnlab.core.errors import PinnlabError
from pinnlab.core.grid import Fourier, Grid
from pinnlab.core.gridfield import GridField
from pinnlab.core.parameters import evaluate
from pinnlab.equations.base import Equation
from pinnlab.solvers import constraints
from pinnlab.solvers.discretisation import evolving, untraced
from pinnlab.solvers.gridsolution import GridSolution, solution

_SHORTEST = 2.0**-10  # of the line search


class Iterate(NamedTuple):
    """Where Newton's method is: values (variables, *grid), and what it says of itself."""

    w: Any
    iterations: Any
    correction: Any  # the last one against the size of w
    residual: Any  # each row over the sum of the magnitudes of its coefficients
    growth: Any  # of a random right-hand side by the inverse of the Jacobian, scaled


def solve_steady(
    equation: Equation,
    grid: Grid,
    initial: Mapping[str, Any] | None = None,
    time: float | None = None,
    tolerance: float | None = None,
    max_iterations: int = 50,
) -> GridSolution:
    """The steady solution of *equation*; differentiable with respect to its parameters.

    A linear equation takes one iteration. On a grid that is periodic along every axis, a linear
    one with constant coefficients is solved by its Fourier symbol, with zero mean where the mean
    is free.

    Arguments:
        initial: for some variables the values to start from: numbers, coefficients, functions of
            the coordinates or arrays on the grid. The variable's offset by default.
        time: the time at which an evolution equation is taken; the start of its axis by default.
        tolerance: of the last correction relative to the solution; 1e-10 by default (1e-4 in
            single precision).

    Raises:
        PinnlabError: more than 4096 unknowns, a solution that is not unique, a source that the
            equation cannot balance, or no convergence.
    """
    equation.check()
    if grid.domain != equation.domain:
        raise PinnlabError(
            f"the grid was made for another domain than the one of {type(equation).__name__}: "
            "build it with Grid(equation.domain, ...)"
        )
    axis = equation.domain.time
    if axis is not None:
        time = equation.domain[axis].lower if time is None else time
    if _periodic(equation, grid):
        return _by_symbol(equation, grid)
    size = len(equation.variables) * int(np.prod(grid.shape))
    if size > constraints.LARGEST:
        raise PinnlabError(
            f"{type(equation).__name__} has {size} unknowns on the grid {grid.shape}; the steady "
            f"solver takes {constraints.LARGEST} at most: use fewer points (a Chebyshev grid needs "
            "few), or integrate an evolution equation in time until it rests"
        )
    tolerance = tolerance or max(1e-10, 1e3 * float(jnp.finfo(float).eps))
    found = _newton(
        equation, _start(equation, grid, initial or {}, time), time, grid, tolerance, max_iterations
    )
    if not isinstance(found.correction, jax.core.Tracer):
        _check(equation, found, tolerance)
    values = dict(zip(equation.variables, found.w, strict=True))
    statistics = {"solver": "Newton", "iterations": found.iterations, "residual": found.residual}
    return solution(grid, None, values, statistics=statistics)


def _start(equation: Equation, grid: Grid, given: Mapping[str, Any], time: Any) -> Any:
    dtype = jnp.result_type(float)
    x: dict[str, Any] = {a: jnp.asarray(c, dtype) for a, c in grid.coordinates.items()}
    if time is not None:
        x[str(equation.domain.time)] = jnp.asarray(time, dtype)
    values = [
        evaluate(given.get(name, equation.variables[name].offset), x) for name in equation.variables
    ]
    return jnp.stack([jnp.broadcast_to(jnp.asarray(v, dtype), grid.shape) for v in values])


def _system(equation: Equation, grid: Grid, time: Any) -> Any:
    """w -> what shall be zero: rhs, and the conditions at end nodes; both (variables, *grid)."""
    names, conditions = list(equation.variables), equation.conditions()
    masks = jnp.stack([free(grid, conditions, name) for name in names])
    rest = {name: jnp.zeros(grid.shape, jnp.result_type(float)) for name in evolving(equation, 2)}

    def rows(w: Any) -> Any:
        closed = close(grid, conditions, dict(zip(names, w, strict=True)), time)
        f = GridField(grid, closed, time, rest)
        sides = equation.rhs(f)
        inside = jnp.stack(list(f.project({name: sides[name] for name in names}).values()))
        return jnp.where(masks, inside, w - jnp.stack([closed[name] for name in names]))

    return rows


@partial(jax.jit, static_argnames=("grid", "tolerance", "limit"))
def _newton(
    equation: Equation, start: Any, time: Any, grid: Grid, tolerance: float, limit: int
) -> Iterate:
    """The root, with derivatives from the implicit function theorem."""
    rows = _system(equation, grid, time)
    scale = jnp.asarray([equation.variables[n].scale for n in equation.variables], start.dtype)
    size = jnp.broadcast_to(scale.reshape(-1, *[1] * (start.ndim - 1)), start.shape)

    def solve(rows: Any, w: Any) -> tuple[Any, Any]:
        nothing = jnp.asarray(jnp.inf, w.dtype)
        zero = jnp.zeros((), w.dtype)
        first = Iterate(w, zero, nothing, nothing, zero)

        def unfinished(at: Iterate) -> Any:
            alive = jnp.isfinite(at.w).all() & (at.iterations < limit) & ~_singular(at)
            return alive & (at.correction > tolerance)

        found = jax.lax.while_loop(unfinished, lambda at: _iterate(rows, at, size), first)
        return found.w, found[1:]

    def tangent(linear: Any, y: Any) -> Any:
        matrix = constraints.matrix_of(linear, y)
        return jnp.linalg.solve(matrix, y.ravel()).reshape(y.shape)

    w, said = jax.lax.custom_root(rows, start, solve, tangent, has_aux=True)
    return Iterate(w, *said)


def _iterate(rows: Any, at: Iterate, size: Any) -> Iterate:
    """One step with a line search, and a correction with the same factors.

    The correction is the estimate of what is still wrong; for a linear equation it is rounding.
    """
    here, tangent = jax.linearize(rows, at.w)
    matrix = constraints.matrix_of(tangent, at.w) * size.ravel()[None, :]
    sums = jnp.sum(jnp.abs(matrix), axis=1)
    weight = jnp.where(sums > 0, 1.0 / jnp.where(sums > 0, sums, 1.0), 1.0)
    factors = jsl.lu_factor(matrix * weight[:, None])

    def step(value: Any) -> Any:
        scaled = jsl.lu_solve(factors, -value.ravel() * weight)
        return scaled.reshape(value.shape) * size

    def norm(value: Any) -> Any:
        return jnp.max(jnp.abs(value.ravel() * weight))

    full = step(here)
    share, left = _search(rows, at.w, full, norm, here)
    near = at.w + share * full
    more = step(left)
    after = rows(near + more)
    better = (norm(after) <= norm(left)) & (share == 1.0)
    w, rest = jnp.where(better, near + more, near), jnp.where(better, after, left)
    space = tuple(range(1, w.ndim))
    largest = jnp.maximum(jnp.max(jnp.abs(w), space, keepdims=True), 1e-3 * size)
    correction = jnp.where(share == 1.0, jnp.max(jnp.abs(more) / largest), jnp.inf)
    probe = jax.random.normal(jax.random.key(0), weight.shape, here.dtype)
    return Iterate(
        w,
        at.iterations + 1,
        correction,
        norm(rest) / jnp.max(jnp.abs(w / size)),
        jnp.max(jnp.abs(jsl.lu_solve(factors, probe))),
    )


def _search(rows: Any, w: Any, full: Any, norm: Any, here: Any) -> tuple[Any, Any]:
    """The largest halving of the step *full* that lowers the norm, and the rows there."""

    def worse(tried: tuple[Any, Any]) -> Any:
        share, value = tried
        fallen = norm(value) <= (1.0 - 0.25 * share) * norm(here)
        return ~(fallen | (norm(value) == 0.0)) & (share > _SHORTEST)

    def shorter(tried: tuple[Any, Any]) -> tuple[Any, Any]:
        share = 0.5 * tried[0]
        return share, rows(w + share * full)

    untried = (jnp.asarray(2.0, here.dtype), jnp.full_like(here, jnp.inf))
    return jax.lax.while_loop(worse, shorter, untried)


def _singular(at: Iterate) -> Any:
    """Whether the inverse makes more of a number of order one than rounding can carry."""
    return ~(at.growth < 0.01 / jnp.finfo(at.w.dtype).eps)


def _check(equation: Equation, found: Iterate, tolerance: float) -> None:
    kind = type(equation).__name__
    converged = float(found.correction) <= tolerance
    balanced = float(found.residual) < float(jnp.finfo(found.w.dtype).eps) ** 0.75
    if bool(_singular(found)) or (balanced and not converged):
        raise PinnlabError(
            f"{kind} has no unique steady solution on this grid: its Jacobian is singular. Fix the "
            "value somewhere (a Dirichlet or Robin side; derivatives alone leave a constant free)"
        )
    if not converged:
        raise PinnlabError(
            f"the steady solve of {kind} did not converge in {int(found.iterations)} iterations "
            f"(residual {float(found.residual):.1e}): give it an initial guess closer to the "
            "solution, or integrate in time towards it"
        )


def _periodic(equation: Equation, grid: Grid) -> bool:
    """Whether a Fourier symbol is enough: decided with the parameters' defaults under tracing."""
    fourier = all(isinstance(scheme, Fourier) for _, scheme, _ in grid.items)
    if not grid.items or not fourier or evolving(equation):
        return False
    with jax.ensure_compile_time_eval():
        return constraints.symbol_holds(untraced(equation), grid)


def _by_symbol(equation: Equation, grid: Grid) -> GridSolution:
    prepared = constraints.prepare(equation, grid, {}, {}, None)
    values = constraints.solve(prepared, equation, grid, {}, {}, None)
    field = GridField(grid, values)
    left = field.project(equation.rhs(field))
    source = constraints.rows(equation, grid, {}, {}, None)(
        jnp.zeros((len(values), *grid.shape), jnp.result_type(float))
    )
    largest = jnp.max(jnp.stack([jnp.max(jnp.abs(v)) for v in left.values()]))
    residual = largest / jnp.maximum(jnp.max(jnp.abs(source)), jnp.finfo(float).tiny)
    if not isinstance(residual, jax.core.Tracer) and not float(residual) < 1e-6:
        raise PinnlabError(
            f"{type(equation).__name__} has no periodic solution: its source has a part that the "
            "operator cannot balance (for a Poisson equation the mean, which must be zero)"
        )
    statistics = {"solver": "Fourier symbol", "iterations": 1, "residual": residual}
    return solution(grid, None, values, statistics=statistics)
