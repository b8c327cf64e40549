r"""Krylov methods for linear steady equations of one variable on a grid, without a matrix.

The residual of the equation itself, boundary conditions included, is :math:`R(w) = A w - b`;
:func:`jax.linearize` gives :math:`w \mapsto A w`. The mean operator, inverted by fast
diagonalization (:mod:`pinnlab.equations.meanoperator`), is the preconditioner, so that the number
of iterations depends on the contrast of the coefficients and not on the grid: about 15 for a
contrast of 4. Pure JAX: members of a family are solved side by side under ``jax.vmap``.

References: Concus & Golub, *SIAM J. Numer. Anal.* 10, 1973, 1103-1120 (fast direct solvers as
preconditioners); van der Vorst, *SIAM J. Sci. Stat. Comput.* 13, 1992, 631-644 (BiCGSTAB).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from pinnlab.core.closure import close, free
from pinnlab.core.errors import DivergenceError, PinnlabError
from pinnlab.core.grid import FiniteDifference, Fourier, Grid
from pinnlab.core.gridfield import GridField
from pinnlab.equations.base import Equation
from pinnlab.equations.meanoperator import MeanOperator, mean_operator
from pinnlab.solvers.gridsolution import GridSolution, solution

_ROUNDING = 30.0  # units in the last place to which a solve can converge
_SLACK = 10.0  # of what is left in the end over the tolerance of the iteration
Linear = Callable[[Any], Any]


class Found(NamedTuple):
    """A solution on the grid, and what the method says of itself."""

    values: Any
    iterations: Any
    left: Any  # the last correction that the residual asks for, relative to the solution
    converged: Any


def solve_krylov(
    equation: Equation, grid: Grid, rtol: float = 1e-8, max_iterations: int = 200
) -> GridSolution:
    """The solution of a linear steady equation of one variable with given sides.

    Conjugate gradients where the operator is symmetric (finite differences of accuracy 2, Fourier
    axes, even derivatives), BiCGSTAB elsewhere. Differentiable with respect to the parameters.
    Under tracing, where nothing can be raised, a solve that fails gives NaN.

    Arguments:
        rtol: of the last correction, relative to the solution; no less than rounding allows.
        max_iterations: at most.

    Raises:
        PinnlabError: an equation that fast diagonalization does not serve (see
            :func:`pinnlab.equations.meanoperator.mean_operator`), or no convergence, as where the
            equation is not linear.
        DivergenceError: numbers that are not finite.
    """
    equation.check()
    kind = type(equation).__name__
    if grid.domain != equation.domain:
        raise PinnlabError(
            f"the grid was made for another domain than the one of {kind}: build it with "
            "Grid(equation.domain, ...)"
        )
    found = _solved(equation, grid, float(rtol), int(max_iterations))
    if not isinstance(found.left, jax.core.Tracer):
        _check(kind, found, max_iterations)
    (name,) = equation.variables
    statistics = {"solver": "Krylov", "iterations": found.iterations, "residual": found.left}
    return solution(grid, None, {name: found.values}, statistics=statistics)


@partial(jax.jit, static_argnames=("grid", "rtol", "limit"))
def _solved(equation: Equation, grid: Grid, rtol: float, limit: int) -> Found:
    mean = mean_operator(equation, grid)
    (name,), conditions = equation.variables, equation.conditions()
    zero = jnp.zeros(grid.shape, jnp.result_type(float))
    mask = free(grid, conditions, name)

    def residual(w: Any) -> Any:
        f = GridField(grid, close(grid, conditions, {name: w}))
        return jnp.where(mask, f.project(equation.rhs(f))[name], zero)

    tolerance = max(rtol, _ROUNDING * float(jnp.finfo(zero.dtype).eps))
    start, operator = jax.linearize(residual, zero)
    w, iterations = _linear_solve(operator, -start, mean, tolerance, limit)
    left = _norm(mean.inverse(residual(w))) / _positive(_norm(mean.inverse(start)))
    left = jnp.where(jnp.isfinite(mean.eigenvalues).all(), left, jnp.nan)  # its inverse may be 0
    good = left <= _SLACK * tolerance
    values = close(grid, conditions, {name: w})[name]
    return Found(jnp.where(good, values, jnp.nan), iterations, left, good)


def _linear_solve(
    operator: Linear, b: Any, mean: MeanOperator, tolerance: float, limit: int
) -> tuple[Any, Any]:
    """w with A w = b, and the number of iterations; derivatives take the same method again."""
    symmetric = mean.even and all(_symmetric(scheme) for _, scheme, _ in mean.grid.items)
    method = conjugate_gradients if symmetric else bicgstab

    def solve(operator: Linear, b: Any) -> tuple[Any, Any]:
        return method(operator, b, mean.inverse, tolerance, limit)

    def turned(operator: Linear, b: Any) -> tuple[Any, Any]:
        back = jax.linear_transpose(mean.inverse, b)
        return method(operator, b, lambda r: back(r)[0], tolerance, limit)

    return jax.lax.custom_linear_solve(
        operator, b, solve, transpose_solve=turned, symmetric=symmetric, has_aux=True
    )


def _symmetric(scheme: Any) -> bool:
    return isinstance(scheme, Fourier) or scheme == FiniteDifference(2)


def conjugate_gradients(
    operator: Linear, b: Any, inverse: Linear, tolerance: float, limit: int
) -> tuple[Any, Any]:
    """Solve A x = b for a symmetric A and a symmetric *inverse*, both definite with one sign.

    Arguments:
        tolerance: of the correction *inverse*(b - A x) relative to *inverse*(b).

    Returns:
        x and the number of iterations, at most *limit*.
    """
    x = inverse(b)
    goal = tolerance * _norm(x)
    r = b - operator(x)
    z = inverse(r)

    def unfinished(state: tuple[Any, ...]) -> Any:
        _, _, z, _, _, count = state
        return (_norm(z) > goal) & (count < limit)

    def step(state: tuple[Any, ...]) -> tuple[Any, ...]:
        x, r, z, p, product, count = state
        image = operator(p)
        share = product / jnp.vdot(p, image)
        x, r = x + share * p, r - share * image
        z = inverse(r)
        after = jnp.vdot(r, z)
        return x, r, z, z + (after / product) * p, after, count + 1

    state = (x, r, z, z, jnp.vdot(r, z), jnp.zeros((), jnp.int32))
    x, *_, count = jax.lax.while_loop(unfinished, step, state)
    return x, count


def bicgstab(
    operator: Linear, b: Any, inverse: Linear, tolerance: float, limit: int
) -> tuple[Any, Any]:
    """The same for any A that *inverse* brings near the identity; two products an iteration."""

    def image(x: Any) -> Any:
        return inverse(operator(x))

    x = inverse(b)
    goal = tolerance * _norm(x)
    first = x - image(x)

    def unfinished(state: tuple[Any, ...]) -> Any:
        return (_norm(state[1]) > goal) & (state[-1] < limit)

    def step(state: tuple[Any, ...]) -> tuple[Any, ...]:
        x, r, p, product, count = state
        v = image(p)
        share = product / jnp.vdot(first, v)
        s = r - share * v
        t = image(s)
        more = jnp.vdot(t, s) / _positive(jnp.vdot(t, t))
        x, r = x + share * p + more * s, s - more * t
        after = jnp.vdot(first, r)
        p = r + (after / product) * (share / more) * (p - more * v)
        return x, r, p, after, count + 1

    state = (x, first, first, jnp.vdot(first, first), jnp.zeros((), jnp.int32))
    x, *_, count = jax.lax.while_loop(unfinished, step, state)
    return x, count


def _norm(values: Any) -> Any:
    return jnp.sqrt(jnp.vdot(values, values))


def _positive(value: Any) -> Any:
    return jnp.maximum(value, jnp.finfo(value.dtype).tiny)


def _check(kind: str, found: Found, limit: int) -> None:
    if not jnp.isfinite(found.left):
        raise DivergenceError(
            f"the Krylov solve of {kind} left the finite numbers: its mean operator has no inverse "
            "(on periodic axes alone a constant is free, which Steady takes), or a coefficient is "
            "not finite"
        )
    if not found.converged:
        raise PinnlabError(
            f"the Krylov solve of {kind} did not converge in {int(found.iterations)} iterations of "
            f"at most {limit} (a correction of {float(found.left):.1e} is left): the equation must "
            "be linear, with coefficients of one sign and moderate contrast; Steady takes others"
        )
