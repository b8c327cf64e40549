r"""Implicit steps in pseudo time: other rows of the residual, by columns of the batch.

.. math:: R(u) + \frac{u - u_n}{\tau}, \qquad
    \frac{\partial u}{\partial\tau} = -R(u) = f(u) - \partial_t u
    \quad\text{or, where}\quad f(u) = 0 \text{ is to be solved,}\quad
    \frac{\partial u}{\partial\tau} = f(u)

for a variable of order 1 or 0 whose side of ``rhs`` is f. Both are the stable direction of a
dissipative f, such as a diffusion. Rows and variables are over their scales. Conditions and data
keep their rows. The columns belong to one step of an optimizer: no checkpoint has them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from pinnlab.core.errors import PinnlabError, choose
from pinnlab.equations.base import Equation
from pinnlab.terms.base import HELD, RATE, Batch, weighed
from pinnlab.terms.mesh import is_mesh

if TYPE_CHECKING:
    from pinnlab.terms.problem import Problem


def stepped(
    problem: Problem,
    before: Any,
    batch: Mapping[str, Batch],
    rate: Any,
    signs: Mapping[str, float],
) -> dict[str, Batch]:
    """The *batch* at whose points rows of residuals are those of a step.

    Arguments:
        before: parameters of the state from which it is made.
        rate: the inverse of its length.
        signs: by variable, -1 for the other direction, 0 for no step.

    Raises:
        PinnlabError: no term has states, a sign for a variable that there is not, or a variable of
            second order in time, for which neither direction is stable.
    """
    known = directions(problem.equation, signs)
    made: dict[str, Any] = {name: dict(columns) for name, columns in batch.items()}
    for name, states in states_of(problem, before, batch).items():
        for variable, state in states.items():
            made[name][RATE + variable] = jnp.full_like(state, known[variable] * rate)
            made[name][HELD + variable] = state
    return made


def directions(equation: Equation, signs: Mapping[str, float]) -> dict[str, float]:
    """By variable, the sign with which (u - u_n)/tau is added to the rows of its side."""
    for name in signs:
        choose("variable (optimizer.signs)", name, equation.variables.names)
    orders = {name: equation.variables[name].order for name in equation.variables}
    for name, order in orders.items():
        if order == 2 and signs.get(name, 1):
            raise PinnlabError(
                f"optimizer: '{name}' is of second order in time, for which no direction of "
                f"pseudo time is stable; give optimizer.signs={{{name}: 0}} or another"
            )
    return {n: float(signs.get(n, 1)) * (1.0 if order else -1.0) for n, order in orders.items()}


def stiffness(problem: Problem, params: Any, before: Any, batch: Mapping[str, Batch]) -> Any:
    """|R - R'| / |u - u'| between the states of two sets of parameters, over all points of the
    batch; not finite where no state changes."""

    def at(there: Any) -> tuple[Any, Any]:
        states = states_of(problem, there, batch)
        return [problem.raw(n, there, batch[n]) / problem.unit for n in batch if states[n]], states

    pair = jax.tree.map(lambda a, b: jnp.stack([a, b]), params, before)
    ends = jax.lax.map(at, pair)  # one after the other is compiled once
    rows, states = (
        jnp.concatenate([(end[0] - end[1]).reshape(-1) for end in jax.tree.leaves(part)])
        for part in ends
    )
    return jnp.linalg.norm(rows) / jnp.linalg.norm(states)


def states_of(
    problem: Problem, params: Any, batch: Mapping[str, Batch]
) -> dict[str, dict[str, Any]]:
    """The (N,) states that the rows of each term change in pseudo time, by variable.

    Raises:
        PinnlabError: no term has any.
    """
    network, equation = problem.parts(params)

    def of(name: str, columns: Batch) -> dict[str, Any]:
        term, (points, _) = problem.by_name[name], weighed(columns)
        if is_mesh(points):
            found = term.states(problem.model, network, equation, points)
            return {variable: state.reshape(-1) for variable, state in found.items()}
        return jax.vmap(lambda p: term.states(problem.model, network, equation, p))(points)

    made = {name: of(name, columns) for name, columns in batch.items()}
    if not any(made.values()):
        raise PinnlabError(
            "optimizer: a step in pseudo time is one of a network's residual at points, and "
            f"the terms are {', '.join(made)}; take another optimizer"
        )
    return made
