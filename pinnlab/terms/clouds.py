"""The term of an operator on meshes and scattered points."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import jax.numpy as jnp

from pinnlab.core.cloud import Cloud
from pinnlab.equations.base import Equation
from pinnlab.equations.cloudfamily import CloudFamily
from pinnlab.models.cloudmodel import CloudModel
from pinnlab.terms.base import Batch
from pinnlab.terms.instances import SOLUTION, PairTerm

MESH = "_mesh"  # column of the numbers of the members' clouds in the stack


@dataclass(frozen=True, eq=False)
class CloudTerm(PairTerm):
    r"""The error of each variable relative to its size, in the quadrature of the nodes:

    .. math:: r_i = \sqrt{w_i}\,(u_i - u_i^*) \Big/ \Bigl(\sum_j w_j u_j^{*2}\Bigr)^{1/2}

    Arguments:
        family: of the members.
        grid: their nodes: one cloud for all, or a stack of them; the column ``_mesh`` then gives
            the number of each member's.
        drawn, name, share: as for :class:`~pinnlab.terms.instances.PairTerm`.
    """

    family: CloudFamily
    grid: Cloud  # type: ignore[assignment]

    def row(self, model: CloudModel, params: Any, equation: Equation, point: Batch) -> Any:  # type: ignore[override]
        model.check(self.grid)
        cloud: Any = self.grid.one(point[MESH]) if MESH in point else self.grid
        family = replace(self.family, equation=equation, grid=cloud)
        member = family.member(self.inputs(point))
        found = model.apply(params, member, cloud)
        rows = []
        for column, truth in point.items():
            if column.startswith(SOLUTION):
                weights = jnp.asarray(cloud.weights, truth.dtype)
                size = jnp.sum(weights * truth**2) + jnp.finfo(truth.dtype).tiny
                error = found[column.removeprefix(SOLUTION)] - truth
                rows.append(jnp.sqrt(weights / size) * error)
        return jnp.concatenate(rows)
