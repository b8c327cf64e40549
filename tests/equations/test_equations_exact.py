"""Closed forms: each satisfies its equation, its start and its sides."""

import dataclasses
import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from point_reading import derivative, random_points, read

from pinnlab.core import Axis, Domain, Initial, Profile, SineLatitude, Variables
from pinnlab.core.parameters import evaluate
from pinnlab.equations import (
    Advection,
    Burgers,
    EnergyBalance,
    GroundHeat,
    Heat,
    Helmholtz,
    IceAlbedo,
    Poisson,
    ShallowWater,
    Vorticity,
    Wave,
)

T, X, Y = Axis(0.5, 2), Axis(-1, 2), Axis(0, 0.7)


def steady_energy_balance():
    domain = EnergyBalance().domain
    surface = dataclasses.replace(EnergyBalance().variables["T"], order=0)
    return EnergyBalance(
        domain=Domain(metric=SineLatitude(), x=domain["x"]), variables=Variables(T=surface)
    )


CASES = {
    "burgers": lambda: Burgers(nu=0.05),
    "heat": Heat,
    "heat 2-D": lambda: Heat(diffusivity=0.2, domain=Domain(t=T, x=X, y=Y)),
    "heat 3-D, one axis periodic": lambda: Heat(
        domain=Domain(t=T, x=X, y=Y, z=Axis(0, 3, periodic=True))
    ),
    "advection": lambda: Advection(c=30.0),
    "wave": Wave,
    "wave, other axis and modes": lambda: Wave(
        c=0.7, modes=((2, 1.0), (3, -0.3)), domain=Domain(t=T, x=X)
    ),
    "poisson": lambda: Poisson(conductivity=3.0),
    "poisson 3-D": lambda: Poisson(domain=Domain(x=X, y=Y, z=Axis(1, 2))),
    "helmholtz": lambda: Helmholtz(k=3.0),
    "vorticity": lambda: Vorticity(nu=0.05),
    "shallow water": ShallowWater,
    "shallow water, another wind": lambda: ShallowWater(gravity=8.0, rotation=-1e-4, speed=12.0),
    "energy balance": EnergyBalance,
    "energy balance, steady": steady_energy_balance,
    "ground heat": GroundHeat,
}
cases = pytest.mark.parametrize("make", CASES.values(), ids=list(CASES))


@cases
def test_exact_solution_satisfies_the_equation(make):
    equation = make()
    residual = read(equation, equation.exact, random_points(equation.domain))
    assert set(residual) == set(equation.variables.names)
    for name, rows in residual.items():
        assert np.max(np.abs(rows)) <= 1e-9 * equation.residual_scale(name)


@cases
def test_exact_solution_satisfies_the_conditions(make):
    equation = make()
    equation.check()
    points, domain, count = random_points(equation.domain, 16), equation.domain, 0

    def missing(condition, name, side, point):
        exact, value = equation.exact, evaluate(condition.values[name], point)
        if isinstance(condition, Initial):
            order = condition.order
            return (derivative(exact, name, point, "t") if order else exact(point)[name]) - value
        outward = 1.0 if side == "upper" else -1.0
        slope = outward * derivative(exact, name, point, condition.axis)
        return condition.a * exact(point)[name] + condition.b * slope - value

    for condition in equation.conditions():
        initial = isinstance(condition, Initial)
        axis = domain.time if initial else condition.axis
        for side in ["lower"] if initial else condition.sides:
            wall = {**points, axis: jnp.full(16, getattr(domain[axis], side))}
            for name in condition.values:
                row = functools.partial(missing, condition, name, side)
                rows = jax.jit(jax.vmap(row))(wall)
                assert np.max(np.abs(rows)) <= 1e-9 * equation.variables[name].scale
                count += 1
    free = [a for a in domain.space if not domain[a].periodic and domain.metric.flat]
    assert count >= 2 * len(free) + (domain.time is not None)


