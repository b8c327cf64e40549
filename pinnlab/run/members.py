"""The members of a family that an operator learns, whatever they come from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from pinnlab.core.errors import PinnlabError, choose
from pinnlab.core.grid import FiniteDifference, Fourier, Grid
from pinnlab.core.latitudes import GaussianLatitudes
from pinnlab.core.metric import Sphere
from pinnlab.core.precision import precision
from pinnlab.core.sampled import Sampled
from pinnlab.equations.base import Equation
from pinnlab.equations.family import Family
from pinnlab.io.ugrid import MeshNodes
from pinnlab.models.operator import OperatorModel
from pinnlab.models.operatorreading import OperatorReading
from pinnlab.models.symmetries import symmetries
from pinnlab.run import scored
from pinnlab.run.build import instantiate
from pinnlab.run.reference import Reference
from pinnlab.solvers.pairs import Coarse
from pinnlab.terms.base import Term
from pinnlab.terms.instances import INPUT, SOLUTION, Draw, PhysicsTerm

Arrays = dict[str, np.ndarray]
_MODEL = ("exact", "increment", "coarse", "symmetric")
_SEEN = 256  # members from which the scales of inputs and solutions are taken


class Members(ABC):
    """What tells the members of a family apart, and on which grids they are trained and tested.

    Attributes:
        family: of the test and, but for the grid, of all.
        grid: where solutions are tested.
        count: members of the test.
        outputs: the variables that are learned.
    """

    family: Family
    grid: Grid
    count: int
    outputs: tuple[str, ...]

    @abstractmethod
    def terms(self) -> list[Term]:
        """Of the training."""

    @abstractmethod
    def test(self) -> Arrays:
        """(N, *family.grid) inputs of the members that no seed trains on."""

    @abstractmethod
    def reference(self, inputs: Mapping[str, Any]) -> Reference:
        """The solutions of the test, (N, *coordinates), with their floor."""

    def scores(
        self, reference: Reference, reading: OperatorReading, values: Arrays, seconds: float
    ) -> dict[str, Any]:
        """For the summary, what only members of this kind have; *seconds* is the training's."""
        return {}

    def bands(self, values: Arrays, truth: Arrays, dtype: str) -> dict[str, Any]:
        """For the summary, relative errors by wave number of an operator in *dtype*."""
        return scored.bands(values, truth, self.grid, dtype)

    def model(self, network: Any, given: Mapping[str, Any]) -> OperatorModel:
        """Of a network that is built, and what ``model`` says.

        Raises:
            PinnlabError: an unknown key, or a network that cannot read these members.
        """
        for key in given:
            choose("key of model", str(key), _MODEL)
        if getattr(network, "meshed", False):
            raise PinnlabError(
                f"network: {type(network).__name__} reads the nodes of a mesh, which only "
                "operator.data.file can bring; a grid needs fno or another"
            )
        more = dict(given)
        if more.get("coarse") is not None:
            more["coarse"] = Coarse(instantiate(more["coarse"], "model.coarse"))
        found = symmetries(self.family, self.grid) if more.pop("symmetric", False) else ()
        names, sensors = self.family.names, self.family.grid
        more |= {"outputs": self.outputs, "sensors": sensors, "symmetries": found}
        return OperatorModel(network, names, self.grid, **more)

    def scaled(self, model: OperatorModel, term: Any) -> OperatorModel:
        """The model with the scales of what a term of the training is given."""

        def seen(key: Any) -> tuple[Any, Any]:
            columns = term.draw(key, _SEEN, True)
            inputs, found = (
                {k.removeprefix(kind): v for k, v in columns.items() if k.startswith(kind)}
                for kind in (INPUT, SOLUTION)
            )

            def base(one: Any) -> Any:
                return model.base(term.family.member(one), term.grid)

            deep = 1 + len(term.grid.shape)
            first = {n: v if v.ndim <= deep else v[:, 0] for n, v in found.items()}
            given = jax.vmap(base)(inputs) if found else {}
            return inputs, {n: v - given.get(n, 0.0) for n, v in first.items()}

        inputs, outputs = jax.jit(seen)(jax.random.key(1))
        return model.scaled(inputs, outputs, term.grid)

    def reading(self, model: Any, params: Any, seeds: int) -> OperatorReading:
        """A trained model, to be asked for members."""
        return OperatorReading(self.family, model, params, seeds)

    @property
    def nodes(self) -> MeshNodes | None:
        """Where the values of the test are, if not on axes."""
        return None

    @property
    def equation(self) -> Equation:
        """Over all of the time of the test."""
        return self.family.equation

    def coordinates(self) -> Arrays:
        """Of the test, with the end of time where it is no axis of the grid."""
        domain, nodes = self.family.equation.domain, self.grid.nodes
        return {a: nodes[a] if a in nodes else np.asarray([domain[a].upper]) for a in domain.axes}

    def predicted(self, reading: OperatorReading, inputs: Arrays) -> Arrays:
        """(seeds, N, *coordinates) of each variable that is learned."""
        shape = tuple(map(len, self.coordinates().values()))
        found = reading.members(inputs)
        return {n: found[n].astype(float).reshape(*found[n].shape[:2], *shape) for n in found}

    def shown(self) -> Arrays:
        """By name, (N,) numbers and (N, ...) functions on the nodes of the test, with a dimension
        for each axis of the domain (of size one where the function does not depend on it)."""
        places = self.coordinates()

        def one(values: Any) -> Any:
            return values if values.ndim == 0 else Sampled(self.family.grid, values).on(places)

        with precision("float64"):
            return {n: np.asarray(jax.vmap(one)(v)) for n, v in self.test().items()}

    def some(self) -> Equation:
        """Any member, of which the shapes matter only."""
        return self.family.member({name: value[0] for name, value in self.test().items()})


