r"""FeatureField: an equation's unknowns as sums of frozen features.

.. math:: u(x, t) = g(x, t) + \sum_k c_k(t)\,\varphi_k(x)

The features :math:`\varphi_k` are given once for all; what is unknown are the coefficients, in
which the field is linear. *g* carries what is given (values at a wall).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from pinnlab.core.domain import Domain
from pinnlab.core.errors import PinnlabError
from pinnlab.core.field import Field, Orders
from pinnlab.core.pointfield import PointField

Point = Mapping[str, Any]


class Features(Protocol):
    """Frozen features: ``(count,) = features(point)``; hashable."""

    @property
    def count(self) -> int: ...

    def __call__(self, point: Point) -> Any: ...


@dataclass(frozen=True)
class RandomFeatures:
    r"""Frozen random features :math:`\tanh(w_k\cdot z(x) + b_k)` of the space axes; hashable.

    z is the coordinate in [-1, 1], or the cosine and sine of its angle on a periodic axis. Each
    feature turns over at a random place of the domain, along a random direction.

    Arguments:
        domain: the axes.
        count: the number of features.
        slope: the largest steepness along one input; a feature is about 1/slope wide.
        seed: of the random numbers.

    Reference: Datar et al., *Solving partial differential equations with sampled neural
    networks*, arXiv:2405.20836, 2024.
    """

    domain: Domain
    count: int = 100
    slope: float = 10.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.count < 1 or not self.slope > 0:
            raise PinnlabError(
                f"features: count={self.count} and slope={self.slope:g} must be positive"
            )

    def __call__(self, point: Point) -> Any:
        """(count,) the features at one point."""
        inputs = []
        for name in self.domain.space:
            unit = self.domain[name].unit_interval(jnp.asarray(point[name]))
            periodic = self.domain[name].periodic
            inputs += [jnp.cos(jnp.pi * unit), jnp.sin(jnp.pi * unit)] if periodic else [unit]
        z = jnp.stack(inputs)
        w, b = (jnp.asarray(a, z.dtype) for a in _draw(self))
        return jnp.tanh(w @ z + b)


@lru_cache(maxsize=32)
def _draw(features: RandomFeatures) -> tuple[np.ndarray, np.ndarray]:
    """Directions (count, inputs) and offsets (count,)."""
    random, domain, count = np.random.default_rng(features.seed), features.domain, features.count
    centres: list[np.ndarray] = []
    for name in domain.space:
        unit = random.uniform(-1.0, 1.0, count)
        turned = [np.cos(np.pi * unit), np.sin(np.pi * unit)]
        centres += turned if domain[name].periodic else [unit]
    centre = np.stack(centres, axis=1)
    w = random.uniform(-features.slope, features.slope, centre.shape)
    return w, -np.sum(w * centre, axis=1)


class Expansion(Protocol):
    """What a :class:`FeatureField` is expanded in, at M points laid out as an array.

    ``table(name, orders)`` is a derivative of each feature of a variable at the points, of shape
    (\\*shape, K); ``features(name, point)`` the features (K,) at any one point; and
    ``given(name)`` the given part as a function of one point, or None where there is none.
    """

    domain: Domain
    names: tuple[str, ...]

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def coordinates(self) -> Mapping[str, Any]: ...

    def table(self, name: str, orders: Orders) -> Any: ...

    def features(self, name: str, point: Point) -> Any: ...

    def given(self, name: str) -> Callable[[Point], Any] | None: ...


class FeatureField(Field):
    """The field of an expansion with given coefficients, at the expansion's points.

    Derivatives are sums of the features' own. The derivative of a function of the field is taken
    by automatic differentiation of the sum, point by point.

    Arguments:
        expansion: the features and the points.
        coefficients: for each variable its (K,) coefficients.
        time: the time, on domains that have one.
        rates: for variables of order 2 the (K,) rates of change of the coefficients.

    Raises:
        PinnlabError: a derivative in time other than the first one of a variable of order 2.
    """

    def __init__(
        self,
        expansion: Expansion,
        coefficients: Mapping[str, Any],
        time: Any = None,
        rates: Mapping[str, Any] | None = None,
    ):
        self.domain, self.names = expansion.domain, expansion.names
        self._expansion, self._coefficients = expansion, coefficients
        self._rates, self._time = rates or {}, time
        self._known: dict[tuple[str, Orders], Any] = {}

    @property
    def coordinates(self) -> Mapping[str, Any]:
        found = dict(self._expansion.coordinates)
        if self.domain.time is not None and self._time is not None:
            found[self.domain.time] = self._time
        return found

    def derivative(self, name: str, orders: Orders) -> Any:
        if (name, orders) not in self._known:
            space = tuple((axis, k) for axis, k in orders if axis != self.domain.time)
            in_time = dict(orders).get(self.domain.time, 0) if self.domain.time else 0
            if in_time > 1 or (in_time and name not in self._rates):
                raise PinnlabError(
                    f"the time derivative of order {in_time} of '{name}' is asked of features "
                    "of space only: rhs may ask for the first one of a variable of order 2"
                )
            known = (self._rates if in_time else self._coefficients)[name]
            value = self._expansion.table(name, space) @ known
            given = self._expansion.given(name)
            if given is not None:
                value = value + along(given, self._expansion, self._time, orders)
            self._known[(name, orders)] = value
        return self._known[(name, orders)]

    def differentiate(self, what: Callable[[Field], Any], orders: Orders) -> Any:
        def at(point: Point) -> Any:
            field = PointField(self._model, point, self.domain, self.names)
            return field.differentiate(what, orders)

        return _at_every_point(at, self._expansion, self._time)

    def _model(self, point: Point) -> dict[str, Any]:
        """The sum at any point; linear in time with the rates, where there are some."""
        time, values = self.domain.time, {}
        for name in self.names:
            c = self._coefficients[name]
            if name in self._rates:
                c = c + (point[str(time)] - self._time) * self._rates[name]
            values[name] = self._expansion.features(name, point) @ c
            given = self._expansion.given(name)
            if given is not None:
                values[name] = values[name] + given(point)
        return values


def along(given: Callable[[Point], Any], expansion: Expansion, time: Any, orders: Orders) -> Any:
    """A derivative of a function of one point, at every point of an expansion."""

    def at(point: Point) -> Any:
        like = jnp.stack([jnp.asarray(value) for value in point.values()])[0]
        model = lambda x: {"given": jnp.asarray(given(x), like.dtype)}  # noqa: E731
        return PointField(model, point, expansion.domain, ("given",)).derivative("given", orders)

    return _at_every_point(at, expansion, time)


def _at_every_point(at: Callable[[Point], Any], expansion: Expansion, time: Any) -> Any:
    domain, shape = expansion.domain, expansion.shape
    places = {a: jnp.broadcast_to(c, shape).ravel() for a, c in expansion.coordinates.items()}
    if domain.time is not None:
        dtype = next(iter(places.values())).dtype
        now = jnp.asarray(domain[domain.time].lower if time is None else time, dtype)
        places[domain.time] = jnp.broadcast_to(now, (len(next(iter(places.values()))),))
    return jax.vmap(at)(places).reshape(shape)
