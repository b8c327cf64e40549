"""One equation, many readings: each agrees with derivatives that are given in closed form."""

import dataclasses
import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from point_reading import random_points, read

import pinnlab.equations as equations
from pinnlab.core import Axis, Domain, Function
from pinnlab.core.featurefield import FeatureField
from pinnlab.core.field import Field
from pinnlab.core.grid import Chebyshev, FiniteDifference, Fourier, Grid
from pinnlab.core.gridfield import GridField
from pinnlab.core.parameters import evaluate


class Sines(Field):
    """Products of sines of every axis, with every derivative in closed form.

    Periodic axes have whole waves; the others less than one, so that few nodes are enough.
    """

    def __init__(self, equation, x):
        self.domain, self.names = equation.domain, equation.variables.names
        self.variables, self.x = equation.variables, x

    @property
    def coordinates(self):
        return self.x

    def derivative(self, name, orders):
        i, variable, asked = self.names.index(name), self.variables[name], dict(orders)
        value = variable.scale
        for j, axis in enumerate(self.domain):
            value = value * self.factor(i, j, axis, asked.get(axis, 0))
        return value if orders else value + variable.offset

    def differentiate(self, what, orders):
        raise AssertionError("the expected value of a function's derivative is given by hand")

    def factor(self, i, j, axis, n):
        """The sine along one axis (the j-th) of variable i, derived n times."""
        wave, start = self.wave(i, j, axis)
        return wave**n * jnp.sin(wave * (self.x[axis] - start) + 0.4 + i + n * math.pi / 2)

    def wave(self, i, j, axis):
        span = self.domain[axis]
        turns = 1.0 + (i + j) % 2 if span.periodic else 0.3 + 0.1 * ((i + 2 * j) % 3)
        return 2 * math.pi * turns / span.length, span.lower


class Waves:
    """The expansion the same sines are in: at each axis of space a sine and a cosine, their
    products over the axes, and a constant."""

    def __init__(self, equation, count=9):
        self.domain, self.names = equation.domain, equation.variables.names
        self.equation, self.truth = equation, Sines(equation, {})
        axes = equation.domain.space
        nodes = np.meshgrid(
            *(self.domain[a].lower + self.domain[a].length * np.linspace(0, 1, count) for a in axes)
        )
        self.coordinates = {a: jnp.asarray(x) for a, x in zip(axes, nodes, strict=True)}
        self.shape = nodes[0].shape

    def table(self, name, orders):
        """By hand: d^n/dx^n sin(w x) = w^n sin(w x + n pi/2)."""
        return self.products(name, self.coordinates, dict(orders))

    def features(self, name, point):
        return self.products(name, point, {})

    def given(self, name):
        return None

    def products(self, name, x, orders):
        i, found = self.names.index(name), []
        for kinds in itertools.product((0, 1), repeat=len(self.domain.space)):
            value = 1.0
            for axis, kind in zip(self.domain.space, kinds, strict=True):
                wave, start = self.truth.wave(i, list(self.domain).index(axis), axis)
                n = orders.get(axis, 0)
                phase = (n + kind) * math.pi / 2
                value = value * wave**n * jnp.sin(wave * (x[axis] - start) + phase)
            found.append(value)
        constant = jnp.zeros_like(found[0]) if any(orders.values()) else jnp.ones_like(found[0])
        return jnp.stack([*found, constant], axis=-1)

    def coefficients(self, time, derived=0):
        """sin(a + c) = cos(c) sin(a) + sin(c) cos(a), times the sine in time."""
        found = {}
        for i, name in enumerate(self.names):
            variable = self.truth.variables[name]
            size = variable.scale
            if self.domain.time is not None:
                now = Sines(self.equation, {"t": time})
                size = size * now.factor(i, list(self.domain).index("t"), "t", derived)
            turn = (math.cos(0.4 + i), math.sin(0.4 + i))
            kinds = itertools.product((0, 1), repeat=len(self.domain.space))
            products = [size * math.prod(turn[k] for k in kind) for kind in kinds]
            found[name] = jnp.stack([*products, 0.0 if derived else variable.offset])
        return found


