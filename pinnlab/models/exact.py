r"""Exact conditions: a transform of a network's output that satisfies them for any parameters.

Values that are given (initial values, Dirichlet sides) by a lifting and a distance,

.. math:: u = G(x) + d(x)\,v(x),

where *G* takes the given values (transfinite interpolation, the initial values added last) and
*d* vanishes where they are given. Sides with a normal derivative by a linear correction along
their axis,

.. math:: u = w + \sum_s h_s(x)\,\bigl(g_s - B_s[w]\bigr),\qquad B_s[h_{s'}] = \delta_{ss'},

with quadratic :math:`h_s`. References: Lagaris, Likas & Fotiadis, IEEE Trans. Neural Networks 9,
1998; Leake & Mortari, *Deep theory of functional connections*, 2020.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from pinnlab.core.conditions import Boundary, Condition, Evolving, Initial
from pinnlab.core.domain import Domain
from pinnlab.core.parameters import evaluate

Point = Mapping[str, Any]
Scalar = Callable[[Point], Any]  # a function of one point


def exact_scalar(v: Scalar, name: str, conditions: Sequence[Condition], domain: Domain) -> Scalar:
    """Return a function of a point that equals *v* up to the transform for the variable *name*."""
    initial = {
        c.order: c.values[name] for c in conditions if isinstance(c, Initial) and name in c.values
    }
    sides: dict[str, dict[str, Boundary]] = {}
    for c in conditions:
        if isinstance(c, Boundary) and name in c.values:
            sides.setdefault(c.axis, {}).update({side: c for side in c.sides})
    valued = {a: s for a, s in sides.items() if all(c.fixes_value for c in s.values())}
    w = _lifted(v, name, valued, initial, domain)
    for axis, conditions_there in sides.items():
        if axis not in valued:
            w = _corrected(w, name, axis, conditions_there, domain)
    return w


def _at(x: Point, domain: Domain, axis: str, side: str) -> dict[str, Any]:
    end = getattr(domain[axis], side)
    return {**x, axis: jnp.full_like(jnp.asarray(x[axis]), end)}


def _share(x: Point, domain: Domain, axis: str) -> Any:
    return (x[axis] - domain[axis].lower) / domain[axis].length


def _since_start(x: Point, domain: Domain) -> Any:
    """From 0 at the start of time towards 1 over the axis's scale, with slope 1/scale at first.

    A plain t/T would leave the network a singular part t^-order where the solution changes much
    faster than the axis is long.
    """
    time = str(domain.time)
    return -jnp.expm1((domain[time].lower - x[time]) / domain[time].natural_scale)


def _lifted(
    v: Scalar,
    name: str,
    valued: Mapping[str, Mapping[str, Boundary]],
    initial: Mapping[int, Any],
    domain: Domain,
) -> Scalar:
    """G + d v for the Dirichlet sides and the initial values."""
    lift: Scalar = lambda x: 0.0  # noqa: E731
    for axis, there in valued.items():
        lift = _blended(lift, name, axis, there, domain)
    if initial:
        lift = _started(lift, initial, domain)

    def transformed(x: Point) -> Any:
        distance = 1.0
        for axis, there in valued.items():
            s = _share(x, domain, axis)
            both = len(there) == 2
            distance *= 4.0 * s * (1.0 - s) if both else (s if "lower" in there else 1.0 - s)
        if initial:
            distance *= _since_start(x, domain) ** len(initial)
        return lift(x) + distance * v(x)

    return transformed


def _blended(
    lift: Scalar, name: str, axis: str, there: Mapping[str, Boundary], domain: Domain
) -> Scalar:
    """Make *lift* take the given values at the sides of *axis*, blending linearly between."""

    def blended(x: Point) -> Any:
        s, total = _share(x, domain, axis), lift(x)
        for side, condition in there.items():
            weight = 1.0 if len(there) == 1 else (1.0 - s if side == "lower" else s)
            wall = _at(x, domain, axis, side)
            given = evaluate(condition.values[name], wall) / condition.a
            total += weight * (given - lift(wall))
        return total

    return blended


def _started(lift: Scalar, initial: Mapping[int, Any], domain: Domain) -> Scalar:
    """Make *lift* take the initial values (and rates), kept for all times."""
    time = str(domain.time)

    def started(x: Point) -> Any:
        start = _at(x, domain, time, "lower")
        at_start, slope = jax.jvp(
            lambda t: jnp.asarray(lift({**x, time: t}), start[time].dtype),
            (start[time],),
            (jnp.ones_like(start[time]),),
        )
        total = lift(x)
        if 0 in initial:
            given = initial[0]
            known = given.later(x) if isinstance(given, Evolving) else evaluate(given, start)
            total += known - at_start
        if 1 in initial:
            tau = domain[time].natural_scale
            total += tau * _since_start(x, domain) * (evaluate(initial[1], start) - slope)
        return total

    return started


def _corrected(
    w: Scalar, name: str, axis: str, there: Mapping[str, Boundary], domain: Domain
) -> Scalar:
    """Add what makes a u + b du/dn = g hold at the given sides of *axis*."""
    slope = 2.0 / domain[axis].length  # of the unit coordinate

    def corrected(x: Point) -> Any:
        unit = domain[axis].unit_interval(x[axis])
        missing, operators = [], []
        for side, condition in there.items():
            wall = _at(x, domain, axis, side)
            outward = -1.0 if side == "lower" else 1.0
            value, rate = jax.jvp(
                lambda s, wall=wall: jnp.asarray(w({**wall, axis: s})),
                (wall[axis],),
                (jnp.full_like(wall[axis], outward),),
            )
            a, b = evaluate(condition.a, wall), evaluate(condition.b, wall)
            missing.append(evaluate(condition.values[name], wall) - a * value - b * rate)
            operators.append((a, b * slope, outward))
        return w(x) + _polynomial(unit, operators, missing)

    return corrected


def _polynomial(unit: Any, operators: Sequence[tuple], missing: Sequence[Any]) -> Any:
    """The polynomial p of the unit coordinate with B_s[p] = missing_s at each side."""
    if len(operators) == 1:
        (a, b, outward), (m,) = operators[0], missing
        return m * (unit + outward) * outward / (2.0 * a + b)  # vanishes at the other side
    (al, bl, _), (au, bu, _) = operators  # the basis is (xi, xi^2)
    m11, m12, m21, m22 = -al - bl, al + 2.0 * bl, au + bu, au + 2.0 * bu
    det = m11 * m22 - m12 * m21
    first = (missing[0] * m22 - m12 * missing[1]) / det
    second = (m11 * missing[1] - m21 * missing[0]) / det
    return first * unit + second * unit**2
