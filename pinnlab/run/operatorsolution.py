"""OperatorSolution: a trained operator from datasets to datasets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from pinnlab.core.errors import PinnlabError, choose
from pinnlab.core.grid import Grid
from pinnlab.core.precision import precision
from pinnlab.core.sampled import Sampled
from pinnlab.core.units import quantity
from pinnlab.equations.base import Equation
from pinnlab.equations.family import lasting
from pinnlab.io.ugrid import MeshNodes
from pinnlab.models.operatorreading import OperatorReading, rolled
from pinnlab.models.storage import save_reading
from pinnlab.optimizers import Optimizer
from pinnlab.run.instances import DIM, described
from pinnlab.run.outputs import Result, axis_name, dataset
from pinnlab.run.tabled import check_nodes, read_function


@dataclass(frozen=True, eq=False)
class OperatorSolution:
    """The solutions of a family's members, as far as a trained operator knows them.

    Arguments:
        reading: the trained model.
        facts: what is known of it (losses, seconds, configuration, licence).
    """

    reading: OperatorReading
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def inputs(self) -> dict[str, str]:
        """The names of the variables that a dataset must hold, with their units."""
        family = self.reading.family
        told = (described(family.equation, name) for name in family.names)
        return {one.name: one.units for one in told}

    def __call__(self, ds: Any, grid: Mapping[str, int] | None = None) -> Any:
        """A dataset of solutions for the members in *ds*.

        Functions lie on the nodes of the equation's axes, in any number: the solution is given on
        as many, or on *grid*. A further dimension counts the members and stays what it is.

        Arguments:
            ds: with the variables that :attr:`inputs` names, in any units that convert.
            grid: numbers of nodes for some axes, where they shall not be those of *ds*.

        Raises:
            PinnlabError: a variable that is missing, has other dimensions or units, or values that
                are not finite; coordinates that are not the nodes.
        """
        values, own = self.read(ds)
        here = self._resized(own, grid)
        places = _coordinates(here)
        found = self.reading.members(values, here)
        return self._answer(ds, self.reading.family.equation, places, values, found)

    def rollout(self, ds: Any, steps: int) -> Any:
        """A dataset of the members in *ds* and what becomes of them in *steps* steps of an
        operator that was trained to step in time (``operator.rollout``).

        Raises:
            PinnlabError: an operator that does not step, or what :meth:`__call__` refuses.
        """
        if not isinstance(steps, int) or steps < 1:
            raise PinnlabError(f"rollout: steps={steps!r} must be a whole number of at least 1")
        values, here = self.read(ds)
        found = rolled(self.reading, values, steps, here)
        equation = lasting(self.reading.family.equation, steps)
        time = str(equation.domain.time)
        span = equation.domain[time]
        nodes = {time: np.linspace(span.lower, span.upper, steps + 1), **here.nodes}
        places = {axis: nodes[axis] for axis in equation.domain.axes}
        return self._answer(ds, equation, places, values, found)

    def _answer(
        self,
        ds: Any,
        equation: Equation,
        places: Mapping[str, np.ndarray],
        values: Mapping[str, np.ndarray],
        found: Mapping[str, np.ndarray],
        nodes: MeshNodes | None = None,
    ) -> Any:
        """The dataset of (seeds, N, ...) arrays on *places*, for the members of *ds*."""
        shape = tuple(map(len, places.values()))
        members = {n: v.astype(float).reshape(*v.shape[:2], *shape) for n, v in found.items()}
        many = self.reading.seeds > 1
        result = Result(
            equation,
            places,
            {n: v.mean(axis=0) for n, v in members.items()},
            spread={n: v.std(axis=0) for n, v in members.items()} if many else {},
            inputs=self._shown(values, places),
            nodes=nodes,
        )
        return _with_members_of(ds, dataset(result, self._attributes()), tuple(self.inputs))

    def tuned(
        self,
        ds: Any,
        seconds: float | str = 30.0,
        grid: Mapping[str, int] | None = None,
        steps: int | None = None,
        optimizer: Optimizer | None = None,
        norm: str | None = None,
    ) -> OperatorSolution:
        """The operator fitted to the one member in *ds* by the equation's residual alone
        (:mod:`pinnlab.run.tuning`), for members unlike those of the training.

        Ask the new one for that member only. Its ``facts["tuned"]`` hold losses, seconds, grid
        and what the inputs were.

        Arguments:
            seconds: wall time, compiling included; ``60`` or ``"60 s"``.
            grid: numbers of nodes for some axes, where the residual shall not stand on those of
                *ds*; finer ones where the solution is steep. Ask for the solution on the same.
            steps: at most so many, for a result that does not depend on the machine's speed.
            optimizer: SOAP with a falling learning rate if None.
            norm: of the residual; that of the training (``operator.physics.norm``) if None.

        Raises:
            PinnlabError: an operator without time among its axes or without exact conditions,
                several members, or what :meth:`__call__` refuses.
            DivergenceError: the loss is no longer finite.
        """
        from pinnlab.run.tuning import trained_norm, tuned_reading

        values, own = self.read(ds)
        here, budget = self._resized(own, grid), quantity(seconds, "s", "tuned, seconds")
        norm = norm or trained_norm(self.facts)
        reading, known = tuned_reading(self.reading, values, here, budget, steps, optimizer, norm)
        return OperatorSolution(reading, {**self.facts, "tuned": known})

    def export(
        self,
        path: str | Path,
        grid: Mapping[str, int] | None = None,
        batch: int | None = None,
        numbers: Sequence[str] | None = None,
    ) -> tuple[Path, Path]:
        """Write the operator as a StableHLO program ``NAME.stablehlo`` for CPU, CUDA and TPU,
        with ``NAME.json``, which says what it takes and gives (:mod:`pinnlab.run.exporting`).

        JAX alone runs it: ``jax.export.deserialize(bytearray(data)).call(*inputs)``.

        Arguments:
            path: of the program.
            grid: numbers of nodes for some axes, where they shall not be those of the training.
            batch: number of members; any if None.
            numbers: inputs that are numbers and no functions, where no configuration says it.

        Raises:
            PinnlabError: a path that cannot be written, or a network that does not take a batch
                of any size.
        """
        from pinnlab.run.exporting import write_program

        family = self.reading.family
        axes = {a: n for a, n in (grid or {}).items() if a in family.grid.axes}
        family = replace(family, grid=self._resized(family.grid, axes)) if axes else family
        here = self._resized(self.reading.model.grid, grid)
        return write_program(self.reading, self.facts, Path(path), family, here, numbers, batch)

    def read(self, ds: Any) -> tuple[dict[str, np.ndarray], Grid]:
        """(N, ...) inputs by symbol, and the grid of their solutions.

        Raises:
            PinnlabError: as :meth:`__call__`.
        """
        self.check(ds)
        own, domain = self.reading.family.grid, self.reading.family.equation.domain
        axes = {a: axis_name(a, domain) for a in own.axes}
        found: dict[str, np.ndarray] = {}
        sizes: dict[str, int] = {}
        for symbol, (name, units) in zip(
            self.reading.family.names, self.inputs.items(), strict=True
        ):
            values, along = read_function(ds, name, units, domain, axes, "the dataset")
            if along and along != own.axes:
                raise PinnlabError(
                    f"the dataset: '{name}' has the axes {', '.join(along)}; the operator takes a "
                    f"function of {', '.join(own.axes)}"
                )
            sizes |= dict(zip(along, values.shape[1:], strict=True))
            found[symbol] = values
        if sizes:
            check_nodes(ds, self._resized(own, sizes), axes, "the dataset")
        shared = {a: n for a, n in sizes.items() if a in self.reading.model.grid.axes}
        return alike(found), self._resized(self.reading.model.grid, shared)

    def check(self, ds: Any) -> None:
        """Raise :class:`PinnlabError` for what is no dataset."""
        if not hasattr(ds, "data_vars"):
            raise PinnlabError(
                f"the dataset: got a {type(ds).__name__}; give an xarray.Dataset with "
                f"{', '.join(self.inputs)}"
            )

    def _resized(self, grid: Grid, counts: Mapping[str, int] | None) -> Grid:
        """*grid* with other *counts* of nodes on some axes."""
        for axis in counts or {}:
            choose("axis (grid)", axis, grid.axes)
        if not counts:
            return grid
        items = [(a, scheme, counts.get(a, n)) for a, scheme, n in grid.items]
        return Grid.from_fields(grid.domain, items)

    def _shown(self, values: Mapping[str, Any], places: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """Inputs with a dimension for each axis of the domain, on the nodes of the solution."""
        sampled = self.reading.on(values).grid

        def one(value: np.ndarray) -> Any:
            return value if value.ndim == 0 else Sampled(sampled, value).on(places)

        with precision("float64"):
            return {n: np.stack([np.asarray(one(v)) for v in m]) for n, m in values.items()}

    def _attributes(self) -> dict[str, Any]:
        from pinnlab.io.provenance import provenance

        name, tuned = type(self.reading.family.equation).__name__, self.facts.get("tuned")
        return provenance(
            str(self.facts.get("config", "")),
            "pinnlab.OperatorSolution",
            title=f"Solutions of {name}",
            summary=f"{name} by an operator of pinnlab" + (", tuned" if tuned else ""),
            license=str(self.facts.get("license", "")),
            precision=self.reading.dtype,
        )

    def save(self, path: str | Path) -> None:
        """Write the operator as one file without pickle; :func:`pinnlab.load` reads it.

        Raises:
            PinnlabError: it holds what has no name.
        """
        save_reading(self.reading, Path(path), self.facts)


def _coordinates(grid: Grid) -> dict[str, np.ndarray]:
    """The nodes of each axis of the domain; the end of time where it is no axis of the grid."""
    domain, nodes = grid.domain, grid.nodes
    return {a: nodes[a] if a in nodes else np.asarray([domain[a].upper]) for a in domain.axes}


def alike(found: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Inputs of as many members each: those that were given once hold for all."""
    count = max(len(values) for values in found.values())
    return {n: np.repeat(v, count, axis=0) if len(v) == 1 else v for n, v in found.items()}


def _with_members_of(ds: Any, made: Any, names: tuple[str, ...]) -> Any:
    """*made* with the dimension that counts the members in *ds* and its coordinates, or without
    one where *ds* has none."""
    dims = [d for name in names for d in ds[name].dims if d not in made.dims or d == DIM]
    if not dims:
        return made.isel({DIM: 0}, drop=True)
    own = dims[0]
    if own != DIM:
        made = made.drop_vars(DIM).rename({DIM: own})
    if own not in ds.coords:
        return made
    return made.assign_coords({own: ds[own].assign_attrs({"long_name": "member", **ds[own].attrs})})
