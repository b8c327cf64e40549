"""Operators on meshes and scattered points, whether members share their nodes or not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from pinnlab.core.cloud import Cloud, Scattered
from pinnlab.core.errors import PinnlabError
from pinnlab.core.parameters import evaluate
from pinnlab.core.precision import precision
from pinnlab.equations.base import Equation
from pinnlab.equations.cloudfamily import CloudFamily
from pinnlab.equations.family import given
from pinnlab.models.operator import OperatorModel
from pinnlab.models.operatorreading import OperatorReading

_NODES = 1 << 20  # over all members that are evaluated at once, so that memory stays bounded


@dataclass(frozen=True, eq=False)
class CloudModel(OperatorModel):
    """The variables of any member of a family at the nodes of a cloud, at the end of time.

    The network reads at each node what the members differ in, and the coordinates; a graph
    network (``meshed``) is given the cloud as well.

    Arguments:
        network: a Flax module from (N, channels), and the cloud, to (N, ``outputs``).
        inputs, increment, outputs, coarse, scales: as for
            :class:`~pinnlab.models.operator.OperatorModel`.
        grid: the nodes where solutions are wanted if nothing else is said.
        exact: False, as the sides of a mesh are not those of the axes.
        coordinates: whether they are among the channels; without them a graph network commutes
            with translations.

    Raises:
        PinnlabError: exact conditions, or a network that needs a grid, are asked for.
    """

    grid: Cloud  # type: ignore[assignment]
    exact: bool = False
    coordinates: bool = True

    def __post_init__(self) -> None:
        if self.exact:
            raise PinnlabError(
                "model.exact: conditions cannot be satisfied exactly on a mesh; set it to false"
            )
        if not (self._meshed or getattr(self.network, "scattered", False)):
            raise PinnlabError(
                f"network: {type(self.network).__name__} reads functions on a grid; a mesh needs "
                "graph or transolver"
            )

    def channels(self, member: Equation | None, grid: Cloud) -> Any:  # type: ignore[override]
        """(N, channels): the inputs over their scale, and the coordinates in [-1, 1]; of a
        periodic axis its cosine and sine."""
        made, dtype = self._readings(member, grid), jnp.result_type(float)  # type: ignore[arg-type]
        for name, values in grid.nodes.items() if self.coordinates else ():
            unit = grid.domain[name].unit_interval(jnp.asarray(values, dtype))
            turn = jnp.pi * unit
            periodic = grid.domain[name].periodic
            made += [jnp.cos(turn), jnp.sin(turn)] if periodic else [unit]
        return jnp.stack([jnp.broadcast_to(value, grid.shape) for value in made], axis=-1)

    def base(self, member: Equation, grid: Any) -> Mapping[str, Any]:
        """The initial values, where the network's are added to them."""
        if self.coarse is not None or not self.increment:
            return super().base(member, grid)
        names = [name for name in self.inputs if name in self._names(member)]
        return {name: _values(given(member, name), grid, name) for name in names}

    def field(self, params: Any, member: Equation, grid: Any = None) -> Any:
        """Raises :class:`PinnlabError`: a cloud has no derivatives."""
        raise PinnlabError(
            "operator.physics: the equation's residual cannot be had on a mesh; train on pairs "
            "(operator.data)"
        )

    def _seen(self, member: Equation | None, grid: Any) -> tuple[Any, ...]:
        seen = (self.channels(member, grid),)
        return (*seen, grid) if self._meshed else seen

    def _readings(self, member: Equation | None, grid: Any) -> list[Any]:
        if member is None:
            return [jnp.zeros((), jnp.result_type(float)) for _ in self.inputs]
        made = []
        for name in self.inputs:
            mean, size = self.scales.get(f"input {name}", (0.0, 1.0))
            made.append((_values(given(member, name), grid, name) - mean) / size)
        return made

    def _module(self, member: Equation, grid: Any) -> nn.Module:
        return self.network.clone(outputs=len(self._names(member)))

    def check(self, grid: Cloud) -> None:
        """Raise :class:`PinnlabError` if the network cannot read *grid*, which is not traced."""
        if not self._meshed and not np.all(np.asarray(grid.weights)):
            raise PinnlabError(
                f"network: {type(self.network).__name__} cannot tell the nodes that fill meshes up "
                "to one size; take graph, or meshes with equally many nodes"
            )

    @property
    def _meshed(self) -> bool:
        return getattr(self.network, "meshed", False)


@dataclass(frozen=True, eq=False)
class CloudReading(OperatorReading):
    """A trained operator asked for solutions at the nodes of one cloud, or of a cloud for each
    member (:func:`pinnlab.core.cloud.stack`)."""

    family: CloudFamily
    model: CloudModel

    def members(  # type: ignore[override]
        self, inputs: Mapping[str, Any], grid: Cloud | None = None
    ) -> dict[str, np.ndarray]:
        """(seeds, N, nodes) of each variable.

        Arguments:
            inputs: by name, (N, nodes) values of a function at the nodes of *grid*, or (N,)
                numbers.
            grid: the model's own cloud if None.

        Raises:
            PinnlabError: inputs that do not lie on the nodes.
        """
        grid = self.model.grid if grid is None else grid
        count = len(next(iter(inputs.values())))
        for name, values in inputs.items():
            shape = np.shape(values)
            if shape[1:] not in ((), grid.shape) or len(values) != count:
                raise PinnlabError(
                    f"input '{name}': values of shape {shape} do not belong to {count} members "
                    f"with {grid.shape[0]} nodes"
                )
        if grid.count not in (0, count):
            raise PinnlabError(f"operator: {count} members cannot have {grid.count} meshes")
        self.model.check(grid)
        size, found = max(1, _NODES // grid.shape[0]), []
        with precision(self.dtype):
            for i in range(0, count, size):
                part = {k: jnp.asarray(v[i : i + size], self.dtype) for k, v in inputs.items()}
                own = jax.tree.map(lambda a, i=i: a[i : i + size], grid) if grid.count else grid
                made = _predicted(
                    self.params["network"], part, own, self.family, self.model, self.seeds
                )
                found.append(jax.tree.map(np.asarray, made))
        return {name: np.concatenate([f[name] for f in found], axis=1) for name in found[0]}

    def on(self, inputs: Mapping[str, Any]) -> CloudFamily:
        """The family, whose nodes are those of the cloud that solutions are asked on."""
        return self.family


@partial(jax.jit, static_argnames=("family", "model", "seeds"))
def _predicted(
    params: Any, inputs: Any, grid: Cloud, family: CloudFamily, model: CloudModel, seeds: int
) -> dict[str, Any]:
    def one(params: Any, values: Any, cloud: Any) -> dict[str, Any]:
        return model.apply(params, replace(family, grid=cloud).member(values), cloud)

    def of_seed(params: Any) -> dict[str, Any]:
        return jax.vmap(partial(one, params), in_axes=(0, 0 if grid.count else None))(inputs, grid)

    if seeds > 1:
        return jax.vmap(of_seed)(params)
    return jax.tree.map(lambda a: a[None], of_seed(params))


def _values(value: Any, grid: Cloud, name: str) -> Any:
    """(N,) values of an input at the nodes of *grid*, or a number."""
    dtype = jnp.result_type(float)
    if isinstance(value, Scattered):
        if not value.cloud.like(grid):
            raise PinnlabError(
                f"input '{name}': it is given at other nodes than those where the solution is "
                "asked for; give both at the same"
            )
        return jnp.asarray(value.values, dtype)
    x = {axis: jnp.asarray(values, dtype) for axis, values in grid.nodes.items()}
    return jnp.asarray(evaluate(value, x), dtype)
