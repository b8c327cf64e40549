"""A trained model asked like a function: any variable, derivative or function of the field."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from pinnlab.core.errors import PinnlabError
from pinnlab.core.field import Field
from pinnlab.core.precision import precision
from pinnlab.equations.base import Equation
from pinnlab.models.learned import equation_with
from pinnlab.models.model import Model

_POINTS = 16384  # evaluated at once, so that memory stays bounded


@dataclass(frozen=True, eq=False)
class NetworkReading:
    """Model, equation and parameters (with a leading axis of seeds if *seeds* > 1)."""

    equation: Equation
    model: Model
    params: Any
    seeds: int = 1

    def __call__(self, what: str | Callable[[Field], Any], **coordinates: Any) -> np.ndarray:
        """The mean over seeds of *what* at coordinates that broadcast against each other.

        *what* is a variable's symbol or a function of the field, such as
        ``lambda f: -k * f("T", depth=1)`` for a heat flux.
        """
        return self.members(what, **coordinates).mean(axis=0)

    def on(self, coordinates: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """All variables on the tensor product of (n,) arrays, one for each axis."""
        axes = self.equation.domain.axes
        tensor = dict(zip(axes, np.ix_(*(coordinates[axis] for axis in axes)), strict=True))
        return {name: self(name, **tensor) for name in self.equation.variables}

    def members(self, what: str | Callable[[Field], Any], **coordinates: Any) -> np.ndarray:
        """As the call, with a leading axis of seeds.

        Raises:
            PinnlabError: an axis is missing or unknown.
        """
        axes = self.equation.domain.axes
        if set(coordinates) != set(axes):
            raise PinnlabError(
                f"give every axis, {', '.join(axes)}; got {', '.join(coordinates) or 'none'}"
            )
        arrays = np.broadcast_arrays(*(np.asarray(coordinates[a], float) for a in axes))
        flat = [array.reshape(-1) for array in arrays]
        with precision(self.dtype):
            chunks = [
                self._evaluate(
                    what, {a: c[i : i + _POINTS] for a, c in zip(axes, flat, strict=True)}
                )
                for i in range(0, max(1, flat[0].size), _POINTS)
            ]
        return np.concatenate(chunks, axis=1).reshape(self.seeds, *arrays[0].shape)

    @property
    def dtype(self) -> str:
        """The precision of the parameters."""
        return str(jax.tree.leaves(self.params)[0].dtype)

    def parameter(self, name: str) -> Any:
        """A learned parameter with a leading axis of seeds (a number, or a profile's values)."""
        with precision(self.dtype):
            made = self._mapped(lambda params: getattr(self._equation(params), name))(self.params)
            return jax.tree.map(np.asarray, made)

    def _equation(self, params: Any) -> Equation:
        return equation_with(self.equation, params["equation"])

    def _mapped(self, function: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """*function* of the parameters over seeds, with a leading axis even for one."""
        if self.seeds > 1:
            return jax.vmap(function)
        return lambda params: jax.tree.map(lambda a: jnp.asarray(a)[None], function(params))

    def _evaluate(self, what: Any, points: Mapping[str, np.ndarray]) -> np.ndarray:
        columns = {axis: jnp.asarray(column, self.dtype) for axis, column in points.items()}

        def all_points(params: Any) -> Any:
            equation = self._equation(params)

            def at(point: Any) -> Any:
                return jnp.asarray(self.model.field(params["network"], equation, point)(what))

            return jax.vmap(at)(columns)

        return np.asarray(jax.jit(self._mapped(all_points))(self.params))
