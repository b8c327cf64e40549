"""A trained model asked like a function: any variable, derivative or function of the field."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from pinnlab.core.errors import PinnlabError
from pinnlab.core.field import Field
from pinnlab.core.precision import precision
from pinnlab.core.tensorfield import is_mesh
from pinnlab.equations.base import Equation
from pinnlab.models.learned import equation_with
from pinnlab.models.model import Model

Ask = Callable[[Field, Equation], Any]
_POINTS = 16384  # evaluated at once, so that memory stays bounded
_MESH_POINTS = 1 << 20  # the same on a tensor product, where only the values themselves need room


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
        return self._members(_Value(what), coordinates)

    def residual(self, name: str, **coordinates: Any) -> np.ndarray:
        """The equation's residual for *name* over its natural scale, root mean square of seeds."""
        found = self._members(_Residual(name), coordinates)
        return np.sqrt((found**2).mean(axis=0)) if self.seeds > 1 else found[0]

    def _members(self, ask: Ask, coordinates: Mapping[str, Any]) -> np.ndarray:
        axes = self.equation.domain.axes
        if set(coordinates) != set(axes):
            raise PinnlabError(
                f"give every axis, {', '.join(axes)}; got {', '.join(coordinates) or 'none'}"
            )
        given = [np.asarray(coordinates[axis], float) for axis in axes]
        arrays = np.broadcast_arrays(*given)
        if self.model.tensor and len(axes) > 1 and is_mesh(given):
            rest, size = given[1:], max(1, _MESH_POINTS * given[0].size // max(1, arrays[0].size))
            parts = [[part, *rest] for part in _cut(given[0], size)]
        else:
            flat = [_cut(array.reshape(-1), _POINTS) for array in arrays]
            parts = [list(part) for part in zip(*flat, strict=True)]
        with precision(self.dtype):
            found = [self._evaluate(ask, dict(zip(axes, part, strict=True))) for part in parts]
        return np.concatenate(found, axis=1).reshape(self.seeds, *arrays[0].shape)

    @property
    def dtype(self) -> str:
        """The precision of the parameters."""
        return str(jax.tree.leaves(self.params)[0].dtype)

    def parameter(self, name: str) -> Any:
        """A learned parameter with a leading axis of seeds (a number, or a profile's values)."""
        with precision(self.dtype):

            def one(params: Any) -> Any:
                return getattr(equation_with(self.equation, params["equation"]), name)

            if self.seeds > 1:
                return jax.tree.map(np.asarray, jax.vmap(one)(self.params))
            return jax.tree.map(lambda leaf: np.asarray(leaf)[None], one(self.params))

    def _evaluate(self, ask: Ask, points: Mapping[str, np.ndarray]) -> np.ndarray:
        columns = {axis: jnp.asarray(column, self.dtype) for axis, column in points.items()}

        return np.asarray(
            evaluated(self.params, columns, self.model, self.equation, self.seeds, ask)
        )


def _cut(array: np.ndarray, size: int) -> list[np.ndarray]:
    """Pieces of at most *size* along the first dimension; one of an empty array."""
    return [array[i : i + size] for i in range(0, max(1, len(array)), size)]


@dataclass(frozen=True)
class _Value:
    """Asks for a variable or a function of the field; hashable, so that it compiles once."""

    what: Any

    def __call__(self, f: Field, equation: Equation) -> Any:
        return f(self.what)


@dataclass(frozen=True)
class _Residual:
    """Asks for a residual over its natural scale."""

    name: str

    def __call__(self, f: Field, equation: Equation) -> Any:
        return equation.residual(f)[self.name] / equation.residual_scale(self.name)


@partial(jax.jit, static_argnames=("model", "equation", "seeds", "ask"))
def evaluated(
    params: Any, columns: Any, model: Model, equation: Equation, seeds: int, ask: Ask
) -> Any:
    """(seeds, N) answers at (N,) columns of coordinates, (seeds, N_1, ...) on a mesh of them."""

    def one_seed(params: Any) -> Any:
        learned = equation_with(equation, params["equation"])

        def at(point: Any) -> Any:
            return jnp.asarray(ask(model.field(params["network"], learned, point), learned))

        if all(c.ndim == 1 for c in columns.values()):
            return jax.vmap(at)(columns)
        shape = jnp.broadcast_shapes(*(c.shape for c in columns.values()))
        return jnp.broadcast_to(at(columns), shape)

    return jax.vmap(one_seed)(params) if seeds > 1 else one_seed(params)[None]
