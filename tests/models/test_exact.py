"""Exact conditions and periodic embeddings: they hold for random networks, read by the field."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pinnlab.core import (
    Axis,
    Coefficient,
    Dirichlet,
    Domain,
    Initial,
    Neumann,
    Profile,
    Robin,
    Variable,
    Variables,
    parameter,
)
from pinnlab.core.conditions import Boundary
from pinnlab.core.parameters import evaluate
from pinnlab.equations.base import Equation, equation
from pinnlab.models import Model
from pinnlab.networks import MLP

TX = Domain(t=Axis(0.5, 3, "s"), x=Axis(-1, 2, "m"))
TXY = Domain(t=Axis(0, 1), x=Axis(0, 2), y=Axis(-1, 1))
XY = Domain(x=Axis(0, 2), y=Axis(-1, 1))


@equation
class Held(Equation):
    """An equation that only holds conditions."""

    k: Coefficient = parameter(2.0, "1", bounds=(0.1, 10.0))
    given: tuple = ()
    domain: Domain = TX
    variables: Variables = Variables(u=Variable("u", scale=3.0, offset=-1.0, order=2))

    def rhs(self, f):
        return {"u": f("u")}

    def conditions(self):
        return [c(self) if callable(c) else c for c in self.given]


def misses(eq, count=6, seed=0, network=None):
    """The largest violation of every condition of *eq* at random points of its sides."""
    random = np.random.default_rng(seed)
    model = Model(network or MLP(4, 1))
    params = jax.tree.map(
        lambda leaf: jnp.asarray(random.normal(size=leaf.shape)), model.init(jax.random.key(0), eq)
    )
    asked = []
    for c in eq.conditions():
        for place in c.sides if isinstance(c, Boundary) else ("start",):
            points = {
                a: jnp.asarray(random.uniform(eq.domain[a].lower, eq.domain[a].upper, count))
                for a in eq.domain
            }
            axis = c.axis if isinstance(c, Boundary) else eq.domain.time
            end = eq.domain[axis].upper if place == "upper" else eq.domain[axis].lower
            asked.append(({**points, axis: jnp.full(count, end)}, c, place))

    @jax.jit
    def gaps(params):
        return [
            jax.vmap(lambda p: _gap(model, params, eq, p, c, place, name))(points)  # noqa: B023
            for points, c, place in asked
            for name in c.values
        ]

    return max(float(jnp.abs(gap).max()) for gap in gaps(params))


def _gap(model, params, eq, point, c, place, name):
    f, value = model.field(params, eq, point), c.values[name]
    if isinstance(c, Initial):
        return f(name, **{eq.domain.time: c.order}) - evaluate(value, point)
    outward = {"lower": -1.0, "upper": 1.0}[place]
    left = evaluate(c.a, point) * f(name) + evaluate(c.b, point) * outward * f(name, **{c.axis: 1})
    return left - evaluate(value, point)


def wave(p):  # smooth data that every compatible case below takes its values from
    return jnp.sin(p["x"]) * jnp.exp(-0.5 * p["t"]) + 0.3 * p["x"] ** 2


def wave_x(p):
    return jnp.cos(p["x"]) * jnp.exp(-0.5 * p["t"]) + 0.6 * p["x"]


def wave_t(p):
    return -0.5 * jnp.sin(p["x"]) * jnp.exp(-0.5 * p["t"])


def lower_x(p):
    return -wave_x(p)


CASES = {
    "value lower": [Dirichlet("x", "lower", u=1.5)],
    "value upper": [Dirichlet("x", "upper", u=1.5)],
    "values differ": [Dirichlet("x", "lower", u=1.0), Dirichlet("x", "upper", u=-2.0)],
    "values in time": [Dirichlet("x", u=wave)],
    "value is a profile": [Dirichlet("x", u=Profile("t", (0.5, 1.0, 3.0), (0.0, 2.0, 1.0)))],
    "flux lower": [Neumann("x", "lower", u=lower_x)],
    "flux upper": [Neumann("x", "upper", u=wave_x)],
    "fluxes": [Neumann("x", u=0.4)],
    "Robin lower": [Robin("x", "lower", a=2.0, b=0.7, u=wave)],
    "Robin both": [Robin("x", a=2.0, b=0.7, u=wave)],
    "Robin of a parameter": [lambda s: Robin("x", "upper", a=1.0, b=s.k, u=wave)],
    "value and flux": [Dirichlet("x", "lower", u=wave), Neumann("x", "upper", u=wave_x)],
    "flux and value": [Neumann("x", "lower", u=lower_x), Dirichlet("x", "upper", u=wave)],
    "Robin and value": [Robin("x", "lower", a=1.0, b=3.0, u=0.2), Dirichlet("x", "upper", u=wave)],
    "Robin and flux": [Robin("x", "lower", a=1.0, b=3.0, u=0.2), Neumann("x", "upper", u=wave_x)],
    "start": [Initial(u=wave)],
    "start and rate": [Initial(u=wave), Initial(1, u=wave_t)],
    "start, values": [Initial(u=wave), Dirichlet("x", u=wave)],
    "start, rate, values": [Initial(u=wave), Initial(1, u=wave_t), Dirichlet("x", u=wave)],
    "start, fluxes": [
        Initial(u=wave), Neumann("x", "lower", u=lower_x), Neumann("x", "upper", u=wave_x)
    ],
    "start, rate, value, flux": [
        Initial(u=wave), Initial(1, u=wave_t),
        Dirichlet("x", "lower", u=wave), Neumann("x", "upper", u=wave_x),
    ],
    "of a parameter": [
        lambda s: Initial(u=lambda p: s.k * wave(p)),
        lambda s: Dirichlet("x", u=lambda p: s.k * wave(p)),
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_conditions_along_one_axis_hold_for_a_random_network(name):
    assert misses(Held(given=tuple(CASES[name]))) < 1e-12


def plane(p):
    return jnp.sin(p["x"] + 0.5 * p["y"]) * jnp.exp(-p.get("t", 0.0))


def plane_x(p):
    return jnp.cos(p["x"] + 0.5 * p["y"]) * jnp.exp(-p.get("t", 0.0))


def plane_y(p):
    return 0.5 * plane_x(p)


PLANES = {
    "values": [Dirichlet("x", u=plane), Dirichlet("y", u=plane)],
    "three values": [Dirichlet("x", u=plane), Dirichlet("y", "upper", u=plane)],
    "values and fluxes": [
        Dirichlet("x", u=plane),
        Neumann("y", "lower", u=lambda p: -plane_y(p)), Neumann("y", "upper", u=plane_y),
    ],
    "fluxes": [
        Neumann("x", "lower", u=lambda p: -plane_x(p)), Neumann("x", "upper", u=plane_x),
        Neumann("y", "lower", u=lambda p: -plane_y(p)), Neumann("y", "upper", u=plane_y),
    ],
    "value and Robin": [
        Dirichlet("y", "lower", u=plane),
        Robin("x", "upper", a=2.0, b=0.5, u=lambda p: 2.0 * plane(p) + 0.5 * plane_x(p)),
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    "name, timed", [(n, False) for n in PLANES] + [("values", True), ("value and Robin", True)]
)
def test_conditions_along_several_axes_hold_for_a_random_network(name, timed):
    given = [*PLANES[name], Initial(u=plane)] if timed else PLANES[name]
    assert misses(Held(given=tuple(given), domain=TXY if timed else XY)) < 1e-12


def test_each_variable_has_its_own_conditions():
    variables = Variables(u=Variable("u"), v=Variable("v", scale=10.0))
    given = (Initial(u=wave, v=2.0), Dirichlet("x", "lower", u=wave), Neumann("x", v=0.0))
    assert misses(Held(given=given, variables=variables)) < 1e-12


def test_the_transform_leaves_the_network_free_inside():
    """It must not flatten the network: two parameter sets differ in the middle."""
    eq, model = Held(given=tuple(CASES["start, values"])), Model(MLP(6, 2))
    point = {"t": jnp.asarray(1.5), "x": jnp.asarray(0.3)}
    a, b = (model.apply(model.init(jax.random.key(i), eq), eq, point)["u"] for i in (0, 1))
    assert abs(float(a - b)) > 1e-2


def test_without_exact_the_network_is_scaled_only():
    eq = Held(given=tuple(CASES["start, values"]))
    model, point = Model(MLP(6, 2), exact=False), {"t": jnp.asarray(0.5), "x": jnp.asarray(2.0)}
    params = model.init(jax.random.key(0), eq)
    raw = MLP(6, 2).apply(params, jnp.asarray([-1.0, 1.0]))[0]
    np.testing.assert_allclose(model.apply(params, eq, point)["u"], -1.0 + 3.0 * raw, rtol=1e-14)


# ---------------------------------------------------------------- periodic axes

RING = Domain(t=Axis(0, 1), x=Axis(-1, 2, periodic=True))


@pytest.mark.parametrize("harmonics", [1, 3])
def test_periodicity_is_exact_with_all_derivatives(harmonics):
    eq, model = Held(domain=RING), Model(MLP(6, 2), harmonics=harmonics)
    assert model.inputs(RING, {"t": 0.0, "x": 0.0}).shape == (1 + 2 * harmonics,)
    params = model.init(jax.random.key(0), eq)
    orders = ({}, {"x": 1}, {"x": 2}, {"x": 3}, {"t": 1, "x": 1})

    @jax.jit
    def at(t, x):
        f = model.field(params, eq, {"t": t, "x": x})
        return jnp.stack([f("u", **o) for o in orders])

    for t in (0.0, 0.7):
        lower, upper = at(t, -1.0), at(t, 2.0)
        np.testing.assert_allclose(lower, upper, atol=1e-11)
        assert abs(float(lower[1])) > 1e-6


def test_given_periods_and_stretches_reach_the_network():
    eq = Held(domain=Domain(t=Axis(0, 7200, "s"), x=Axis(0, 1)))
    model = Model(MLP(3, 1), periods={"t": (3600.0,)}, stretch={"x": 5.0})
    inputs = model.inputs(eq.domain, {"t": jnp.asarray(900.0), "x": jnp.asarray(0.75)})
    np.testing.assert_allclose(inputs, [-0.75, 0.0, 1.0, 2.5], atol=1e-14)
    wrong = Model(MLP(3, 1), stretch={"z": 5.0})
    with pytest.raises(Exception, match=r"axis \(model\.periods, model\.stretch\) 'z'.*t, x"):
        wrong.inputs(eq.domain, {"t": 0.0, "x": 0.0})
