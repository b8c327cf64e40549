"""Observations as rows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax.numpy as jnp
import numpy as np

from pinnlab.core.conditions import Observations
from pinnlab.core.errors import choose
from pinnlab.equations.base import Equation
from pinnlab.models.model import Model
from pinnlab.terms.base import Batch, Term


@dataclass(frozen=True, eq=False)
class DataTerm(Term):
    """(u - observed) / sigma at each observation."""

    observations: Observations
    name: str = "data"

    @cached_property
    def _columns(self) -> dict[str, np.ndarray]:
        seen = self.observations
        values = np.asarray(seen.values, float)
        sigma = np.broadcast_to(np.asarray(seen.sigma, float), values.shape)
        points = {axis: np.asarray(column, float) for axis, column in seen.points.items()}
        return {**points, "_value": values, "_sigma": sigma}

    @property
    def fixed(self) -> Batch:
        return {name: jnp.asarray(c, jnp.result_type(float)) for name, c in self._columns.items()}

    def row(self, model: Model, params: Any, equation: Equation, point: Batch) -> Any:
        given = self.observations
        name = choose("variable (observations)", given.variable, equation.variables.names)
        place = {
            axis: point[choose(f"axis of the observations of '{name}'", axis, given.points)]
            for axis in equation.domain.axes
        }
        predicted = model.apply(params, equation, place)[name]
        return ((predicted - point["_value"]) / point["_sigma"])[None]
