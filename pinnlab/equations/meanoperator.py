r"""The mean operator of a linear equation, inverted by fast diagonalization.

With its coefficients replaced by their means over a grid, an operator of second order is a sum of
operators of one axis each. Those are diagonal in the eigenvectors of the axes' second
derivatives :math:`D_i = Q_i \Lambda_i Q_i^{-1}`, so that its inverse takes two small matrix
products an axis:

.. math:: \bar A = \sum_i a_i D_i + c = Q \Bigl(\sum_i a_i \Lambda_i + c\Bigr) Q^{-1},
    \qquad Q = \bigotimes_i Q_i

Reference: Lynch, Rice & Thomas, *Direct solution of partial difference equations by tensor product
methods*, Numer. Math. 6, 1964, 185-199.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from pinnlab.core.conditions import Boundary
from pinnlab.core.domain import Axis, Domain
from pinnlab.core.errors import PinnlabError
from pinnlab.core.field import Field, Orders
from pinnlab.core.grid import Grid, Scheme
from pinnlab.core.parameters import evaluate_on, varies
from pinnlab.equations.base import Equation

_ROUNDING = 1e-9  # of eigenvalues, relative to the largest


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class MeanOperator:
    """The operator with constant coefficients that is nearest to that of an equation.

    Arguments:
        grid: where it acts; the ends of axes that are not periodic have given values.
        eigenvalues: of the grid's inner nodes' shape.
        even: whether the equation asks for even derivatives only, so that its operator is
            symmetric where the grid's are.
    """

    grid: Grid = field(metadata={"static": True})
    even: bool = field(metadata={"static": True})
    eigenvalues: Any

    def inverse(self, values: Any, power: float = 1.0) -> Any:
        """Of the grid's shape, zero at the ends: the solution with the right-hand side *values*.

        With *power* 1/2 the root of the inverse's magnitude, whose squares sum to the dual norm
        of *values* (the energy of the solution).
        """
        axes = [along(self.grid, name) for name in self.grid.axes]
        made = values[tuple(a.inner for a in axes)]
        made = products([a.forward for a in axes], made, range(made.ndim))
        if power == 1.0:
            made = made / self.eigenvalues
        else:
            made = made * jnp.abs(self.eigenvalues) ** -power
        made = products([a.backward for a in axes], made, range(made.ndim))
        ends = [(a.inner.start or 0, -(a.inner.stop or 0)) for a in axes]
        return jnp.pad(made, ends)


def mean_operator(equation: Equation, grid: Grid) -> MeanOperator:
    """That of an equation of one variable on a grid of space.

    Parameters that vary over the grid are taken by their arithmetic mean. First derivatives are
    left out, and what is not linear is taken at zero.

    Raises:
        PinnlabError: more than one variable, a time axis, derivatives of an order above two, or a
            side that gives another thing than the value.
    """
    kind = type(equation).__name__
    if equation.domain.time is not None or len(equation.variables) != 1:
        raise PinnlabError(
            f"{kind}: fast diagonalization takes a steady equation of one variable; "
            "Steady takes others"
        )
    even, found = eigenvalues(equation, grid, grid.axes)
    return MeanOperator(grid, even, found)


def eigenvalues(equation: Equation, grid: Grid, space: tuple[str, ...]) -> tuple[bool, Any]:
    """Whether the equation asks for even derivatives only, and the eigenvalues of its mean
    operator on the inner nodes of the axes *space*, of their shape.

    Raises:
        PinnlabError: as :func:`mean_operator`.
    """
    _check_sides(equation, grid, space)
    even, second, zeroth = _coefficients(_averaged(equation, grid), space)
    dtype = jnp.result_type(float)
    total = jnp.broadcast_to(jnp.asarray(zeroth, dtype), [1] * len(space))
    for dim, name in enumerate(space):
        shape = [-1 if i == dim else 1 for i in range(len(space))]
        total = total + second[name] * jnp.asarray(along(grid, name).values.reshape(shape), dtype)
    return even, total


def _check_sides(equation: Equation, grid: Grid, space: tuple[str, ...]) -> None:
    (variable,) = equation.variables
    given = {
        (c.axis, side)
        for c in equation.conditions()
        if isinstance(c, Boundary) and c.fixes_value and variable in c.values
        for side in c.sides
    }
    for axis in space:
        if not grid.domain[axis].periodic and not {(axis, "lower"), (axis, "upper")} <= given:
            raise PinnlabError(
                f"{type(equation).__name__}: fast diagonalization needs the value of '{variable}' "
                f"at both ends of axis '{axis}' (Dirichlet); Steady takes other sides"
            )


def _averaged(equation: Equation, grid: Grid) -> Equation:
    """*equation* with the mean of each parameter that varies."""
    dtype = jnp.result_type(float)
    x = {a: jnp.asarray(c, dtype) for a, c in grid.coordinates.items()}
    means = {
        name: jnp.mean(jnp.asarray(evaluate_on(value, grid.nodes, x), dtype))
        for name in equation.parameters()
        if varies(value := getattr(equation, name))
    }
    return equation.replace(**means) if means else equation


def _coefficients(equation: Equation, space: tuple[str, ...]) -> tuple[bool, dict[str, Any], Any]:
    """Whether all derivatives are even, the factor of each axis' second one, and of the values."""
    (variable,), domain = equation.variables, equation.domain
    dtype = jnp.result_type(float)
    middle = {a: jnp.asarray(0.5 * (s.lower + s.upper), dtype) for a, s in domain.items}
    asked: dict[Orders, None] = {}

    def side(slots: Callable[[Orders], Any]) -> Any:
        f = _Constant(domain, equation.variables.names, middle, slots)
        return jnp.asarray(equation.rhs(f)[variable], dtype)

    def noted(orders: Orders) -> Any:
        asked[orders] = None
        return jnp.zeros((), dtype)

    jax.eval_shape(lambda: side(noted))
    zeros = dict.fromkeys(asked, jnp.zeros((), dtype))
    factors = jax.jacfwd(lambda values: side(values.__getitem__))(zeros)
    kind = type(equation).__name__
    for orders in asked:
        if sum(order for _, order in orders) > 2:
            raise PinnlabError(f"{kind}: fast diagonalization takes derivatives up to the second")
    second = {a: factors.get(((a, 2),), jnp.zeros((), dtype)) for a in space}
    even = all(order % 2 == 0 for orders in asked for _, order in orders)
    return even, second, factors.get((), jnp.zeros((), dtype))


