r"""Variables of order 0 on a grid: the linear equation that makes ``rhs`` zero.

At each time the constraint :math:`R(w) = R(0) + A w = 0` is solved for the variables w. On a grid
that is periodic along every axis and with constant coefficients, A is a convolution and is
inverted by its Fourier symbol (where that vanishes, as for the mean of a stream function, w has
no such mode). Otherwise A is a dense matrix, boundary conditions included, factorised once if it
stays the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import jax.scipy.linalg as jsl

from pinnlab.core.closure import close, free
from pinnlab.core.errors import PinnlabError
from pinnlab.core.grid import Fourier, Grid
from pinnlab.core.gridfield import GridField
from pinnlab.equations.base import Equation

LARGEST = 4096  # unknowns of a dense factorisation: 134 MB a matrix in double precision
Arrays = Mapping[str, Any]


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Prepared:
    """The inverse of the constraints' operator.

    ``inverse`` is the real and the imaginary part of the symbol's (*modes, m, m), or the factors
    of the matrix. Where the operator is not the same always, ``constant`` is False.
    """

    by_symbol: bool = field(metadata={"static": True})
    inverse: tuple[Any, Any]
    constant: Any
    linear: Any


def constrained(equation: Equation) -> list[str]:
    """The variables of order 0."""
    return [name for name in equation.variables if not equation.variables[name].order]


def prepare(equation: Equation, grid: Grid, values: Arrays, rates: Arrays, t: Any) -> Any:
    """What :func:`solve` needs, or None without constraints.

    Raises:
        PinnlabError: more than 4096 unknowns where only a dense solve is possible, or a
            constraint that is not linear in the variables of order 0.
    """
    names = constrained(equation)
    if not names:
        return None
    if all(isinstance(scheme, Fourier) for _, scheme, _ in grid.items):
        found = _by_symbol(equation, grid, dict(values), dict(rates), t)
        if _true(found.constant):
            return found
    size = len(names) * math.prod(grid.shape)
    if size > LARGEST:
        raise PinnlabError(
            f"the constraint of '{names[0]}' in {type(equation).__name__} has {size} unknowns on "
            f"the grid {grid.shape}; a dense solve takes {LARGEST} at most: use fewer points, or "
            "periodic axes and constant coefficients, where it is solved by its Fourier symbol"
        )
    found = _by_matrix(equation, grid, dict(values), dict(rates), t)
    if not _true(found.linear):
        raise PinnlabError(
            f"the constraint of '{names[0]}' in {type(equation).__name__}.rhs is not linear in the "
            "variables of order 0, which the method of lines needs: solve it for the variable, or "
            "give that variable an evolution equation of its own"
        )
    return found


def _true(flag: Any) -> bool:
    """Whether *flag* holds, as far as can be told while tracing."""
    return isinstance(flag, jax.core.Tracer) or bool(flag)


def symbol_holds(equation: Equation, grid: Grid) -> bool:
    """Whether the constraints are linear with constant coefficients on a periodic grid."""
    return bool(_by_symbol(equation, grid, {}, {}, None).constant)


def solve(
    prepared: Any, equation: Equation, grid: Grid, values: Arrays, rates: Arrays, t: Any
) -> dict[str, Any]:
    """The variables of order 0, with which the constraints hold at one time."""
    if prepared is None:
        return {}
    names = constrained(equation)
    zero = jnp.zeros((len(names), *grid.shape), jnp.result_type(float))
    if prepared.by_symbol:
        w = _convolve(
            jax.lax.complex(*prepared.inverse), -rows(equation, grid, values, rates, t)(zero)
        )
        # A symbol that does not hold (under tracing nothing can be raised) is no solution: make
        # what follows unusable rather than wrong.
        return dict(zip(names, jnp.where(prepared.constant, w, jnp.nan), strict=True))
    closed = _closed_rows(equation, grid, values, rates, t)
    start = closed(zero).ravel()
    w = jax.lax.cond(
        prepared.constant,
        lambda: jsl.lu_solve(prepared.inverse, -start),
        lambda: jnp.linalg.solve(matrix_of(jax.linearize(closed, zero)[1], zero), -start),
    )
    w = dict(zip(names, w.reshape(zero.shape), strict=True))
    return close(grid, equation.conditions(), w, t)


def rows(equation: Equation, grid: Grid, values: Arrays, rates: Arrays, t: Any) -> Callable:
    """w -> R(w), both (variables of order 0, *grid)."""
    names = constrained(equation)

    def inside(w: Any) -> Any:
        whole = {**values, **dict(zip(names, w, strict=True))}
        f = GridField(grid, whole, t, rates)
        sides = equation.rhs(f)
        return jnp.stack(list(f.project({name: sides[name] for name in names}).values()))

    return inside


def _closed_rows(equation: Equation, grid: Grid, values: Arrays, rates: Arrays, t: Any) -> Callable:
    """As :func:`rows`, with the boundary conditions in place of the rows of their end nodes."""
    names, conditions = constrained(equation), equation.conditions()
    inside = rows(equation, grid, values, rates, t)
    masks = jnp.stack([free(grid, conditions, name) for name in names])

    def whole(w: Any) -> Any:
        closed = close(grid, conditions, dict(zip(names, w, strict=True)), t)
        stacked = jnp.stack(list(closed.values()))
        return jnp.where(masks, inside(stacked), w - stacked)

    return whole


def matrix_of(linear: Callable, like: Any) -> Any:
    """The (size, size) matrix of a linear map of arrays *like* the one given, by blocks of columns
    to bound memory."""

    def column(direction: Any) -> Any:
        return linear(direction.reshape(like.shape)).ravel()

    return jax.lax.map(column, jnp.eye(like.size, dtype=like.dtype), batch_size=256).T


def _elsewhere(equation: Equation, values: Arrays, t: Any) -> tuple[dict[str, Any], Any]:
    """Another state and time, to see whether an operator depends on them."""
    key = jax.random.key(7)
    moved = {
        name: value
        + equation.variables[name].scale
        * jax.random.normal(jax.random.fold_in(key, i), value.shape, value.dtype)
        for i, (name, value) in enumerate(values.items())
    }
    time = equation.domain.time
    return moved, t if time is None else t + 0.37 * equation.domain[time].length


def _probe(equation: Equation, zero: Any) -> Any:
    """Random values of the variables' own magnitude."""
    scale = [equation.variables[name].scale for name in constrained(equation)]
    size = jnp.asarray(scale, zero.dtype).reshape(-1, *[1] * (zero.ndim - 1))
    return size * jax.random.normal(jax.random.key(8), zero.shape, zero.dtype)