@pytest.mark.parametrize(
    ("equation", "changes"),
    [
        (Heat(), {"diffusivity": 0.11}),
        (Advection(), {"c": -1.0}),
        (Wave(), {"c": 2.1}),
        (Poisson(), {"conductivity": 1.1}),
        (Vorticity(), {"nu": 0.02}),
        (ShallowWater(), {"rotation": 8e-5}),
        (ShallowWater(), {"gravity": 9.9}),
        (EnergyBalance(), {"D": 0.5}),
        (EnergyBalance(), {"B": 2.1}),
        (GroundHeat(), {"diffusivity": 6e-7}),
    ],
)
def test_residual_sees_another_parameter(equation, changes):
    points = random_points(equation.domain)
    rows = read(equation.replace(**changes), equation.exact, points)
    largest = max(np.max(np.abs(r)) / equation.residual_scale(n) for n, r in rows.items())
    assert largest > 1e-3


def test_exact_broadcasts_like_a_solution():
    """Scalars and arrays of axes may be mixed."""
    for make in CASES.values():
        equation = make()
        x = {a: jnp.asarray(0.5 * (equation.domain[a].lower + 1)) for a in equation.domain}
        x[equation.domain.space[0]] = jnp.linspace(0.1, 0.4, 5)
        for value in jax.jit(equation.exact)(x).values():
            assert value.shape == (5,)
        single = {a: v.astype(jnp.float32) for a, v in x.items()}
        assert all(v.dtype == jnp.float32 for v in jax.jit(equation.exact)(single).values())


def test_no_closed_form_where_a_coefficient_varies():
    profile = Profile("x", (0.0, 1.0), [0.1, 0.2])
    for equation in (
        Heat(diffusivity=profile),
        Advection(c=profile),
        Wave(c=profile),
        Poisson(conductivity=profile),
        Vorticity(nu=profile),
        EnergyBalance(D=profile),
        ShallowWater(bottom=Profile("lat", (0.0, 1.0), [0.1, 0.2])),
        IceAlbedo(),
    ):
        assert equation.exact(random_points(equation.domain)) is None


def test_heat_decays_by_the_published_factor():
    """Carslaw & Jaeger 3.3: exp(-kappa n^2 pi^2 t / l^2) at the middle of a rod."""
    middle = Heat(diffusivity=0.1).exact({"t": jnp.asarray(1.0), "x": jnp.asarray(0.5)})["u"]
    assert float(middle) == pytest.approx(math.exp(-0.1 * math.pi**2), rel=1e-12)


def test_ground_wave_is_damped_and_delayed():
    """A day's wave at kappa = 5e-7: depth of damping 11.7 cm, delay half a day at pi d."""
    ground = GroundHeat()
    d = math.sqrt(2 * 5e-7 / (2 * math.pi / 86400))
    assert d == pytest.approx(0.1173, abs=1e-4)
    crest = {"t": jnp.asarray(86400 * 1.75), "depth": jnp.asarray(math.pi * d)}
    assert float(ground.exact(crest)["T"]) == pytest.approx(288.15 + 10 * math.exp(-math.pi))


def test_energy_balance_reaches_the_published_climate():
    """T = [(1-a)S0/4 (1 + s2 P2/(1 + 6D/B)) - A]/B of North: 14 degC in the mean."""
    end = {"t": jnp.asarray(1e12), "x": jnp.asarray([0.0, 1.0, -1.0, 1 / math.sqrt(3)])}
    equator, north, south, mean = np.asarray(EnergyBalance().exact(end)["T"]) - 273.15
    share = -0.48 / (1 + 6 * 0.55 / 2.0)
    assert mean == pytest.approx(14.0, abs=1e-9)
    assert equator == pytest.approx((0.7 * 340 * (1 - 0.5 * share) - 210) / 2, abs=1e-9)
    assert north == pytest.approx((0.7 * 340 * (1 + share) - 210) / 2, abs=1e-9)
    assert north == south == pytest.approx(-7.555, abs=1e-3)
    assert equator == pytest.approx(24.777, abs=1e-3)


def test_axis_of_sine_latitude_is_shown_in_degrees():
    shown = EnergyBalance().domain["x"].shown
    assert (shown.name, shown.units) == ("lat", "degrees_north")
    np.testing.assert_allclose(shown.convert(np.array([-1, 0, 0.5, 1])), [-90, 0, 30, 90])