@dataclass(frozen=True, eq=False)
class Part:
    """Settings of the pairs, or of the residual, that are trained on.

    Arguments:
        grid: where its rows are.
        share: members in a batch over the phase's points.
        count: how many members there are; 0 for ever new ones.
        norm: of the residual, as :class:`~pinnlab.terms.instances.PhysicsTerm` has it.
    """

    grid: Grid
    share: float = 1.0
    count: int = 0
    norm: str = "mean"

    def residual(self, family: Family, drawn: Draw) -> Term:
        """The term of the residual at the members *drawn*."""
        return PhysicsTerm(family, self.grid, drawn, share=self.share, norm=self.norm)


def make_grid(
    equation: Equation, counts: Mapping[str, int], schemes: Mapping[str, Any], key: str
) -> Grid:
    """A grid of *counts* points: Fourier on periodic axes, Gaussian latitudes on a sphere, finite
    differences on others, unless *schemes* name another."""
    domain = equation.domain
    made = {}
    for axis, n in counts.items():
        choose(f"axis ({key})", str(axis), domain.axes)
        own = schemes.get(axis)
        made[axis] = (instantiate(own, f"{key}.{axis}") if own else _scheme(equation, axis), n)
    return Grid(domain, made)


def _scheme(equation: Equation, axis: str) -> Any:
    metric = equation.domain.metric
    if isinstance(metric, Sphere) and axis == metric.lat:
        return GaussianLatitudes()
    return Fourier() if equation.domain[axis].periodic else FiniteDifference(4)


def whole_number(value: Any, key: str, least: int = 1) -> int:
    """*value*, which must be a whole number of at least *least*.

    Raises:
        PinnlabError: it is not.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise PinnlabError(f"{key}: give a whole number of at least {least}, not {value!r}")
    return value


def make_part(
    given: Mapping[str, Any], equation: Equation, grid: Grid, key: str, more: tuple[str, ...] = ()
) -> Part:
    """What ``operator.data`` or ``operator.physics`` says; *more* keys are read elsewhere.

    Raises:
        PinnlabError: an unknown key, or a grid that does not fit.
    """
    for name in given:
        choose(f"key of {key}", str(name), ("grid", "schemes", "share", "count", *more))
    counts, schemes = given.get("grid"), given.get("schemes", {})
    own = grid if counts is None else make_grid(equation, counts, schemes, f"{key}.grid")
    whole_number(given.get("count", 0), f"{key}.count", least=0)
    share = given.get("share", 1.0)
    if isinstance(share, bool) or not isinstance(share, (int, float)) or not share > 0:
        raise PinnlabError(f"{key}.share: give a positive number, not {share!r}")
    return Part(own, **{key: given[key] for key in ("share", "count", "norm") if key in given})
