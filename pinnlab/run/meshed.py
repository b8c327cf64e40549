"""Members on a mesh that the user has in a file, with their solutions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from pinnlab.core.cloud import Cloud, Recipe
from pinnlab.core.domain import Domain
from pinnlab.core.errors import PinnlabError, choose
from pinnlab.equations.base import Equation
from pinnlab.equations.cloudfamily import CloudFamily
from pinnlab.io.mesh import Mesh, read_mesh
from pinnlab.io.ugrid import NODE, MeshNodes
from pinnlab.models.cloudmodel import CloudModel, CloudReading
from pinnlab.models.operatorreading import OperatorReading
from pinnlab.run.members import Arrays, Members
from pinnlab.run.online import in_turn
from pinnlab.run.reference import Reference
from pinnlab.solvers.classical import Classical
from pinnlab.terms.base import Batch, Term
from pinnlab.terms.clouds import MESH, CloudTerm
from pinnlab.terms.instances import INPUT, SOLUTION

_KEYS = ("initial", "parameters", "outputs", "data")
_DATA = ("file", "test", "inputs", "outputs", "share", "count", "cloud")
_CLOUD = ("neighbours", "radius", "coarse")
_MODEL = ("exact", "increment", "coordinates")


@dataclass(frozen=True)
class MeshReference(Reference):
    """Solutions at the nodes of meshes; errors are in the quadrature of these."""

    nodes: MeshNodes | None = None

    def relative_l2(self, values: Mapping[str, np.ndarray]) -> dict[str, float]:
        assert self.nodes is not None
        each = {n: self.nodes.relative_l2(values[n], truth) for n, truth in self.values.items()}
        return {name: float(errors.mean()) for name, errors in each.items()}


@dataclass(frozen=True, eq=False)
class MeshMembers(Members):
    """Members on the nodes of one mesh, or of a mesh each.

    Arguments:
        family: of all members.
        outputs: the variables that are learned.
        path: of the file.
        mesh: as the file has it.
        cloud: its nodes; a stack with a cloud for each member where they differ.
        columns: ``_input_NAME`` and ``_solution_NAME`` of all members.
        first: of the test's members.
        trained: how many members are trained on, the first ones.
        share: members in a batch over the phase's points.
    """

    family: CloudFamily
    outputs: tuple[str, ...]
    path: str
    mesh: Mesh
    cloud: Cloud
    columns: Arrays
    first: int
    trained: int
    share: float = 1.0

    @property
    def grid(self) -> Any:  # type: ignore[override]
        """Of the model: one cloud."""
        return self.family.grid

    @property
    def count(self) -> int:  # type: ignore[override]
        return len(next(iter(self.columns.values()))) - self.first

    def terms(self) -> list[Term]:
        return [CloudTerm(self.family, self.cloud, self._drawn, share=self.share)]

    def _drawn(self, key: Any, n: int, step: bool) -> Batch:
        first, count = (0, self.trained) if step else (self.first, self.count)
        keys = jax.random.split(key, -(-n // count))
        index = first + in_turn(keys, count, n)
        dtype = jnp.result_type(float)
        made: Any = {c: jnp.asarray(v, dtype)[index] for c, v in self.columns.items()}
        return made | ({MESH: index} if self.cloud.count else {})

    def test(self) -> Arrays:
        return {n: self.columns[INPUT + n][self.first :] for n in self.family.names}

    def reference(self, inputs: Mapping[str, Any]) -> Reference:
        values = {n: self._laid(self.columns[SOLUTION + n][self.first :]) for n in self.outputs}
        return MeshReference(self.path, values, many=True, nodes=self.nodes)

    def scores(
        self, reference: Reference, reading: OperatorReading, values: Arrays, seconds: float
    ) -> dict[str, Any]:
        return {"trained_on": self.trained, "nodes": self.cloud.shape[0]}

    def bands(self, values: Arrays, truth: Arrays, dtype: str) -> dict[str, Any]:
        return {}

    def model(self, network: Any, given: Mapping[str, Any]) -> CloudModel:
        for key in given:
            choose("key of model (on a mesh)", str(key), _MODEL)
        made = CloudModel(network, self.family.names, self.grid, outputs=self.outputs, **given)
        made.check(self.cloud)
        return made

    def scaled(self, model: Any, term: Any) -> CloudModel:
        known = np.asarray(self.cloud.weights) > 0
        known = np.broadcast_to(known, (self.first + self.count, known.shape[-1]))[: self.trained]

        def seen(column: str) -> np.ndarray:
            values = self.columns[column][: self.trained]
            return values if values.ndim == 1 else values[known]

        inputs = {n: seen(INPUT + n) for n in self.family.names}
        outputs = {n: seen(SOLUTION + n) for n in self.outputs}
        if model.increment:
            outputs = {n: v - inputs[n] if n in inputs else v for n, v in outputs.items()}
        return model.scaled(inputs, outputs)

    def reading(self, model: Any, params: Any, seeds: int) -> CloudReading:
        return CloudReading(self.family, model, params, seeds)

    @cached_property
    def nodes(self) -> MeshNodes:  # type: ignore[override]
        """Of the test."""
        tested, mesh = slice(self.first, None), self.mesh
        if mesh.member:
            cells, edges = (None if a is None else a[tested] for a in (mesh.cells, mesh.edges))
            mesh = replace(mesh, points=mesh.points[tested], cells=cells, edges=edges)
        return MeshNodes(mesh, self.family.equation.domain, np.asarray(self._tested.weights))

    @cached_property
    def _tested(self) -> Any:
        if not self.cloud.count:
            return self.cloud
        return jax.tree.map(lambda a: a[self.first :], self.cloud)

    def coordinates(self) -> Arrays:
        return coordinates(self.cloud)

    def predicted(self, reading: OperatorReading, inputs: Arrays) -> Arrays:
        found = reading.members(inputs, self._tested)
        known = np.asarray(self._tested.weights) > 0
        return {n: self._laid(np.where(known, v, 0.0).astype(float)) for n, v in found.items()}

    def shown(self) -> Arrays:
        return {n: v if v.ndim == 1 else self._laid(v) for n, v in self.test().items()}

    def _laid(self, values: np.ndarray) -> np.ndarray:
        """(..., *coordinates)."""
        return values.reshape(*values.shape[:-1], *map(len, self.coordinates().values()))


def coordinates(cloud: Cloud) -> Arrays:
    """The end of time, where there is time, and the numbers of the nodes."""
    time = cloud.domain.time
    end = {} if time is None else {time: np.asarray([cloud.domain[time].upper])}
    return {**end, NODE: np.arange(cloud.shape[0])}


def make_meshed(
    given: Mapping[str, Any],
    equation: Equation,
    ds: Any,
    columns: Mapping[str, tuple[str, str]],
    kinds: Mapping[str, tuple[str, ...]],
    outputs: tuple[str, ...],
    solver: Classical | None = None,
) -> MeshMembers:
    """What ``operator`` says of members on meshes in the dataset *ds*, which is ``data.file``.

    Arguments:
        columns: by the name of a column, the variable in the file and the wanted units.
        kinds: the names of what differs, by ``initial`` and ``parameters``.
        outputs: the variables that are learned.
        solver: to compare with, which must not be there.

    Raises:
        PinnlabError: a solver, a key that is for grids only, a file that does not hold what it
            should, or a test that leaves nothing to train on.
    """
    own, domain = given["data"], equation.domain
    if solver is not None:
        raise PinnlabError(
            f"classical: {type(solver).__name__} solves on a grid, but '{own['file']}' has a "
            "mesh; set classical to null"
        )
    check_keys(given, domain)
    mesh = read_mesh(ds, domain, f"operator.data.file ({own['file']})")
    held = _held(mesh, ds, columns)
    count = len(next(iter(held.values())))
    first = count - int(own.get("test", max(1, count // 10)))
    if not 0 < first < count:
        raise PinnlabError(
            f"operator.data.test: {own.get('test', 1)} of the {count} members of '{own['file']}' "
            "cannot be held back for the test; give a smaller number"
        )
    cloud = mesh.cloud(domain, Recipe(**own.get("cloud", {})))
    family = CloudFamily(equation, cloud.one(0) if cloud.count else cloud, **kinds)
    trained, share = min(own.get("count") or first, first), own.get("share", 1.0)
    return MeshMembers(family, outputs, own["file"], mesh, cloud, held, first, trained, share)


def check_keys(given: Mapping[str, Any], domain: Domain) -> None:
    """Raise :class:`PinnlabError` for what ``operator`` may say on grids only."""
    own = given["data"]
    wrong = [f"operator.{k}" for k in given if k not in _KEYS]
    wrong += [f"operator.data.{k}" for k in own if k not in _DATA]
    if isinstance(own.get("test"), str):
        wrong.append("operator.data.test, if it names a file,")
    if wrong:
        raise PinnlabError(
            f"{wrong[0]} has no meaning on a mesh, which '{own['file']}' has, as its "
            f"{', '.join(domain.space)} are those of nodes; leave it out. On a mesh there are "
            f"operator.{{{', '.join(_KEYS)}}} and operator.data.{{{', '.join(_DATA)}}}"
        )
    for key in own.get("cloud", {}):
        choose("key of operator.data.cloud", str(key), _CLOUD)


def _held(mesh: Mesh, ds: Any, columns: Mapping[str, tuple[str, str]]) -> Arrays:
    """Columns of equally many members; what is given once holds for all."""
    held = {c: mesh.values(ds, name, units) for c, (name, units) in columns.items()}
    for column, values in held.items():
        if column.startswith(SOLUTION) and values.ndim == 1:
            raise PinnlabError(
                f"{mesh.where}: '{columns[column][0]}' has no dimension {mesh.node}; a solution "
                "has a value at each node"
            )
    sizes = {columns[c][0]: len(values) for c, values in held.items()}
    counts = {n for n in sizes.values() if n > 1} or {1}
    if len(counts) > 1:
        told = ", ".join(f"{name} {n}" for name, n in sizes.items())
        raise PinnlabError(f"{mesh.where}: variables have different numbers of members ({told})")
    count = counts.pop()
    return {c: np.repeat(v, count, axis=0) if len(v) == 1 else v for c, v in held.items()}