class _Constant(Field):
    """A field of numbers, one for each derivative, of an equation with constant coefficients: the
    derivative of a function of it is the same function of further derivatives."""

    def __init__(
        self,
        domain: Domain,
        names: tuple[str, ...],
        coordinates: Mapping[str, Any],
        slots: Callable[[Orders], Any],
        further: Orders = (),
    ):
        self.domain, self.names = domain, names
        self._coordinates, self._slots, self._further = coordinates, slots, further

    @property
    def coordinates(self) -> Mapping[str, Any]:
        return self._coordinates

    def derivative(self, name: str, orders: Orders) -> Any:
        return self._slots(_sum(orders, self._further))

    def differentiate(self, what: Callable[[Field], Any], orders: Orders) -> Any:
        further = _sum(orders, self._further)
        return what(_Constant(self.domain, self.names, self._coordinates, self._slots, further))


def _sum(a: Orders, b: Orders) -> Orders:
    total = dict(a)
    for axis, order in b:
        total[axis] = total.get(axis, 0) + order
    return tuple(sorted(total.items()))


@dataclass(frozen=True, eq=False)
class _Diagonal:
    """The second derivative along one axis between its unknowns: the (m, m) matrices to and from
    the coefficients of its eigenvectors, its (m,) eigenvalues, and which nodes are unknowns."""

    inner: slice
    forward: np.ndarray
    backward: np.ndarray
    values: np.ndarray


def along(grid: Grid, name: str) -> _Diagonal:
    """The second derivative along one axis, diagonal."""
    return _diagonal(*grid[name], name)


@lru_cache(maxsize=64)
def _diagonal(axis: Axis, scheme: Scheme, n: int, name: str) -> _Diagonal:
    inner = slice(None) if axis.periodic else slice(1, -1)
    matrix = scheme.matrix(axis, n, 2)[inner, inner]
    if np.abs(matrix - matrix.T).max() <= _ROUNDING * np.abs(matrix).max():
        values, backward = np.linalg.eigh(0.5 * (matrix + matrix.T))
        return _Diagonal(inner, backward.T, backward, values)
    values, backward = np.linalg.eig(matrix)
    if np.abs(np.imag(values)).max() > _ROUNDING * np.abs(values).max():
        raise PinnlabError(
            f"axis '{name}': the second derivative by {scheme} on {n} nodes has no real "
            "eigenvalues, which fast diagonalization needs; take another scheme"
        )
    values, backward = np.real(values), np.real(backward)
    return _Diagonal(inner, np.linalg.inv(backward), backward, values)


def products(matrices: list[np.ndarray], values: Any, dims: Iterable[int]) -> Any:
    """One matrix along each of the dimensions *dims*."""
    for matrix, dim in zip(matrices, dims, strict=True):
        made = jnp.tensordot(jnp.asarray(matrix, values.dtype), values, axes=(1, dim))
        values = jnp.moveaxis(made, 0, dim)
    return values
