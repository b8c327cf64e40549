r"""Problem: equation, model and terms read as one least-squares objective.

.. math:: L(\theta) = \sum_{\text{terms}} w_k \frac1{N_k}\sum_i a_{k,i}\, r_{k,i}(\theta)^2

First-order optimizers take the loss, Gauss-Newton kinds the rows
:math:`\sqrt{w_k a_{k,i}/N_k}\,r_{k,i}` and their Jacobian. The weights :math:`a_{k,i}` of the
points have mean one and are columns of the batch (:mod:`.base`); without them all are one.
Parameters are those of the network, and the free forms of the equation's
leaves that are learned.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree

from pinnlab.core.conditions import Boundary, Condition, Observations
from pinnlab.core.errors import PinnlabError, choose
from pinnlab.equations.base import Equation
from pinnlab.models.learned import equation_with, free_of
from pinnlab.models.model import Model
from pinnlab.terms import pseudo
from pinnlab.terms.base import Batch, Term, weighed
from pinnlab.terms.boundary import BoundaryTerm, InitialTerm, PeriodicTerm
from pinnlab.terms.data import DataTerm
from pinnlab.terms.mesh import count, is_mesh, listed
from pinnlab.terms.pieces import mean_and_grad, piece_size
from pinnlab.terms.prior import Prior, PriorTerm
from pinnlab.terms.residual import ResidualTerm

Params = Any
Weights = Mapping[str, Any]


def default_terms(
    equation: Equation,
    model: Model,
    observations: Sequence[Observations] = (),
    priors: Mapping[str, Prior] | None = None,
) -> list[Term]:
    """The residual, each condition that the model does not satisfy exactly, data and priors."""
    terms: list[Term] = [ResidualTerm(equation)]
    if not model.exact:
        for index, condition in enumerate(equation.conditions()):
            if isinstance(condition, Boundary):
                for side in condition.sides:
                    name = _free(f"boundary_{condition.axis}_{side}", condition, terms)
                    terms.append(BoundaryTerm(equation, index, side, name))
            else:
                name = _free(f"initial_{condition.order}", condition, terms)
                terms.append(InitialTerm(equation, index, name))
    if not model.embed:
        domain = equation.domain
        periodic = [axis for axis in domain.axes if domain[axis].periodic]
        terms += [PeriodicTerm(equation, axis, f"periodic_{axis}") for axis in periodic]
    terms += [DataTerm(o, f"data_{o.variable}_{i}") for i, o in enumerate(observations)]
    terms += [PriorTerm(name, prior) for name, prior in (priors or {}).items()]
    return terms


@dataclass(frozen=True, eq=False)
class Problem:
    """What a training minimises.

    Arguments:
        equation, model: as built.
        terms: sources of rows, with names of their own.
        learned: names of the equation's parameters that are trained along.
        given: what stands beside the trained parameters and stays, of the network and of the
            equation (in its free form): the state at the start of a time window, the network that
            is corrected; and the ``unit`` of the rows.

    Raises:
        PinnlabError: a name in *learned* that is no parameter, or two terms with one name.
    """

    equation: Equation
    model: Model
    terms: Sequence[Term]
    learned: Sequence[str] = ()
    given: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in self.learned:
            choose("parameter (infer)", name, self.equation.parameters())
        names = [term.name for term in self.terms]
        for name in names:
            if names.count(name) > 1:
                raise PinnlabError(f"terms: two are called '{name}'; give each a name of its own")

    @cached_property
    def by_name(self) -> dict[str, Term]:
        """The terms by name."""
        return {term.name: term for term in self.terms}

    @cached_property
    def size(self) -> int:
        """How many parameters are trained."""
        made = jax.eval_shape(lambda: self.init(jax.random.key(0)))
        return sum(leaf.size for leaf in jax.tree.leaves(made))

    @property
    def unit(self) -> Any:
        """What all rows are multiplied by, so that those of a correction are of order one too."""
        return self.given.get("unit", 1.0)

    def init(self, key: Any) -> Params:
        """Random network parameters, and the learned leaves at the equation's values."""
        network = self.model.init(key, self.equation, jnp.result_type(float))
        return {"network": network, "equation": free_of(self.equation, self.learned)}

    def equation_of(self, params: Params) -> Equation:
        """The equation with its learned and given leaves replaced."""
        return self.parts(params)[1]

    def parts(self, params: Params) -> tuple[Params, Equation]:
        """The network's parameters and the equation that they all stand for."""
        whole = self.whole(params)
        return whole["network"], equation_with(self.equation, whole["equation"])

    def whole(self, params: Params) -> Params:
        """The trained parameters with those that are given beside them."""
        return {part: {**own, **self.given.get(part, {})} for part, own in params.items()}

    def raw(self, name: str, params: Params, columns: Batch) -> Any:
        """(N, k) unweighted rows of one term at (N,) columns, or on a mesh of N points."""
        term, (network, equation) = self.by_name[name], self.parts(params)
        points, _ = weighed(columns)
        if is_mesh(points):
            rows = term.row(self.model, network, equation, points)
            return self.unit * rows.reshape(rows.shape[0], -1).T
        rows = jax.vmap(lambda p: term.row(self.model, network, equation, p))(points)
        return self.unit * rows

    def stepped(
        self, before: Params, batch: Mapping[str, Batch], rate: Any, signs: Mapping[str, float]
    ) -> dict[str, Batch]:
        """The *batch* at which the residual is that of a step in pseudo time (:mod:`.pseudo`)."""
        return pseudo.stepped(self, before, batch, rate, signs)

    def stiffness(self, params: Params, before: Params, batch: Mapping[str, Batch]) -> Any:
        """How much more the residual changes than the variables, between two states."""
        return pseudo.stiffness(self, params, before, batch)

    def losses(self, params: Params, batch: Mapping[str, Batch]) -> dict[str, Any]:
        """The mean square of each term's rows at its weighed points, without the term's weight."""

        def mean(name: str, columns: Batch) -> Any:
            squares = jnp.sum(self.raw(name, params, columns) ** 2, axis=1)
            _, weight = weighed(columns)
            return jnp.mean(squares if weight is None else weight * squares)

        return {name: mean(name, columns) for name, columns in batch.items()}

    def loss(self, params: Params, batch: Mapping[str, Batch], weights: Weights) -> Any:
        """The weighted sum of the terms' mean squares."""
        losses = self.losses(params, batch)
        return sum(weights[name] * value for name, value in losses.items())

    def value_and_grad(
        self, params: Params, batch: Mapping[str, Batch], weights: Weights
    ) -> tuple[Any, Params]:
        """The loss and its gradient, summed over pieces of the points (:mod:`.pieces`)."""
        made = []
        for name, columns in batch.items():

            def row(point: Batch, term: Term = self.by_name[name]) -> Any:
                return term.row(self.model, *self.parts(params), point)

            def mean(there: Params, part: Batch, name: str = name) -> Any:
                return weights[name] * self.losses(there, {name: part})[name]

            points, _ = weighed(columns)
            size = count(points) if is_mesh(points) else piece_size(row, points)
            made.append(mean_and_grad(mean, params, columns, size))
        return jax.tree.map(lambda *parts: sum(parts), *made)

    def rows(self, params: Params, batch: Mapping[str, Batch], weights: Weights) -> Any:
        """All rows, weighted so that their squares sum to the loss."""
        return jnp.concatenate(
            [
                (self.raw(name, params, columns) * _factor(columns, weights[name])).reshape(-1)
                for name, columns in batch.items()
            ]
        )

    def jacobian(
        self, params: Params, batch: Mapping[str, Batch], weights: Weights
    ) -> tuple[Any, Any]:
        """(N,) rows and their (N, P) Jacobian with respect to the flattened parameters.

        A mesh is taken point by point, since each row needs a gradient of its own.
        """
        flat, unravel = ravel_pytree(params)
        rows, slopes = [], []
        for name, columns in batch.items():
            term, points = self.by_name[name], listed(weighed(columns)[0])

            def one(theta: Any, point: Batch, term: Term = term) -> tuple[Any, Any]:
                row = self.unit * term.row(self.model, *self.parts(unravel(theta)), point)
                return row, row

            slope, row = jax.vmap(jax.jacrev(one, has_aux=True), in_axes=(None, 0))(flat, points)
            factor = jnp.broadcast_to(_factor(columns, weights[name]), row.shape).reshape(-1)
            rows.append(row.reshape(-1) * factor)
            slopes.append(slope.reshape(-1, flat.size) * factor[:, None])
        return jnp.concatenate(rows), jnp.concatenate(slopes)


def _free(name: str, condition: Condition, terms: Sequence[Term]) -> str:
    """*name*, with the condition's variables behind it if it is taken."""
    taken = name in (term.name for term in terms)
    return f"{name}_{'_'.join(condition.values)}" if taken else name


def _factor(columns: Batch, weight: Any) -> Any:
    """What (N, k) rows are multiplied by: a number, or (N, 1) where points have weights."""
    n, (_, own) = count(columns), weighed(columns)
    return jnp.sqrt(weight / n if own is None else weight * own[:, None] / n)