def sines(equation):
    """The same as a model: a function of the coordinates."""
    return lambda x: {n: Sines(equation, x)(n) for n in equation.variables}


def energy_balance(e, f):
    """(Q S (1 - a) - A - B T + D (1 - x^2) T_xx + (D' (1 - x^2) - 2 x D) T_x)/C, by hand."""
    x, t = f.coordinates["x"], f("T")
    p2 = (3 * x**2 - 1) / 2
    d, slope = (e.D.at(f.coordinates), e.D.params * jnp.cos(x)) if hasattr(e.D, "at") else (e.D, 0)
    if isinstance(e, equations.IceAlbedo):
        ice = 0.5 * (1 - jnp.tanh((t - e.Ti) / e.width))
        albedo = ice * e.ai + (1 - ice) * (e.a0 + e.a2 * p2)
    else:
        albedo = e.albedo
    sun = e.S0 / 4 * (1 + e.s2 * p2) * (1 - albedo)
    spread = (1 - x**2) * (d * f("T", x=2) + slope * f("T", x=1)) - 2 * x * d * f("T", x=1)
    return {"T": (sun - e.A - e.B * (t - 273.15) + spread) / e.C}


def soil_heat(e, f):
    """kappa' T_z + kappa T_zz for kappa = k0 (1 + sin(z/h)/2) or a number."""
    if not hasattr(e.diffusivity, "at"):
        return {"T": e.diffusivity * f("T", depth=2)}
    slope = 0.5 * e.diffusivity.params / 0.2 * jnp.cos(f.coordinates["depth"] / 0.2)
    return {"T": slope * f("T", depth=1) + e.diffusivity.at(f.coordinates) * f("T", depth=2)}


def varying_heat(e, f):
    """grad(kappa) . grad(u) + kappa lap(u) for kappa = k0 (1 + sin(x) cos(y)/2)."""
    x, k0 = f.coordinates, e.diffusivity.params
    kx = 0.5 * k0 * jnp.cos(x["x"]) * jnp.cos(x["y"])
    ky = -0.5 * k0 * jnp.sin(x["x"]) * jnp.sin(x["y"])
    spread = e.diffusivity.at(x) * (f("u", x=2) + f("u", y=2))
    return {"u": kx * f("u", x=1) + ky * f("u", y=1) + spread}


def shallow_water(e, f):
    """By the momentum equations v_t = -eta k x v - grad(g (h + b) + |v|^2/2), in latitude and
    longitude: zeta_t is the curl of v_t, delta_t its divergence."""
    a, degree = e.domain.metric.radius, math.pi / 180

    def along(what, axis):
        def slope(x):
            return jax.jvp(lambda s: what({**x, axis: s}), (x[axis],), (jnp.ones_like(x[axis]),))[1]

        return lambda x: slope(x) / degree

    def cosine(x):
        return jnp.cos(x["lat"] * degree)

    def at(name):
        return lambda x: Sines(e, x)(name)

    def divergence(east, north):
        across, up = along(east, "lon"), along(lambda x: north(x) * cosine(x), "lat")
        return lambda x: (across(x) + up(x)) / (a * cosine(x))

    def laplacian(what):
        return divergence(
            lambda x: along(what, "lon")(x) / (a * cosine(x)), lambda x: along(what, "lat")(x) / a
        )

    def east(x):
        return along(at("chi"), "lon")(x) / (a * cosine(x)) - along(at("psi"), "lat")(x) / a

    def north(x):
        return along(at("psi"), "lon")(x) / (a * cosine(x)) + along(at("chi"), "lat")(x) / a

    def eta(x):
        return at("zeta")(x) + 2 * e.rotation * jnp.sin(x["lat"] * degree)

    def energy(x):
        return e.gravity * at("h")(x) + (east(x) ** 2 + north(x) ** 2) / 2

    def east_rate(x):
        return eta(x) * north(x) - along(energy, "lon")(x) / (a * cosine(x))

    def north_rate(x):
        return -eta(x) * east(x) - along(energy, "lat")(x) / a

    rows = {
        "zeta": divergence(north_rate, lambda x: -east_rate(x)),
        "delta": divergence(east_rate, north_rate),
        "h": divergence(lambda x: -at("h")(x) * east(x), lambda x: -at("h")(x) * north(x)),
        "psi": lambda x: laplacian(at("psi"))(x) - at("zeta")(x),
        "chi": lambda x: laplacian(at("chi"))(x) - at("delta")(x),
    }
    return jax.jit(lambda x: {name: row(x) for name, row in rows.items()})(
        {axis: jnp.asarray(value) for axis, value in f.coordinates.items()}
    )


