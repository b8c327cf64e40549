"""Members drawn at random, with classical solutions made while the operator is trained."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
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
from pinnlab.models.operatorreading import OperatorReading
from pinnlab.run import scored
from pinnlab.run.build import instantiate
from pinnlab.run.members import Arrays, Members, Part, make_grid, make_part, whole_number
from pinnlab.run.reference import Reference
from pinnlab.sampling import RandomFunction
from pinnlab.solvers.classical import Classical
from pinnlab.solvers.pairs import Pairs, timed
from pinnlab.terms.base import Batch, Term
from pinnlab.terms.instances import INPUT, SOLUTION, PairTerm

TEST = 20_000_003  # the key of the members that no seed trains on
KINDS = ("initial", "parameters")
_KEYS = (*KINDS, "inputs", "grid", "schemes", "outputs", "data", "physics", "test", "resolutions")


@dataclass(frozen=True, eq=False)
class OnlineMembers(Members):
    """Members whose inputs are random functions, solved by a classical solver.

    Arguments:
        pairs: random inputs and their classical solutions, on the grid of the test.
        data: settings of the pairs that are trained on, or None.
        physics: settings of the residual that is trained on, or None.
        count: members of the test.
        outputs: the variables that are learned.
        resolutions: factors of the grid on which it is tested as well.
    """

    pairs: Pairs
    data: Part | None
    physics: Part | None
    count: int
    outputs: tuple[str, ...]
    resolutions: tuple[float, ...] = ()

    @property
    def family(self) -> Family:  # type: ignore[override]
        return self.pairs.family

    @property
    def grid(self) -> Grid:  # type: ignore[override]
        return self.pairs.grid

    def terms(self) -> list[Term]:
        made: list[Term] = []
        if self.data is not None:
            grid, share = self.data.grid, self.data.share
            self._solved.prepare()
            made.append(PairTerm(self.family, grid, self._solved, share=share))
        if self.physics is not None:
            self._unsolved.prepare()
            made.append(self.physics.residual(self.family, self._unsolved))
        return made

    @cached_property
    def _solved(self) -> Drawn:
        assert self.data is not None
        return Drawn(replace(self.pairs, grid=self.data.grid), self.data.count, self.outputs)

    @cached_property
    def _unsolved(self) -> Drawn:
        assert self.physics is not None
        return Drawn(self.pairs, self.physics.count)

    def test(self) -> Arrays:
        return self._tested

    @cached_property
    def _tested(self) -> Arrays:
        with precision("float64"):
            made = jax.jit(self.pairs.sample, static_argnums=1)(jax.random.key(TEST), self.count)
            return jax.tree.map(np.asarray, made)

    def reference(self, inputs: Mapping[str, Any]) -> Reference:
        """The refined classical solutions of the test, their floor, and the classical ones'
        seconds. The floor is the mean over the members of the relative change between the two."""
        solver = self.pairs.solver
        with precision("float64"):
            fine, _ = timed(replace(self.pairs, solver=solver.refined()), inputs)
            coarse, seconds = timed(self.pairs, inputs)
        floor = {n: float(relative_l2(coarse[n], fine[n]).mean()) for n in self.outputs}
        said = {"solver": type(solver).__name__, "seconds": seconds, "relative_l2": floor}
        shape = tuple(map(len, self.coordinates().values()))
        values = {n: fine[n].reshape(-1, *shape) for n in self.outputs}
        return Reference(f"{type(solver).__name__}, refined", values, floor, said, many=True)

    def scores(
        self, reference: Reference, reading: OperatorReading, values: Arrays, seconds: float
    ) -> dict[str, Any]:
        """When the training has paid, and errors on grids of other sizes."""
        inputs, own = self.test(), scored.seconds_per_solve(reading, self.pairs)
        error = max(reference.relative_l2(values).values())
        paid = scored.paid(self.pairs, reading, inputs, reference.values, error, seconds, own)
        transfer = scored.transfer(self.pairs, reading, self.outputs, self.resolutions)
        return {"seconds_per_solve": own, "resolution": transfer, **paid}


class Kept(ABC):
    """Columns that can be made once, before the training, for a *count* of members."""

    count: int

    @abstractmethod
    def make(self, keys: Any) -> Batch:
        """Columns of one member a key."""

    def prepare(self) -> None:
        """Make the first *count* members, outside of any trace."""
        if self.count:
            self._once  # noqa: B018

    @property
    def seconds(self) -> float:
        """What making the first members took, compiling included, before the training."""
        return self._once[1] if self.count else 0.0

    def first(self) -> Batch:
        """The first *count* members, on the device in the precision at hand."""
        dtype = jnp.result_type(float)
        return {name: jnp.asarray(column, dtype) for name, column in self._once[0].items()}

    @cached_property
    def _once(self) -> tuple[Arrays, float]:
        """The members of keys that are no seed's and not those of the test, in double precision,
        and the seconds."""
        begun = time.monotonic()
        with precision("float64"):
            keys = jax.random.split(jax.random.key(TEST + 1), self.count)
            made = jax.tree.map(np.asarray, jax.jit(self.make)(keys))
        return made, time.monotonic() - begun


def in_turn(keys: Any, count: int, n: int) -> Any:
    """(n,) numbers below *count*: all of them in a random order for each key, before any comes
    again."""
    return jnp.concatenate([jax.random.permutation(k, count) for k in keys])[:n]


@dataclass(frozen=True, eq=False)
class Drawn(Kept):
    """Columns of random members: new ones, or for steps out of the first *count*.

    Arguments:
        pairs: what they are drawn from.
        count: how many there are; 0 for ever new ones.
        solutions: the variables of which solutions are wanted.
    """

    pairs: Pairs
    count: int = 0
    solutions: tuple[str, ...] = ()

    def __call__(self, key: Any, n: int, step: bool) -> Batch:
        if not (step and self.count):
            return self.make(jax.random.split(key, n))
        turns = -(-n // self.count)
        some = in_turn(jax.random.split(key, turns), self.count, n)
        return {name: column[some] for name, column in self.first().items()}

    def make(self, keys: Any) -> Batch:
        inputs = self.pairs.at(keys)
        found = self.pairs.solve(inputs) if self.solutions else {}
        made = {INPUT + name: values for name, values in inputs.items()}
        return made | {SOLUTION + name: found[name] for name in self.solutions}


def make_online(given: Mapping[str, Any], equation: Equation, solver: Classical | None) -> Members:
    """What ``operator`` says of members that are drawn at random.

    Raises:
        PinnlabError: an unknown key, nothing that differs, no solver, or nothing to train on.
    """
    for key in given:
        choose("key of operator", str(key), _KEYS)
    if solver is None:
        raise PinnlabError("operator: name the solver of its pairs and of the test (classical)")
    pairs = make_pairs(given, equation, solver)
    more = {"data": (), "physics": ("norm",)}
    data, physics = (
        make_part(given[kind], equation, pairs.grid, f"operator.{kind}", more[kind])
        if kind in given
        else None
        for kind in more
    )
    if data is None and physics is None:
        raise PinnlabError(
            "operator: nothing to train on; give operator.data={} (pairs by the classical solver), "
            "operator.physics={} (the equation's residual), or both"
        )
    outputs = make_outputs(given, equation, physics is not None)
    count = whole_number(given.get("test", 100), "operator.test")
    return OnlineMembers(pairs, data, physics, count, outputs, _resolutions(given, pairs))


def _resolutions(given: Mapping[str, Any], pairs: Pairs) -> tuple[float, ...]:
    factors = given.get("resolutions", [])
    if not isinstance(factors, list) or not all(isinstance(f, (int, float)) for f in factors):
        raise PinnlabError(
            f"operator.resolutions: give factors of the grid's points, as [0.5, 2], not {factors!r}"
        )
    for factor in factors:
        try:
            scored.resized(pairs, factor)
        except PinnlabError as error:
            raise PinnlabError(f"operator.resolutions, {factor:g}: {error}") from error
    return tuple(factors)


def make_pairs(given: Mapping[str, Any], equation: Equation, solver: Classical) -> Pairs:
    """Random inputs and the grids that ``operator`` names."""
    kinds = {kind: tuple(given.get(kind, {})) for kind in KINDS}
    counts, schemes = given.get("grid", {}), given.get("schemes", {})
    grid = make_grid(equation, counts, schemes, "operator.grid")
    space = {a: n for a, n in counts.items() if a in equation.domain.space}
    sampled = given.get("inputs") or space or counts
    family = Family(equation, make_grid(equation, sampled, schemes, "operator.inputs"), **kinds)
    inputs = {
        name: _random(node, f"operator.{kind}.{name}")
        for kind in kinds
        for name, node in given.get(kind, {}).items()
    }
    return Pairs(family, inputs, solver, grid)


def make_outputs(given: Mapping[str, Any], equation: Equation, all_of_them: bool) -> tuple:
    """The variables that are learned: those named, else all where the residual needs them, else
    those that evolve, as others follow from them."""
    known = equation.variables
    if given.get("outputs"):
        return tuple(choose("variable (operator.outputs)", n, known) for n in given["outputs"])
    evolving = tuple(name for name in known if known[name].order)
    return evolving if evolving and not all_of_them else known.names


def _random(node: Any, key: str) -> RandomFunction:
    made = instantiate(node, key)
    if not isinstance(made, RandomFunction):
        raise PinnlabError(
            f"{key}: {type(made).__name__} is no random function of pinnlab.sampling"
        )
    return made
