r"""The mean operator of an evolution equation, inverted over all of time at once.

With the equation's coefficients replaced by their means, :math:`u_t = \bar A u + r` falls apart
into one equation for each eigenvector of the axes of space (:mod:`.meanoperator`). On a grid with
an axis of time each of those is a small matrix :math:`D_t - \lambda`, without the first node, where
the solution is known:

.. math:: \hat u_\lambda = (D_t - \lambda)^{-1}\,\hat r_\lambda, \qquad \hat u_\lambda(t_0) = 0

The matrices are made once and do not depend on the member. Reference: Lynch, Rice & Thomas, *Direct
solution of partial difference equations by tensor product methods*, Numer. Math. 6, 1964, 185-199.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from pinnlab.core.errors import PinnlabError
from pinnlab.core.grid import Grid
from pinnlab.equations.base import Equation
from pinnlab.equations.meanoperator import along, eigenvalues, products

_LARGEST = 1 << 24  # numbers in the matrices of all eigenvectors together


@dataclass(frozen=True, eq=False)
class EvolutionOperator:
    """The inverse on a grid whose first axis is time.

    Arguments:
        grid: with the axis of time.
        inverses: (m, n - 1, n - 1), of m eigenvectors in space and n nodes in time.
    """

    grid: Grid
    inverses: np.ndarray

    def inverse(self, values: Any) -> Any:
        """Of the grid's shape, zero at the first time and at given sides: the solution for the
        right-hand side *values*."""
        axes = [along(self.grid, name) for name in self.grid.axes[1:]]
        made = values[(slice(1, None), *(a.inner for a in axes))]
        shape, space = made.shape, range(1, made.ndim)
        made = products([a.forward for a in axes], made, space)
        matrices = jnp.asarray(self.inverses, made.dtype)
        made = jnp.einsum("mij,jm->im", matrices, made.reshape(shape[0], -1)).reshape(shape)
        made = products([a.backward for a in axes], made, space)
        ends = [(a.inner.start or 0, -(a.inner.stop or 0)) for a in axes]
        return jnp.pad(made, [(1, 0), *ends])


def evolution_operator(equation: Equation, grid: Grid) -> EvolutionOperator:
    """That of an equation of one variable of order 1 on a grid whose first axis is time.

    What is not linear is taken at zero.

    Raises:
        PinnlabError: another order or more variables, a grid without time in front, coefficients
            that differ between members, or so many nodes that the matrices would not fit.
    """
    kind, time = type(equation).__name__, equation.domain.time
    names = equation.variables.names
    if time is None or grid.axes[:1] != (time,):
        raise PinnlabError(f"{kind}: the grid of operator.physics needs '{time}' as its first axis")
    if len(names) != 1 or equation.variables[names[0]].order != 1:
        raise PinnlabError(f"{kind}: norm=solution takes one variable of order 1 in time")
    with jax.ensure_compile_time_eval():
        found = eigenvalues(equation, grid, grid.axes[1:])[1]
    if isinstance(found, jax.core.Tracer):
        raise PinnlabError(
            f"{kind}: norm=solution needs coefficients that all members share; take norm=mean"
        )
    span, scheme, n = grid[time]
    values = np.asarray(found, float).reshape(-1)
    if values.size * (n - 1) ** 2 > _LARGEST:
        raise PinnlabError(
            f"{kind}: norm=solution on {'x'.join(map(str, grid.shape))} nodes takes matrices of "
            f"{values.size * (n - 1) ** 2:.1g} numbers; take a smaller operator.physics.grid"
        )
    slope = scheme.matrix(span, n, 1)[1:, 1:]
    inverses = np.linalg.inv(slope - values[:, None, None] * np.eye(n - 1))
    return EvolutionOperator(grid, inverses)