def belt():
    """Without the poles, where products of sines are not smooth on the sphere."""
    whole = equations.ShallowWater()
    middle = {"lat": {"lower": -10, "upper": 20}}
    return whole.replace(domain=whole.domain.updated(middle), gravity=9.0, rotation=8e-5)


def as_written(e, f):
    """Where no function of the field is differentiated, rhs itself is the closed form."""
    return e.rhs(f)


def warm_planet(**parameters):
    """Temperatures of 256 to 268 K, across the ice line, so that its tanh is seen and resolved."""
    planet = equations.IceAlbedo(width=20.0, **parameters)
    surface = dataclasses.replace(planet.variables["T"], scale=6.0, offset=262.0)
    return planet.replace(variables=type(planet.variables)(T=surface))


def plane_heat():
    kappa = Function(lambda k, x: k * (1 + 0.5 * jnp.sin(x["x"]) * jnp.cos(x["y"])), 0.3)
    return equations.Heat(
        diffusivity=kappa,
        domain=Domain(t=Axis(0, 1), x=Axis(0, 2 * math.pi, periodic=True), y=Axis(-1, 2)),
    )


BY_HAND = {
    "EnergyBalance": (equations.EnergyBalance, energy_balance),
    "IceAlbedo": (warm_planet, energy_balance),
    "ShallowWater": (belt, shallow_water),
    "SoilHeat": (equations.SoilHeat, soil_heat),
    "SoilHeat of a function": (
        lambda: equations.SoilHeat(
            diffusivity=Function(lambda k, x: k * (1 + 0.5 * jnp.sin(x["depth"] / 0.2)), 5e-7)
        ),
        soil_heat,
    ),
    "EnergyBalance of a function": (
        lambda: equations.EnergyBalance(D=Function(lambda p, x: 0.5 + p * jnp.sin(x["x"]), 0.2)),
        energy_balance,
    ),
    "Heat of a function, 2-D": (plane_heat, varying_heat),
}
CASES = {n: (getattr(equations, n), as_written) for n in equations.available()} | BY_HAND
cases = pytest.mark.parametrize(("make", "by_hand"), CASES.values(), ids=list(CASES))
# The functions of a field go through the midpoints, so those have every accuracy tried. Shallow
# water differentiates slopes twice more, which costs two orders at walls that a globe has not.
DIFFERENCED = {
    f"{name}, order {accuracy}": (*case, accuracy, coarse)
    for name, case in CASES.items()
    for accuracy, coarse in ((2, 32), (4, 32), (6, 24))
    if name not in ("Antiderivative", "Swing", "ShallowWater")
    and (accuracy == 4 or name in BY_HAND)
}


def expected(equation, by_hand, x, what="rhs"):
    """The closed form of the right-hand side, or of the residual, at coordinates *x*."""
    f = Sines(equation, x)
    rhs = by_hand(equation, f)
    if what == "rhs":
        return rhs
    time, order = equation.domain.time, {n: equation.variables[n].order for n in rhs}
    return {n: f(n, **{time: order[n]}) - v if order[n] else v for n, v in rhs.items()}


def error(found, right, part=...):
    """The largest difference of any variable in a part, relative to its largest right value."""
    assert set(found) == set(right)
    return max(
        float(np.max(np.abs(np.asarray(found[n] - right[n])[part])))
        / float(np.max(np.abs(np.asarray(right[n]))))
        for n in right
    )


