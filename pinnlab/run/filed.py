"""Members that the user has in a file, with their solutions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from pinnlab.core.errors import PinnlabError, choose
from pinnlab.core.grid import Grid
from pinnlab.core.precision import precision
from pinnlab.core.scores import relative_l2
from pinnlab.equations.base import Equation
from pinnlab.equations.family import Family
from pinnlab.io import open_dataset
from pinnlab.io.mesh import has_mesh
from pinnlab.models.operatorreading import OperatorReading
from pinnlab.models.symmetries import Symmetry, symmetries
from pinnlab.run.instances import described
from pinnlab.run.members import Arrays, Members, Part, make_part
from pinnlab.run.meshed import make_meshed
from pinnlab.run.observed import data_file
from pinnlab.run.online import KINDS, in_turn, make_outputs
from pinnlab.run.outputs import readable
from pinnlab.run.reference import Reference
from pinnlab.run.table import Table
from pinnlab.solvers.classical import Classical
from pinnlab.solvers.pairs import Pairs, timed
from pinnlab.terms.base import Batch, Term
from pinnlab.terms.instances import INPUT, SOLUTION, PairTerm

_KEYS = (*KINDS, "schemes", "outputs", "data", "physics")
_DATA = ("file", "test", "inputs", "outputs", "axes", "augment", "resolutions")
_WHOLE = 1 << 29  # bytes of a training set that is held on the device


@dataclass(frozen=True, eq=False)
class FileMembers(Members):
    """Members in files.

    Arguments:
        table: of the training, and of the test where that has no file of its own.
        tested: of the test.
        first: of the test's members in its table; those before are trained on, if it is the same.
        data: settings of the pairs.
        physics: settings of the residual that is trained on, or None.
        outputs: the variables that are learned.
        solver: to compare with, or None.
        augment: symmetries that are applied to what is trained on.
        others: tables of other resolutions on which it is tested as well.
    """

    family: Family
    grid: Grid
    table: Table
    tested: Table
    first: int
    data: Part
    physics: Part | None
    outputs: tuple[str, ...]
    solver: Classical | None = None
    augment: tuple[Symmetry, ...] = ()
    others: tuple[Table, ...] = ()

    @property
    def count(self) -> int:  # type: ignore[override]
        return self.tested.count - self.first

    def terms(self) -> list[Term]:
        drawn = Rows(self, self.outputs)
        made: list[Term] = [PairTerm(self.family, self.grid, drawn, share=self.data.share)]
        if self.physics is not None:
            made.append(self.physics.residual(self.family, Rows(self)))
        return made

    @property
    def trained(self) -> int:
        """How many members are trained on."""
        left = self.first if self.tested is self.table else self.table.count
        return min(self.data.count or left, left)

    def test(self) -> Arrays:
        return self._of(self.tested, INPUT, self.family.names, self.first)

    def reference(self, inputs: Mapping[str, Any]) -> Reference:
        shape = tuple(map(len, self.coordinates().values()))
        values = self._of(self.tested, SOLUTION, self.outputs, self.first)
        said: dict[str, Any] = {}
        if self.solver is not None:
            pairs = Pairs(self.family, {}, self.solver, self.grid)
            with precision("float64"):
                found, seconds = timed(pairs, inputs)
            error = {n: float(relative_l2(found[n], values[n]).mean()) for n in self.outputs}
            said = {"solver": type(self.solver).__name__, "seconds": seconds, "relative_l2": error}
        values = {n: v.reshape(-1, *shape) for n, v in values.items()}
        return Reference(self.tested.path, values, {}, said, many=True)

    def scores(
        self, reference: Reference, reading: OperatorReading, values: Arrays, seconds: float
    ) -> dict[str, Any]:
        """Errors in files of other resolutions."""
        made = {}
        for table in self.others:
            grid = table.grid_of([SOLUTION + n for n in self.outputs])
            truth = self._of(table, SOLUTION, self.outputs)
            found = reading(self._of(table, INPUT, self.family.names), grid)
            errors = [float(relative_l2(found[n], truth[n]).mean()) for n in self.outputs]
            made["x".join(map(str, grid.shape))] = max(errors)
        said = {"trained_on": self.trained, "resolution": made}
        return said | {"symmetries": max(1, len(self.augment))}

    @staticmethod
    def _of(table: Table, kind: str, names: Sequence[str], first: int = 0) -> Arrays:
        """By symbol, what a table holds of the members from *first* on."""
        found = table.read([kind + n for n in names], np.arange(first, table.count))
        return {column.removeprefix(kind): values for column, values in found.items()}


@dataclass(frozen=True, eq=False)
class Rows:
    """Columns of members of the training's file; for the loss on fresh points, of the test's.

    What fits the device is read once; else each batch is read when it is drawn.
    """

    members: FileMembers
    solutions: tuple[str, ...] = ()

    def __call__(self, key: Any, n: int, step: bool) -> Batch:
        members = self.members
        table = members.table if step else members.tested
        first, count = (0, members.trained) if step else (members.first, members.count)
        turns = -(-n // count)
        keys = jax.random.split(key, turns + 1)
        index = first + in_turn(keys[1:], count, n)
        if self._bytes(table) <= _WHOLE:
            dtype = jnp.result_type(float)
            held = self._trained if step else self._tested
            columns: Any = {c: jnp.asarray(v, dtype)[index] for c, v in held.items()}
        else:
            columns = self._called(table, index)
        return self._moved(keys[0], columns) if step and members.augment else columns

    @property
    def _columns(self) -> list[str]:
        inputs = [INPUT + name for name in self.members.family.names]
        return inputs + [SOLUTION + name for name in self.solutions]

    def _bytes(self, table: Table) -> int:
        values = sum(int(np.prod(table.shape_of(c))) for c in self._columns) * table.count
        return values * jnp.finfo(float).bits // 8

    @cached_property
    def _trained(self) -> Arrays:
        return self.members.table.read(self._columns, np.arange(self.members.table.count))

    @cached_property
    def _tested(self) -> Arrays:
        return self.members.tested.read(self._columns, np.arange(self.members.tested.count))

    def _called(self, table: Table, index: Any) -> Batch:
        """What the host reads when the compiled program asks for it."""
        dtype = jnp.result_type(float)
        shapes = {
            column: jax.ShapeDtypeStruct((*index.shape, *table.shape_of(column)), dtype)
            for column in self._columns
        }

        def read(index: Any) -> dict[str, np.ndarray]:
            found = table.read(self._columns, np.asarray(index))
            return {column: np.asarray(v, dtype) for column, v in found.items()}

        return jax.pure_callback(read, shapes, index)

    def _moved(self, key: Any, columns: Batch) -> Batch:
        """Each member by a symmetry of its own."""
        members = self.members
        which = jax.random.randint(
            key, next(iter(columns.values())).shape[:1], 0, len(members.augment)
        )

        def one(which: Any, point: Batch) -> Batch:
            def by(symmetry: Symmetry) -> Any:
                return lambda p: {
                    c: symmetry.on(v, members.family.grid if c.startswith(INPUT) else members.grid)
                    for c, v in p.items()
                }

            return jax.lax.switch(which, [by(s) for s in members.augment], point)

        return jax.vmap(one)(which, columns)


def make_filed(given: Mapping[str, Any], equation: Equation, solver: Classical | None) -> Members:
    """What ``operator`` says of members in files.

    Raises:
        PinnlabError: an unknown key, a file that is missing or does not hold what it should, or a
            test that leaves nothing to train on.
    """
    for key in given:
        choose("key of operator (with data.file)", str(key), _KEYS)
    own = given["data"]
    outputs = make_outputs(given, equation, given.get("physics") is not None)
    kinds = {kind: tuple(given.get(kind, ())) for kind in KINDS}
    inputs = [name for kind in KINDS for name in kinds[kind]]
    columns = _columns(own, equation, inputs, outputs)
    ds = open_dataset(data_file(own["file"], "operator.data.file"))
    named = own.get("axes", {})
    if has_mesh(ds, [named.get(axis, axis) for axis in equation.domain.space]):
        return make_meshed(given, equation, ds, columns, kinds, outputs, solver)

    def opened(path: str, key: str) -> Table:
        schemes = given.get("schemes", {})
        made = Table(path, equation, columns, named, schemes, f"operator.data.{key}")
        made.check()
        return made

    table = opened(own["file"], "file")
    family = Family(equation, table.grid_of([INPUT + n for n in inputs]), **kinds)
    grid = table.grid_of([SOLUTION + n for n in outputs])
    test = own.get("test", max(1, table.count // 10))
    tested = opened(test, "test") if isinstance(test, str) else table
    first = 0 if isinstance(test, str) else table.count - int(test)
    if tested is table and not 0 < first < table.count:
        raise PinnlabError(
            f"operator.data.test: {test} of the {table.count} members of '{table.path}' cannot be "
            "held back for the test; give a smaller number, or a file of their own"
        )
    others = tuple(opened(path, "resolutions") for path in own.get("resolutions", ()))
    part = make_part(own, equation, grid, "operator.data", _DATA)
    physics = given.get("physics")
    residual = None
    if physics is not None:
        residual = make_part(physics, equation, grid, "operator.physics", ("norm",))
    found = symmetries(family, grid) if own.get("augment") else ()
    return FileMembers(
        family, grid, table, tested, first, part, residual, outputs, solver, found, others
    )


def _columns(
    own: Mapping[str, Any], equation: Equation, inputs: Sequence[str], outputs: Sequence[str]
) -> dict[str, tuple[str, str]]:
    """By column, the variable in the file (as pinnlab itself calls it, unless told) and its
    units."""
    given = {"inputs": own.get("inputs", {}), "outputs": own.get("outputs", {})}
    for kind, known in (("inputs", inputs), ("outputs", outputs)):
        for symbol in given[kind]:
            choose(f"symbol (operator.data.{kind})", symbol, known)
    made = {}
    for symbol in inputs:
        told = described(equation, symbol)
        made[INPUT + symbol] = (given["inputs"].get(symbol, told.name), told.units)
    for symbol in outputs:
        variable = equation.variables[symbol]
        name = given["outputs"].get(symbol, readable(symbol, variable))
        made[SOLUTION + symbol] = (name, variable.units)
    return made
