"""Families whose members are told apart by values at the nodes of a cloud."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax

from pinnlab.core.cloud import Cloud, Scattered
from pinnlab.equations.base import Equation
from pinnlab.equations.family import Family, is_sampled


@dataclass(frozen=True, eq=False)
class CloudFamily(Family):
    """Members of one equation on a mesh or on scattered points.

    Arguments:
        equation, initial, parameters: as for :class:`~pinnlab.equations.family.Family`.
        grid: the nodes where functions are sampled; any of them where each member has its own.
    """

    grid: Cloud  # type: ignore[assignment]

    def member(self, values: Mapping[str, Any]) -> Equation:
        """The equation with (N,) values of each function and () of each number."""

        def here(leaf: Any) -> Any:
            return Scattered(self.grid, leaf.values) if is_sampled(leaf) else leaf

        return jax.tree.map(here, super().member(values), is_leaf=is_sampled)
