"""Parameters of equations, and the coefficients they may hold.

A coefficient is a number, a profile along an axis, or any function of the coordinates with
learnable leaves (a network). The equation says ``f(self.k)`` and does not know which.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from pinnlab.core import units as _units
from pinnlab.core.errors import PinnlabError
from pinnlab.core.pytree import register

Coordinates = Mapping[str, Any]
Coefficient = Any  # a number, an array leaf, or an object with ``at(coordinates)``


@dataclass(frozen=True)
class Parameter:
    """What is known of a parameter: default, units, closed bounds and names for files."""

    default: Any
    units: str
    bounds: tuple[float, float] = (-math.inf, math.inf)
    long_name: str = ""
    standard_name: str = ""

    def check(self, value: Any, where: str) -> Any:
        """Return *value* as a float in *units* if it is a number or text; else unchanged.

        Raises:
            PinnlabError: text that is no number, a wrong unit, or a value outside the bounds.
        """
        if isinstance(value, (bool, int, float, str)):
            value = _units.quantity(value, self.units, where)
            self._check_bounds(value, where)
        elif isinstance(value, Profile) and isinstance(value.values, np.ndarray):
            for number in value.values.ravel():
                self._check_bounds(float(number), where)
        return value

    def _check_bounds(self, value: float, where: str) -> None:
        lower, upper = self.bounds
        if not lower <= value <= upper:
            unit = "" if self.units == "1" else f" {self.units}"
            raise PinnlabError(f"{where}: {value:g}{unit} is outside [{lower:g}, {upper:g}]{unit}")


def parameter(default: Any, units: str, **more: Any) -> Any:
    """A dataclass field that is a parameter of an equation (see :class:`Parameter`)."""
    return dataclasses.field(
        default=default, metadata={"parameter": Parameter(default, units, **more)}
    )


@dataclass(frozen=True)
class Profile:
    """A coefficient that varies along one axis: linear between *knots*, or in the logarithm.

    Arguments:
        axis: the axis's name (static).
        knots: (K,) increasing coordinates of the axis.
        values: (K,) values at the knots, or one number for all of them; the learnable leaf.
        logarithmic: whether it is the logarithm that is linear; for positive coefficients that
            vary by factors.

    Raises:
        PinnlabError: knots that do not increase, or a number of values that does not match.
    """

    axis: str
    knots: tuple[float, ...]
    values: Any = 1.0
    logarithmic: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "knots", tuple(float(k) for k in self.knots))
        if any(b <= a for a, b in zip(self.knots, self.knots[1:], strict=False)):
            raise PinnlabError(f"profile along '{self.axis}': knots must increase: {self.knots}")
        if isinstance(self.values, jax.Array):
            return
        values = np.asarray(self.values, dtype=float)
        if values.size == 1:
            values = np.full(len(self.knots), values.item())
        if values.shape[-1:] != (len(self.knots),):  # before it there may be an axis of seeds
            raise PinnlabError(
                f"profile along '{self.axis}': {values.size} values for {len(self.knots)} knots"
            )
        object.__setattr__(self, "values", values)

    def at(self, x: Coordinates) -> Any:
        """The value at coordinates *x*, of the shape of ``x[axis]``."""
        here = jnp.asarray(x[self.axis])
        knots, values = (jnp.asarray(a, here.dtype) for a in (self.knots, self.values))
        if self.logarithmic:
            return jnp.exp(jnp.interp(here, knots, jnp.log(values)))
        return jnp.interp(here, knots, values)


register(Profile, ["values"])


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Function:
    """A coefficient given by ``apply(params, coordinates)``: a network or any function.

    *params* is the learnable pytree; *apply* is static and works on one point or on arrays.
    """

    apply: Callable[[Any, Coordinates], Any] = dataclasses.field(metadata={"static": True})
    params: Any = None

    def at(self, x: Coordinates) -> Any:
        """The value at coordinates *x*."""
        return self.apply(self.params, x)


def varies(value: Any) -> bool:
    """Whether a coefficient may vary over the coordinates, unlike a number or an array leaf."""
    # Arrays and tracers have an ``at`` of their own, which is not a coefficient's.
    return not hasattr(value, "dtype") and (hasattr(value, "at") or callable(value))


def evaluate(value: Any, x: Coordinates) -> Any:
    """A number, coefficient or callable of the coordinates, evaluated at *x*."""
    if hasattr(value, "at") and not isinstance(value, jax.Array):
        return value.at(x)
    return value(x) if callable(value) else value


def evaluate_on(value: Any, nodes: Mapping[str, np.ndarray], x: Coordinates) -> Any:
    """The same on a tensor product of (n,) *nodes*, of which *x* are the coordinates laid out and
    all others (time); without tracing where the value knows how (:class:`..sampled.Sampled`) and
    has no other axes."""
    known = hasattr(value, "on") and all(axis in nodes for axis in value.grid.axes)
    return value.on(nodes) if known else evaluate(value, x)


def to_free(value: Any, bounds: tuple[float, float]) -> Any:
    """Map a value inside *bounds* to the whole real line (inverse of :func:`from_free`)."""
    lower, upper = bounds
    known = jnp.finfo(jnp.result_type(value, float))
    if math.isinf(lower) and math.isinf(upper):
        return value
    if math.isinf(upper):
        return jnp.log(jnp.maximum(value - lower, known.tiny))
    if math.isinf(lower):
        return jnp.log(jnp.maximum(upper - value, known.tiny))
    forward = jnp.log if lower > 0 else lambda v: v
    a, b = (math.log(lower), math.log(upper)) if lower > 0 else (lower, upper)
    edge = max(1e-9, float(known.eps))  # a value on its bound has a finite free form
    share = jnp.clip((forward(value) - a) / (b - a), edge, 1 - edge)
    return (jnp.log(share) - jnp.log1p(-share)) * ((b - a) / 4.0)


def from_free(free: Any, bounds: tuple[float, float]) -> Any:
    """Map the real line into *bounds*: logistic, in the logarithm where the bounds are positive;
    exponential away from the bound where there is only one.

    The slope at the middle is one (relative, in the logarithm), so that a free step of 0.1 is a
    change of about ten per cent of a positive parameter.
    """
    lower, upper = bounds
    if math.isinf(lower) and math.isinf(upper):
        return free
    if math.isinf(upper):
        return lower + jnp.exp(free)
    if math.isinf(lower):
        return upper - jnp.exp(free)
    a, b = (math.log(lower), math.log(upper)) if lower > 0 else (lower, upper)
    inner = a + (b - a) * jax.nn.sigmoid(free * (4.0 / (b - a)))
    return jnp.exp(inner) if lower > 0 else inner
