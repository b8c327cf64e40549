"""Two files of a trained operator for programs without pinnlab: StableHLO, and what it takes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from omegaconf import OmegaConf

from pinnlab._version import __version__
from pinnlab.core.domain import Domain
from pinnlab.core.errors import PinnlabError
from pinnlab.core.grid import Grid
from pinnlab.equations.family import Family
from pinnlab.io import write_bytes, write_json
from pinnlab.models.export import exported, given_out, serialized
from pinnlab.models.operatorreading import OperatorReading
from pinnlab.run.build import locate
from pinnlab.run.instances import DIM, described
from pinnlab.run.outputs import axis_name, readable
from pinnlab.sampling import Range

_USE = (
    "import jax, pathlib; "
    "jax.config.update('jax_enable_x64', dtype == 'float64'); "
    "outputs = jax.export.deserialize(bytearray(pathlib.Path(file).read_bytes())).call(*inputs)"
)


def write_program(
    reading: OperatorReading,
    facts: Mapping[str, Any],
    path: Path,
    family: Family,
    grid: Grid,
    numbers: Sequence[str] | None = None,
    batch: int | None = None,
) -> tuple[Path, Path]:
    """Write ``NAME.stablehlo`` and ``NAME.json``, and return their paths.

    The JSON file says in which order the program takes and gives its arrays, with names, units,
    dimensions and shapes, on which nodes they lie, and under which licence. It is written last and
    holds the SHA-256 of the program, so that a pair that does not belong together shows.

    Raises:
        PinnlabError: as :func:`pinnlab.models.export.exported`, or a path that cannot be written.
    """
    if path.suffix not in ("", ".stablehlo"):
        raise PinnlabError(f"export: '{path}' must end with .stablehlo")
    path = path.with_suffix(".stablehlo")
    numbers = _numbers(family, facts) if numbers is None else tuple(numbers)
    made = exported(reading, family, grid, numbers, batch)
    program = serialized(made)
    head = {
        "format": "pinnlab-export-1",
        "file": path.name,
        "sha256": hashlib.sha256(program).hexdigest(),
        "use": _USE,
        "equation": type(family.equation).__name__,
        "network": reading.model.name,
        "license": facts.get("license", ""),
        "dtype": reading.dtype,
        "platforms": list(made.platforms),
        "jax_version": jax.__version__,
        "calling_convention_version": made.calling_convention_version,
        "pinnlab_version": __version__,
        "inputs": _inputs(family, numbers, batch),
        "outputs": _outputs(reading, family, grid, batch),
        "input_coordinates": _coordinates(family.grid),
        "output_coordinates": _coordinates(grid, at_end=True),
    }
    write_bytes(path, program)
    write_json(path.with_suffix(".json"), head)
    return path, path.with_suffix(".json")


def _numbers(family: Family, facts: Mapping[str, Any]) -> tuple[str, ...]:
    """The inputs that were random numbers in the training, by its configuration."""
    config: Any = OmegaConf.create(str(facts.get("config", "{}")))
    given = config.get("operator") or {}
    drawn = {**given.get("initial", {}), **given.get("parameters", {})}
    return tuple(
        name
        for name in family.names
        if name in drawn and locate(drawn[name]["_target_"], f"operator, {name}") is Range
    )


def _inputs(family: Family, numbers: Sequence[str], batch: int | None) -> list[dict[str, Any]]:
    made, domain = [], family.equation.domain
    for symbol in family.names:
        told = described(family.equation, symbol)
        axes = () if symbol in numbers else family.grid.axes
        shape = () if symbol in numbers else family.grid.shape
        made.append(_array(told.name, told.units, told.long_name, domain, axes, shape, batch))
    return made


def _outputs(
    reading: OperatorReading, family: Family, grid: Grid, batch: int | None
) -> list[dict[str, Any]]:
    kinds = {"": ""}
    if reading.seeds > 1:
        kinds["_spread"] = "standard deviation over seeds of "
    made, domain = [], family.equation.domain
    for suffix, words in kinds.items():
        for symbol in given_out(reading):
            variable = family.equation.variables[symbol]
            name, long_name = readable(symbol, variable) + suffix, words + variable.long_name
            units = variable.units
            made.append(_array(name, units, long_name, domain, grid.axes, grid.shape, batch))
    return made


def _array(
    name: str,
    units: str,
    long_name: str,
    domain: Domain,
    axes: Sequence[str],
    shape: Sequence[int],
    batch: int | None,
) -> dict[str, Any]:
    return {
        "name": name,
        "units": units,
        "long_name": long_name,
        "dimensions": [DIM, *(axis_name(a, domain) for a in axes)],
        "shape": ["n" if batch is None else batch, *shape],
    }


def _coordinates(grid: Grid, at_end: bool = False) -> list[dict[str, Any]]:
    """The nodes of each axis in its units, and *at_end* the time at which solutions stand."""
    made, domain = [], grid.domain
    for axis in domain.axes:
        if axis in grid.axes or at_end:
            values = grid.nodes[axis] if axis in grid.axes else np.asarray([domain[axis].upper])
            own = {"name": axis_name(axis, domain), "units": domain[axis].units}
            made.append(own | {"periodic": domain[axis].periodic, "values": values})
    return made
