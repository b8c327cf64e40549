"""MeshSolution: a trained operator on meshes, from datasets to datasets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from pinnlab.core.errors import PinnlabError
from pinnlab.io.mesh import Mesh, read_mesh
from pinnlab.io.ugrid import NODE, MeshNodes
from pinnlab.models.cloudmodel import CloudReading
from pinnlab.optimizers import Optimizer
from pinnlab.run.meshed import coordinates
from pinnlab.run.operatorsolution import OperatorSolution, alike


@dataclass(frozen=True, eq=False)
class MeshSolution(OperatorSolution):
    """The solutions of a family's members at the nodes of meshes.

    Arguments:
        reading: the trained model.
        facts: what is known of it.
    """

    reading: CloudReading

    def __call__(self, ds: Any, grid: Mapping[str, int] | None = None) -> Any:
        """A dataset of solutions for the members in *ds*, at the nodes that it has.

        Arguments:
            ds: coordinates of nodes, with connections by UGRID if there are any, and the variables
                that :attr:`inputs` names at the nodes, in any units that convert. One mesh holds
                for all members, or each has its own (:mod:`pinnlab.io.mesh`). Nodes hear as many
                others as in the training, and coarser levels have as many nodes.
            grid: must be None.

        Raises:
            PinnlabError: a variable that is missing, has other dimensions or units, or values that
                are not finite; a dataset without a mesh, or a grid.
        """
        if grid:
            self._refused("no grid can be chosen: give a dataset with the nodes of another mesh")
        mesh = self._mesh(ds)
        values, cloud = self._read(ds, mesh)
        weights = np.asarray(cloud.weights)
        nodes = MeshNodes(mesh, self.reading.family.equation.domain, weights)
        found = self.reading.members(values, cloud)
        own = ds if mesh.node == NODE else ds.rename({mesh.node: NODE})
        places = coordinates(cloud)
        made = self._answer(own, self.reading.family.equation, places, values, found, nodes)
        return made if mesh.node == NODE else made.rename({NODE: mesh.node})

    def read(self, ds: Any) -> tuple[dict[str, np.ndarray], Any]:
        """(N, nodes) inputs by symbol, and the cloud of their nodes, or of each member's.

        Raises:
            PinnlabError: as :meth:`__call__`.
        """
        return self._read(ds, self._mesh(ds))

    def _mesh(self, ds: Any) -> Mesh:
        self.check(ds)
        return read_mesh(ds, self.reading.family.equation.domain, "the dataset")

    def _read(self, ds: Any, mesh: Mesh) -> tuple[dict[str, np.ndarray], Any]:
        pairs = zip(self.reading.family.names, self.inputs.items(), strict=True)
        values = {symbol: mesh.values(ds, name, units) for symbol, (name, units) in pairs}
        recipe = self.reading.model.grid.recipe
        return alike(values), mesh.cloud(self.reading.family.equation.domain, recipe)

    def _shown(self, values: Mapping[str, Any], places: Mapping[str, Any]) -> dict[str, np.ndarray]:
        shape = tuple(map(len, places.values()))
        return {n: v if v.ndim == 1 else v.reshape(len(v), *shape) for n, v in values.items()}

    def rollout(self, ds: Any, steps: int) -> NoReturn:
        """Raises :class:`PinnlabError`: an operator on meshes is not trained to step."""
        self._refused("it is not trained to step in time (operator.rollout)")

    def tuned(
        self,
        ds: Any,
        seconds: float | str = 30.0,
        grid: Mapping[str, int] | None = None,
        steps: int | None = None,
        optimizer: Optimizer | None = None,
        norm: str | None = None,
    ) -> NoReturn:
        """Raises :class:`PinnlabError`: the equation's residual cannot be had on a mesh."""
        self._refused("it cannot be tuned, as the equation's residual cannot be had there")

    def export(
        self,
        path: str | Path,
        grid: Mapping[str, int] | None = None,
        batch: int | None = None,
        numbers: Sequence[str] | None = None,
    ) -> NoReturn:
        """Raises :class:`PinnlabError`: programs are written for grids."""
        self._refused("it cannot be exported: programs are written for grids")

    @staticmethod
    def _refused(why: str) -> NoReturn:
        raise PinnlabError(f"this operator is on meshes: {why}")
