"""Solution: what ``pinnlab.solve`` and ``pinnlab.load`` return."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from pinnlab.core.errors import PinnlabError
from pinnlab.core.field import Field
from pinnlab.core.parameters import Profile
from pinnlab.equations.base import Equation
from pinnlab.models.cloudmodel import CloudReading
from pinnlab.models.operatorreading import OperatorReading
from pinnlab.models.reading import NetworkReading
from pinnlab.models.storage import load_reading, save_reading
from pinnlab.models.windows import WindowedReading
from pinnlab.run.meshsolution import MeshSolution
from pinnlab.run.operatorsolution import OperatorSolution


@dataclass(frozen=True, eq=False)
class Solution:
    """A solved equation, asked like a function.

    Arguments:
        equation: with learned parameters replaced by their means over seeds.
        reading: a trained network (:class:`pinnlab.models.NetworkReading`) or a classical
            solution; both take a name and the coordinates of every axis.
        facts: what is known of it (losses, seconds, configuration).
    """

    equation: Equation
    reading: Any
    facts: Mapping[str, Any] = field(default_factory=dict)

    def __call__(self, what: str | Callable[[Field], Any], **coordinates: Any) -> np.ndarray:
        """A variable, or for a network any function of the field, at SI coordinates.

        ``sol("T", t=3600.0, depth=[0.1, 0.2])``; scalars and arrays broadcast.
        """
        return self.reading(what, **coordinates)

    def to_dataset(self, **counts: Any) -> Any:
        """An xarray dataset on an even grid of *counts* points an axis (101 by default)."""
        from pinnlab.io.provenance import provenance
        from pinnlab.run.outputs import Result, dataset, output_coordinates

        coordinates = output_coordinates(self.equation, counts, None)
        result = Result(self.equation, coordinates, self.reading.on(coordinates))
        name = type(self.equation).__name__
        attributes = provenance(
            "",
            "pinnlab.Solution.to_dataset",
            title=f"Solution of {name}",
            summary=f"{name} by pinnlab",
        )
        return dataset(result, attributes)

    def save(self, path: str | Path) -> None:
        """Write a trained solution as one file without pickle; :func:`load` reads it.

        Raises:
            PinnlabError: the solution is not a network's, or holds what has no name.
        """
        if not isinstance(self.reading, NetworkReading):
            raise PinnlabError("a classical solution is saved as a dataset: sol.to_dataset()")
        save_reading(self.reading, Path(path), self.facts)


def trained(reading: NetworkReading, facts: Mapping[str, Any]) -> Solution:
    """A solution whose equation holds the means of what was learned."""
    means = {}
    for name in reading.params["equation"]:
        value = reading.parameter(name)
        if isinstance(value, Profile):
            value = replace(value, values=np.asarray(value.values).mean(axis=0))
        else:
            value = float(np.mean(value))
        means[name] = value
    return Solution(reading.equation.replace(**means), reading, facts)


def load(path: str | Path) -> Any:
    """Read a :class:`Solution` or :class:`~.operatorsolution.OperatorSolution` that was saved, or
    that a run left in its folder.

    Raises:
        PinnlabError: the file is missing, damaged, or needs a class that cannot be imported.
    """
    path = Path(path)
    reading, facts = load_reading(path / "solution.safetensors" if path.is_dir() else path)
    if isinstance(reading, CloudReading):
        return MeshSolution(reading, facts)
    if isinstance(reading, OperatorReading):
        return OperatorSolution(reading, facts)
    if isinstance(reading, WindowedReading):
        return Solution(reading.equation, reading, facts)
    return trained(reading, facts)
