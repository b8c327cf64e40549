"""Time windows: the state that one hands to the next, and the reading of all of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from pinnlab.core.errors import PinnlabError, choose
from pinnlab.core.field import Field
from pinnlab.core.interpolant import Basis, Interpolant, interpolate, nodes
from pinnlab.equations.base import Equation
from pinnlab.equations.window import Window, window
from pinnlab.models.model import Model
from pinnlab.models.reading import Ask, NetworkReading, evaluated

Axes = tuple[tuple[str, Basis], ...]

_NODES = {1: 129, 2: 49, 3: 25}  # by the number of space axes: what an interpolant costs a point
_PROBES = 512  # places between the nodes at which the interpolant is compared with the network


def bases(equation: Equation, count: int | Mapping[str, int] | None = None) -> Axes:
    """The bases of the space axes for the state that is handed over.

    Arguments:
        count: nodes, of all axes or by name; by default 129 on a line, 49 x 49 on a plane.

    Raises:
        PinnlabError: an axis that does not exist, or too few nodes.
    """
    space = equation.domain.space
    given = count if isinstance(count, Mapping) else dict.fromkeys(space, count)
    for name in given:
        choose("axis (windows.nodes)", str(name), space)
    default = _NODES.get(len(space), 13)
    return tuple((a, Basis.of(equation.domain[a], given.get(a) or default)) for a in space)


def blank(equation: Equation, length: float, axes: Axes) -> Window:
    """A window that starts from zero, until it is given its shift and states."""
    zeros = np.zeros([basis.n for _, basis in axes])
    states = tuple(
        {n: Interpolant(axes, zeros) for n in equation.variables if equation.variables[n].order > k}
        for k in (0, 1)
    )
    return window(equation, length).replace(states=states)


def handed_over(model: Model, equation: Equation, params: Any, axes: Axes) -> tuple[tuple, Any]:
    """The state at the end of the equation's time, as interpolants.

    Arguments:
        params: of the network.

    Returns:
        Values and rates as :class:`pinnlab.equations.window.Window` takes them, and the largest
        error of the interpolants at places between the nodes, over the variables' scales.
    """
    variables, time = equation.variables, str(equation.domain.time)
    last, tau = equation.domain[time].upper, equation.domain[time].natural_scale
    asked = [(n, k) for n in variables for k in range(variables[n].order)]  # of order 0: nothing

    def state(place: Mapping[str, Any]) -> Any:
        f = model.field(params, equation, {**place, time: jnp.full((), last, dtype)})
        return jnp.stack([f(name, **{time: order}) for name, order in asked])

    dtype = jax.tree.leaves(params)[0].dtype
    at = _over(nodes(axes), state, dtype)
    random = np.random.default_rng(0).uniform(size=(_PROBES, len(axes)))
    probes = {a: b.lower + b.length * random[:, i] for i, (a, b) in enumerate(axes)}
    truth = _over(probes, state, dtype)
    states: tuple[dict[str, Any], dict[str, Any]] = ({}, {})
    errors = []
    for i, (name, order) in enumerate(asked):
        made = states[order][name] = interpolate(axes, at[:, i])
        values = _over(probes, lambda place, made=made: made.at(place)[None], dtype)[:, 0]
        errors.append(jnp.max(jnp.abs(values - truth[:, i])) * (tau**order / variables[name].scale))
    return states, jnp.max(jnp.stack(errors))


def _over(places: Mapping[str, np.ndarray], function: Any, dtype: Any) -> Any:
    """(N, k) answers of *function* at (N,) columns; at the one place there is without axes."""
    if not places:
        return function({})[None]
    return jax.vmap(function)({a: jnp.asarray(c, dtype) for a, c in places.items()})


@dataclass(frozen=True, eq=False)
class WindowedReading(NetworkReading):
    """The windows as one solution: each time is answered by its window.

    Arguments:
        equation: over the whole time.
        params: one tree for each window that was reached, with its shift and first state; later
            times are answered by NaN.
        edges: of the windows, one more than there are windows.
    """

    params: Sequence[Any]
    edges: tuple[float, ...] = ()

    @cached_property
    def _windows(self) -> list[Window]:
        """The windows' equations; of one length, one object, so that it is compiled once."""
        made = {length: window(self.equation, length) for length in set(lengths(self.edges))}
        return [made[length] for length in lengths(self.edges)]

    @property
    def reached(self) -> float:
        """The end of the last window that has a network."""
        return self.edges[len(self.params)]

    @property
    def complete(self) -> bool:
        """Whether every window has a network."""
        return len(self.params) == len(self.edges) - 1

    def _evaluate(self, ask: Ask, points: Mapping[str, np.ndarray]) -> np.ndarray:
        time = str(self.equation.domain.time)
        which = np.searchsorted(self.edges[1:-1], points[time], side="right")
        made = np.full((self.seeds, points[time].size), np.nan, self.dtype)
        for k, params in enumerate(self.params):
            here = np.flatnonzero(which == k)
            if not here.size:
                continue
            size = 1 << (here.size - 1).bit_length()  # few sizes, since each is compiled
            some = np.resize(here, size)
            columns = {a: column[some] for a, column in points.items()}
            columns[time] = columns[time] - (self.edges[k] - self.edges[0])
            laid = {a: jnp.asarray(column, self.dtype) for a, column in columns.items()}
            found = evaluated(params, laid, self.model, self._windows[k], self.seeds, _Seen(ask))
            made[:, here] = np.asarray(found)[:, : here.size]
        return made


@dataclass(frozen=True)
class _Seen:
    """An ask of the whole equation, put to a window."""

    ask: Ask

    def __call__(self, f: Field, equation: Equation) -> Any:
        assert isinstance(equation, Window)
        return self.ask(equation.seen(f), equation.whole)


def edges(equation: Equation, given: int | Sequence[float]) -> tuple[float, ...]:
    """The edges of *given* windows: how many of one length, or the times at which they end.

    Raises:
        PinnlabError: an equation without time, fewer than one window, or times that do not
            increase inside of the time axis.
    """
    if equation.domain.time is None:
        raise PinnlabError(f"windows: {type(equation).__name__} has no time axis")
    axis = equation.domain[equation.domain.time]
    if isinstance(given, int):
        if given < 1:
            raise PinnlabError(f"windows: give at least 1, got {given}")
        return tuple(float(t) for t in np.linspace(axis.lower, axis.upper, given + 1))
    inner = [t for t in given if not math.isclose(t, axis.upper, rel_tol=1e-9)]
    made = (axis.lower, *inner, axis.upper)
    if any(not a < b for a, b in pairwise(made)):
        raise PinnlabError(
            f"windows: times must increase between {axis.lower:g} and {axis.upper:g} "
            f"{axis.units}, got {list(given)}"
        )
    return made


def lengths(given: Sequence[float]) -> list[float]:
    """The lengths of the windows; those that differ by rounding alone are the same number."""
    made: list[float] = []
    whole = given[-1] - given[0]
    for low, high in pairwise(given):
        same = (known for known in made if abs(known - (high - low)) < 1e-9 * whole)
        made.append(next(same, high - low))
    return made
