"""OperatorModel: a network from the functions that a family's members differ in to solutions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from pinnlab.core.errors import PinnlabError
from pinnlab.core.grid import Grid
from pinnlab.core.gridfield import GridField
from pinnlab.core.parameters import evaluate_on
from pinnlab.equations.base import Equation
from pinnlab.equations.family import given
from pinnlab.models.gridconditions import end_of, exactly
from pinnlab.models.sensors import Modes, coordinates, principal_modes
from pinnlab.models.symmetries import Symmetry

Scaling = tuple[float, float]  # mean and standard deviation
Coarse = Callable[[Equation, Grid], Mapping[str, Any]]


@dataclass(frozen=True, eq=False)
class OperatorModel:
    """The variables of any member of a family, as arrays on any grid.

    The network reads on the grid's nodes what the members differ in, and the coordinates of axes
    that are not periodic. One that says ``reads_sensors`` reads it on the nodes of *sensors*,
    whatever the grid, and beside it the coordinates of the grid's nodes. On a grid without the
    time axis it gives the variables at the end of time; with it, at all times.

    Arguments:
        network: a Flax module of one instance to (*n, ``outputs``): from (*n, channels), or with
            ``reads_sensors`` from (*m, channels) and (*n, d) coordinates (or, with ``pod``, modes).
        inputs: what the members differ in: variables (their initial values) and parameters.
        grid: where solutions are wanted if nothing else is said; it may be asked on others.
        exact: satisfy the conditions on the grid, and keep what the equation conserves, for any
            parameters.
        increment: add what the network gives to the initial values, where they are an input and
            the grid has no time axis: for steps in time that are short.
        outputs: the variables that the network gives; all if empty.
        coarse: a cheap solver, (member, grid) -> values, to which the network's values are added
            as a correction (solver in the loop; Um et al., NeurIPS 2020).
        scales: mean and standard deviation of each input, and of each variable less what the
            network's values are added to. They belong to the model; inputs are taken as they are
            without them, variables by their declared scale.
        sensors: where networks that say so read the inputs, which are interpolated to it if they
            are given elsewhere; the grid if None. It must not change after the training.
        modes: of solutions, for networks that say ``pod``; found by :meth:`scaled`.
        symmetries: of the family (:func:`pinnlab.models.symmetries.symmetries`): what the network
            gives is the mean over the images of a member under those that fit the grid, moved
            back. An evaluation takes as many times as long.
    """

    network: nn.Module
    inputs: tuple[str, ...]
    grid: Grid
    exact: bool = True
    increment: bool = False
    outputs: tuple[str, ...] = ()
    coarse: Coarse | None = None
    scales: Mapping[str, Scaling] = field(default_factory=dict)
    sensors: Grid | None = None
    modes: Modes | None = None
    symmetries: tuple[Symmetry, ...] = ()

    def scaled(
        self, inputs: Mapping[str, Any], outputs: Mapping[str, Any], grid: Grid | None = None
    ) -> OperatorModel:
        """The same with the scales of sampled *inputs* and, if there are any, *outputs*, and their
        modes where the network takes these.

        Arguments:
            inputs: (N, ...) values by name.
            outputs: (N, *grid) solutions by variable, less what :meth:`base` says.
            grid: of the solutions; the model's own if None.

        Raises:
            PinnlabError: samples that are not finite, or no solutions for modes.
        """
        found = {f"input {name}": _scaling(values) for name, values in inputs.items()}
        found |= {f"output {name}": _scaling(values) for name, values in outputs.items()}
        made = replace(self, scales=found)
        if not self._pod:
            return made
        return replace(made, modes=made._principal(outputs, grid or self.grid))

    def channels(self, member: Equation | None, grid: Grid) -> Any:
        """(*n, channels): the inputs over their scale, and the coordinates in [-1, 1]."""
        made, dtype = self._readings(member, grid), jnp.result_type(float)
        for name, places in grid.coordinates.items():
            axis = grid.domain[name]
            if not axis.periodic:
                made.append(jnp.asarray(axis.unit_interval(places), dtype))
        return jnp.stack([jnp.broadcast_to(value, grid.shape) for value in made], axis=-1)

    def at_sensors(self, member: Equation | None) -> Any:
        """(*m, channels): the inputs over their scale, on the nodes of the sensors."""
        sensors = self._read_grid(self.grid)
        made = self._readings(member, sensors)
        return jnp.stack([jnp.broadcast_to(value, sensors.shape) for value in made], axis=-1)

    def init(self, key: Any, member: Equation, dtype: Any = None) -> Any:
        """Random parameters; they do not depend on what the member is given."""
        return self._module(member, self.grid).init(key, *self._seen(None, self.grid))

    def apply(self, params: Any, member: Equation, grid: Grid | None = None) -> dict[str, Any]:
        """The variables on the nodes of *grid*, in SI: arrays of its shape."""
        grid = self.grid if grid is None else grid
        outputs = self._outputs(params, member, grid)
        base, raw = self.base(member, grid), {}
        for i, name in enumerate(self._names(member)):
            variable = member.variables[name]
            offset = 0.0 if name in base else variable.offset
            mean, size = self.scales.get(f"output {name}", (offset, variable.scale))
            raw[name] = base.get(name, 0.0) + mean + size * outputs[..., i]
        return exactly(raw, member, grid) if self.exact else raw

    def base(self, member: Equation, grid: Grid) -> Mapping[str, Any]:
        """What the network's values are added to, by variable; nothing for most models."""
        if self.coarse is not None:
            return self.coarse(member, grid)
        if not self.increment or member.domain.time in grid.axes:
            return {}
        names = [name for name in self.inputs if name in self._names(member)]
        return {name: given(member, name).on(grid.nodes) for name in names}

    def single(self) -> OperatorModel:
        """The same without a mean over images: what is trained."""
        return replace(self, symmetries=()) if self.symmetries else self

    def field(self, params: Any, member: Equation, grid: Grid | None = None) -> GridField:
        """The field of the variables on *grid*; time is an axis of it, or at its end."""
        grid = self.grid if grid is None else grid
        return GridField(grid, self.apply(params, member, grid), end_of(member, grid))

    def _outputs(self, params: Any, member: Equation, grid: Grid) -> Any:
        """(*n, outputs) of the network."""
        module, (read, *places) = self._module(member, grid), self._seen(member, grid)
        images = [symmetry for symmetry in self.symmetries if symmetry.fits(grid)]
        if len(images) < 2:
            return module.apply(params, read, *places)
        own, count = self._read_grid(grid), len(self.inputs)
        moved = [
            jnp.concatenate([_each(s.on, read[..., :count], own), read[..., count:]], axis=-1)
            for s in images
        ]
        found: Any = jax.vmap(lambda x: module.apply(params, x, *places))(jnp.stack(moved))
        back = [_each(s.back, made, grid) for s, made in zip(images, found, strict=True)]
        return jnp.mean(jnp.stack(back), axis=0)

    def _read_grid(self, grid: Grid) -> Grid:
        """Where the inputs are read, for solutions on *grid*."""
        return (self.sensors or self.grid) if self._reads_sensors else grid

    def _seen(self, member: Equation | None, grid: Grid) -> tuple[Any, ...]:
        """What the network is given."""
        if not self._reads_sensors:
            return (self.channels(member, grid),)
        readings = self.at_sensors(member)
        if not self._pod:
            return readings, coordinates(grid, readings.dtype)
        if self.modes is None:
            raise PinnlabError("network.pod: the model has seen no solutions; call scaled() first")
        names = tuple(self.modes.values) if member is None else self._names(member)
        return readings, self.modes.on(names, grid, readings.dtype)

    def _readings(self, member: Equation | None, grid: Grid) -> list[Any]:
        """The inputs over their scale, in shapes that broadcast to that of *grid*; zero without a
        member."""
        dtype, made = jnp.result_type(float), []
        if member is None:
            return [jnp.zeros([1] * len(grid.shape), dtype) for _ in self.inputs]
        x = {a: jnp.asarray(c, dtype) for a, c in grid.coordinates.items()}
        for name in self.inputs:
            value = evaluate_on(given(member, name), grid.nodes, x)
            mean, size = self.scales.get(f"input {name}", (0.0, 1.0))
            made.append((jnp.asarray(value, dtype) - mean) / size)
        return made

    @property
    def _reads_sensors(self) -> bool:
        return getattr(self.network, "reads_sensors", False)

    @property
    def _pod(self) -> int:
        return getattr(self.network, "pod", 0)

    def _principal(self, outputs: Mapping[str, Any], grid: Grid) -> Modes:
        """The modes of solutions over their scale."""
        if self.exact:
            raise PinnlabError(
                "network.pod: sums of solutions satisfy the linear conditions that they share; "
                "give model.exact=false"
            )
        over = {}
        for name, values in outputs.items():
            mean, size = self.scales[f"output {name}"]
            over[name] = (np.asarray(values, float) - mean) / size
        return principal_modes(over, grid, self._pod)

    def _module(self, member: Equation, grid: Grid) -> nn.Module:
        made = self.network.clone(outputs=len(self._names(member)))
        if hasattr(made, "periodic"):  # networks that continue a field beyond the ends of an axis
            made = made.clone(periodic=tuple(grid.domain[a].periodic for a in grid.axes))
        return made

    def _names(self, member: Equation) -> tuple[str, ...]:
        return self.outputs or member.variables.names

    @property
    def name(self) -> str:
        """The network's class name."""
        return type(self.network).__name__


def _each(move: Callable[..., Any], values: Any, grid: Grid) -> Any:
    """(*n, channels) *values*, each channel moved."""
    return jax.vmap(lambda v: move(v, grid), in_axes=-1, out_axes=-1)(values)


def _scaling(values: Any) -> Scaling:
    """Mean and standard deviation; one for what varies no more than by rounding."""
    unit = float(jnp.finfo(jnp.asarray(values).dtype).eps)
    given = np.asarray(values, float)
    mean, size = float(given.mean()), float(given.std())
    if not np.isfinite(mean + size):
        raise PinnlabError("operator: the samples hold values that are not finite")
    return mean, size if size > 4.0 * unit * abs(mean) else 1.0
