"""Task: what a run is asked, whatever the method."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pinnlab.equations.base import Equation
from pinnlab.run.members import Members
from pinnlab.run.observed import Observed
from pinnlab.run.reference import Reference
from pinnlab.solvers.classical import Classical


@dataclass(frozen=True, eq=False)
class Task:
    """An equation with what its solution is compared with, on the output's coordinates.

    Arguments:
        equation: with the parameters of the configuration.
        coordinates: (n,) of each axis.
        reference: values there.
        solver: the experiment's classical one.
        observed: what is learned from.
        members: of the family that an operator learns; every array then has them first.
    """

    equation: Equation
    coordinates: Mapping[str, np.ndarray]
    reference: Reference
    solver: Classical | None = None
    observed: Observed | None = None
    members: Members | None = None