def on_grid(equation, schemes, what="rhs", time=0.3):
    """Values of the sines on a grid, read by a GridField, and the grid's coordinates."""
    domain, grid = equation.domain, Grid(equation.domain, schemes)
    x = {a: jnp.asarray(c) for a, c in grid.coordinates.items()}
    if domain.time is not None and domain.time not in x:
        x[domain.time] = jnp.asarray(domain[domain.time].lower + time * domain["t"].length)
    truth = Sines(equation, x)
    values = {n: jnp.broadcast_to(truth(n), grid.shape) for n in equation.variables}
    rates = {}
    if what == "rhs" and domain.time is not None:
        names = [n for n in equation.variables if equation.variables[n].order == 2]
        rates = {n: jnp.broadcast_to(truth(n, t=1), grid.shape) for n in names}
    field = GridField(grid, values, x.get(domain.time) if what == "rhs" else None, rates)
    read_by = jax.jit(lambda: getattr(equation, what)(field))
    return read_by(), x


def spectral(axis):
    return (Fourier(), 16) if axis.periodic else (Chebyshev(), 18)


@cases
def test_point_reading(make, by_hand):
    equation = make()
    points = random_points(equation.domain)
    for what in ("rhs", "residual"):
        found = read(equation, sines(equation), points, what)
        assert error(found, expected(equation, by_hand, points, what)) < 1e-11


@cases
def test_spectral_grid_reading_at_a_time(make, by_hand):
    equation = make()
    schemes = {a: spectral(equation.domain[a]) for a in equation.domain.space}
    found, x = on_grid(equation, schemes)
    assert error(found, expected(equation, by_hand, x)) < 1e-8


@cases
def test_spectral_grid_reading_in_space_and_time(make, by_hand):
    equation = make()
    schemes = {a: spectral(equation.domain[a]) for a in equation.domain}
    found, x = on_grid(equation, schemes, "residual")
    assert error(found, expected(equation, by_hand, x, "residual")) < 1e-8


@cases
def test_feature_reading(make, by_hand):
    """Features in which the sines are an exact sum, in space; the sum's coefficients in time."""
    equation = make()
    if not equation.domain.space:
        pytest.skip("features are of space, and an ordinary differential equation has none")
    waves, time = Waves(equation), None
    x = dict(waves.coordinates)
    if equation.domain.time is not None:
        time = x["t"] = jnp.asarray(equation.domain["t"].lower + 0.3 * equation.domain["t"].length)
    second = [n for n in waves.names if equation.variables[n].order == 2]
    rates = {n: waves.coefficients(time, 1)[n] for n in second} if second else {}
    field = FeatureField(waves, waves.coefficients(time), time, rates)
    assert error(equation.rhs(field), expected(equation, by_hand, x)) < 1e-11


@pytest.mark.parametrize(
    ("make", "by_hand", "accuracy", "coarse"), DIFFERENCED.values(), ids=list(DIFFERENCED)
)
def test_finite_difference_reading_has_its_order(make, by_hand, accuracy, coarse):
    equation = make()
    first, *others = equation.domain.space
    counts, errors, inside = (coarse, coarse * 3 // 2, coarse * 9 // 4), [], []
    for count in counts:
        schemes = {a: spectral(equation.domain[a]) for a in others}
        found, x = on_grid(equation, {first: (FiniteDifference(accuracy), count), **schemes})
        right = expected(equation, by_hand, x)
        errors.append(error(found, right))
        inside.append(error(found, right, slice(count // 4, -(count // 4))))
    slope = -np.diff(np.log([errors, inside])) / np.diff(np.log(counts))
    # Rounding shows at the last grid of the interior; the sides' stencils have order 4 at most.
    assert slope[1, 0] > accuracy - 0.4
    assert slope[0, -1] > min(accuracy, 4) - 0.4


def test_coefficients_are_read_where_the_field_stands():
    """The varying coefficients above do vary: a constant in their place gives another answer."""
    heat = plane_heat()
    points = random_points(heat.domain)
    constant = read(heat.replace(diffusivity=0.3), sines(heat), points, "rhs")
    assert error(constant, expected(heat, varying_heat, points)) > 0.05
    assert np.ptp(np.asarray(evaluate(heat.diffusivity, points))) > 0.1
