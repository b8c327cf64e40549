r"""Terms of an operator: rows of one member of a family, on grids.

The points of these terms are members, given by the values that they differ in. Each row is so
scaled that the sum of a member's squares is a relative error, or a mean square over the grid:

.. math:: \sum_j r_j^2 = \frac{|u - u^*|^2}{|u^*|^2}, \qquad
    \sum_j r_j^2 = \frac1{|\Omega|}\int_\Omega (R/s)^2\,dx
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import jax.numpy as jnp
import numpy as np

from pinnlab.core.errors import PinnlabError, choose
from pinnlab.core.grid import Grid
from pinnlab.core.gridfield import GridField
from pinnlab.equations.base import Equation
from pinnlab.equations.evolutionoperator import evolution_operator
from pinnlab.equations.family import Family
from pinnlab.equations.meanoperator import mean_operator
from pinnlab.models.gridconditions import exactly
from pinnlab.models.operator import OperatorModel
from pinnlab.terms.base import Batch, Term

Draw = Callable[[Any, int, bool], Batch]  # key, number, whether for a step -> columns of members
INPUT, SOLUTION = "_input_", "_solution_"  # before names: members are no places
_POWERS = {"energy": 0.5, "solution": 1.0}  # of the mean operator's inverse, by norm


@dataclass(frozen=True, eq=False)
class InstanceTerm(Term):
    """A term whose points are members of a family.

    Arguments:
        family: of the members.
        grid: where the rows are.
        drawn: gives the columns of members: ``_input_NAME`` (N, *family.grid), and for pairs
            ``_solution_NAME`` (N, *grid).
        name: of the term.
        share: members in a batch, relative to the run's.
    """

    family: Family
    grid: Grid
    drawn: Draw
    name: str
    share: float = 1.0

    def draw(self, key: Any, n: int, step: bool) -> Batch:
        return self.drawn(key, n, step)

    def inputs(self, point: Batch) -> dict[str, Any]:
        """By name, what one row of the columns differs in."""
        return {name: point[INPUT + name] for name in self.family.names}

    def member_of(self, equation: Equation, inputs: Mapping[str, Any]) -> Equation:
        """The equation with these inputs."""
        return replace(self.family, equation=equation).member(inputs)

    def member(self, equation: Equation, point: Batch) -> Equation:
        """The equation that one row of the columns stands for."""
        return self.member_of(equation, self.inputs(point))


@dataclass(frozen=True, eq=False)
class PairTerm(InstanceTerm):
    """(u - u*) / |u*| at the nodes, for each variable that the columns hold."""

    name: str = "pairs"

    def row(self, model: OperatorModel, params: Any, equation: Equation, point: Batch) -> Any:  # type: ignore[override]
        found = model.apply(params, self.member(equation, point), self.grid)
        truth = {c.removeprefix(SOLUTION): v for c, v in point.items() if c.startswith(SOLUTION)}
        return relative_rows(found, truth)


def relative_rows(found: Mapping[str, Any], truth: Mapping[str, Any]) -> Any:
    """(u - u*) / |u*| of each variable of *truth*, in one array; u where u* vanishes."""
    rows = []
    for name, values in truth.items():
        error, square = (found[name] - values).reshape(-1), jnp.sum(values**2)
        rows.append(error / jnp.sqrt(jnp.where(square > 0.0, square, 1.0)))
    return jnp.concatenate(rows)


@dataclass(frozen=True, eq=False)
class PhysicsTerm(InstanceTerm):
    r"""The equation's residual on a grid of its own.

    With ``norm="mean"`` its mean square over the domain, by the grid's quadrature. That hardly
    sees errors of long waves, as second derivatives weigh a wave k with :math:`k^2`. Two others
    are for equations of second order in space and one variable with given sides:

    .. math:: \sum_j r_j^2 = \frac{|\bar A^{-p} R(u)|^2}{|\bar A^{-p} R(0)|^2}

    for the mean operator :math:`\bar A` (:mod:`pinnlab.equations.meanoperator`). ``energy``, p =
    1/2, is the residual's dual norm: about the relative error of the solution's gradient.
    ``solution``, p = 1, is about the relative error of the solution, for operators that are not
    definite (Helmholtz), and for evolution equations with time in the grid, where :math:`\bar A`
    is :math:`\partial_t` less the mean operator (:mod:`pinnlab.equations.evolutionoperator`).
    For linear equations with constant coefficients it is that error, as though one trained on the
    grid's own solutions; what is not linear is taken at zero in it. Reference: Rojas, Maczuga,
    Munoz-Matute, Pardo & Paszynski, *Robust variational physics-informed neural networks*, Comput.
    Methods Appl. Mech. Eng. 425, 2024.

    Arguments:
        norm: ``mean``, ``energy`` or ``solution``.

    Raises:
        PinnlabError: another norm, or an equation that has no mean operator.
    """

    name: str = "residual"
    norm: str = "mean"

    def __post_init__(self) -> None:
        choose("norm (operator.physics.norm)", self.norm, ("mean", *_POWERS))

    def row(self, model: OperatorModel, params: Any, equation: Equation, point: Batch) -> Any:  # type: ignore[override]
        member = self.member(equation, point)
        field = model.field(params, member, self.grid)
        if self.norm in _POWERS:
            return _dual_rows(member, field, _POWERS[self.norm])
        sides = member.residual(field)
        weights = np.broadcast_to(self.grid.weights, self.grid.shape)
        root = jnp.asarray(np.sqrt(weights / weights.sum()), jnp.result_type(float))
        rows = [
            (root * side / member.residual_scale(name)).reshape(-1) for name, side in sides.items()
        ]
        return jnp.concatenate(rows)


def _dual_rows(member: Equation, field: GridField, power: float) -> Any:
    """The residual in a dual norm, relative to that of the field which is zero inside."""
    grid = field.grid
    (name,) = member.variables
    nothing = {name: jnp.zeros(grid.shape, jnp.result_type(float))}
    rest = GridField(grid, exactly(nothing, member, grid))
    sides = [member.residual(f)[name] for f in (field, rest)]
    if member.domain.time is None:
        mean = mean_operator(member, grid)
        made, source = (mean.inverse(side, power) for side in sides)
    elif power == 1.0:
        evolution = evolution_operator(member, grid)
        made, source = (evolution.inverse(side) for side in sides)
    else:
        raise PinnlabError(
            "operator.physics.norm: 'energy' is for steady equations; take 'solution' or 'mean'"
        )
    square = jnp.sum(source**2)
    return (made / jnp.sqrt(jnp.where(square > 0.0, square, 1.0))).reshape(-1)