def _agree(a: Any, b: Any) -> Any:
    return jnp.max(jnp.abs(a - b)) <= 1e4 * jnp.finfo(a.dtype).eps * jnp.max(jnp.abs(a))


@partial(jax.jit, static_argnames="grid")
def _by_matrix(equation: Equation, grid: Grid, values: Any, rates: Any, t: Any) -> Prepared:
    zero = jnp.zeros((len(constrained(equation)), *grid.shape), jnp.result_type(float))
    here = _closed_rows(equation, grid, values, rates, t)
    moved, later = _elsewhere(equation, values, t)
    there = _closed_rows(equation, grid, moved, rates, later)
    probe = _probe(equation, zero)
    start, tangent = jax.linearize(here, zero)
    matrix, response = matrix_of(tangent, zero), (here(probe) - start).ravel()
    linear = _agree(matrix @ probe.ravel(), response)
    constant = _agree((there(probe) - there(zero)).ravel(), response)
    # As for a symbol: what is not linear must not go unseen where nothing can be raised.
    return Prepared(False, jsl.lu_factor(jnp.where(linear, matrix, jnp.nan)), constant, linear)


@partial(jax.jit, static_argnames="grid")
def _by_symbol(equation: Equation, grid: Grid, values: Any, rates: Any, t: Any) -> Prepared:
    m, shape = len(constrained(equation)), grid.shape
    zero = jnp.zeros((m, *shape), jnp.result_type(float))
    here = rows(equation, grid, values, rates, t)
    start, origin = here(zero), (0,) * len(shape)
    columns = [here(zero.at[(j, *origin)].set(1.0)) - start for j in range(m)]
    symbol = jnp.stack([_forward(column) for column in columns], axis=-1)  # (m, *modes, m)
    symbol = jnp.moveaxis(symbol, 0, -2)
    probe = _probe(equation, zero)
    moved, later = _elsewhere(equation, values, t)
    there = rows(equation, grid, moved, rates, later)
    response = _convolve(symbol, probe)
    constant = _agree(here(probe) - start, response) & _agree(there(probe) - there(zero), response)
    inverse = _pseudo_inverse(symbol)
    # In two real parts: Diffrax, which carries them, warns of complex numbers.
    return Prepared(True, (inverse.real, inverse.imag), constant, constant)


def _pseudo_inverse(symbol: Any) -> Any:
    """The inverse of each mode's matrix; zero where it vanishes against the largest of all."""
    u, s, v = jnp.linalg.svd(symbol, full_matrices=False)
    kept = s > 1e3 * jnp.finfo(s.dtype).eps * jnp.max(s)
    inverse = jnp.where(kept, 1.0 / jnp.where(kept, s, 1.0), 0.0)
    return jnp.einsum("...ji,...j,...kj->...ik", v.conj(), inverse.astype(v.dtype), u.conj())


def _forward(values: Any) -> Any:
    """The real transform over the grid; a grid without axes is its own."""
    axes = tuple(range(1, values.ndim))
    return jnp.fft.rfftn(values, axes=axes) if axes else values


def _convolve(symbol: Any, values: Any) -> Any:
    shape = values.shape[1:]
    spectrum = jnp.einsum("...ij,j...->i...", symbol, _forward(values))
    axes = tuple(range(1, values.ndim))
    return jnp.fft.irfftn(spectrum, shape, axes=axes) if axes else spectrum
