"""Equations without a closed form, against solutions and rates that others derived."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from point_reading import random_points, read
from scipy.integrate import solve_ivp

from pinnlab.core import Axis, Domain, Function, PointField, Profile
from pinnlab.equations import (
    AllenCahn,
    Antiderivative,
    DiffusionReaction,
    EnergyBalance,
    GroundHeat,
    Heat,
    KortewegDeVries,
    KuramotoSivashinsky,
    SoilHeat,
    Swing,
    Vorticity,
)


def test_allen_cahn_front_travels_at_its_speed():
    """u = (1 - tanh(s/2 sqrt(r/2d)))/2 with s = x - 3 t sqrt(r d/2): the stable state invades."""
    equation = AllenCahn(d=0.02)
    d, r = equation.d, equation.r

    def front(x):
        s = x["x"] - 3 * math.sqrt(r * d / 2) * x["t"]
        return {"u": 0.5 * (1 - jnp.tanh(s * math.sqrt(r / (8 * d))))}

    assert np.max(np.abs(read(equation, front, random_points(equation.domain))["u"])) < 1e-12


def test_kdv_soliton():
    """u = 3 c sech^2(sqrt(c) (x - c t) / (2 mu))."""
    equation, c = KortewegDeVries(mu=0.2), 0.7

    def soliton(x):
        lag = math.sqrt(c) * (x["x"] - c * x["t"]) / (2 * equation.mu)
        return {"u": 3 * c * (1 - jnp.tanh(lag) ** 2)}

    points = random_points(equation.domain)
    assert np.max(np.abs(read(equation, soliton, points)["u"])) < 1e-11
    wrong = read(equation.replace(mu=0.25), soliton, points)["u"]
    assert np.max(np.abs(wrong)) > 0.1


def test_antiderivatives():
    """Of a number in closed form, from a start that is not zero; of a cosine, its sine."""
    equation = Antiderivative(v=0.7, domain=Domain(t=Axis(0.3, 1.5)))
    points = random_points(equation.domain)
    assert np.max(np.abs(read(equation, equation.exact, points)["s"])) < 1e-14
    ends = equation.exact({"t": jnp.asarray([0.3, 1.5])})["s"]
    np.testing.assert_allclose(ends, [0.0, 0.84], atol=1e-15)
    waving = equation.replace(v=Function(lambda k, x: jnp.cos(k * x["t"]), jnp.asarray(3.0)))
    sine = read(waving, lambda x: {"s": jnp.sin(3.0 * x["t"]) / 3.0}, points)["s"]
    assert np.max(np.abs(sine)) < 1e-14
    assert waving.exact(points) is None


def test_diffusion_and_reaction_balance_their_source():
    """s = t sin(pi x), for v = s_t - D s_xx - k s^2 by hand; another k leaves a residual."""
    d, k = 0.03, 0.4

    def source(p, x):
        s = x["t"] * jnp.sin(math.pi * x["x"])
        return jnp.sin(math.pi * x["x"]) + math.pi**2 * d * s - p * s**2

    equation = DiffusionReaction(diffusion=d, reaction=k, v=Function(source, jnp.asarray(k)))
    points = random_points(equation.domain)
    model = lambda x: {"s": x["t"] * jnp.sin(math.pi * x["x"])}  # noqa: E731
    assert np.max(np.abs(read(equation, model, points)["s"])) < 1e-13
    assert np.max(np.abs(read(equation.replace(reaction=0.5), model, points)["s"])) > 1e-2


def test_diffusion_without_reaction_approaches_its_steady_state():
    """For v = sin(pi x): s = sin(pi x) (1 - exp(-pi^2 D t))/(pi^2 D)."""
    rate = math.pi**2 * 0.01
    equation = DiffusionReaction(
        reaction=0.0, v=Function(lambda p, x: p * jnp.sin(math.pi * x["x"]), jnp.asarray(1.0))
    )

    def grown(x):
        return {"s": jnp.sin(math.pi * x["x"]) * -jnp.expm1(-rate * x["t"]) / rate}

    assert np.max(np.abs(read(equation, grown, random_points(equation.domain))["s"])) < 1e-13


@pytest.mark.parametrize("k", [3, 16, 20])
def test_kuramoto_sivashinsky_wave_grows_at_its_rate(k):
    """Rate of wave k: 100 (k/16)^2 (1 - (k/16)^2), plus the wave's own advection."""
    equation = KuramotoSivashinsky()
    a, rate = 0.3, 100 * ((k / 16) ** 2 - (k / 16) ** 4)

    def wave(x):
        return {"u": a * jnp.sin(k * x["x"])}

    points = random_points(equation.domain)
    x = np.asarray(points["x"])
    expected = rate * a * np.sin(k * x) - 6.25 * a**2 * k / 2 * np.sin(2 * k * x)
    np.testing.assert_allclose(
        read(equation, wave, points, "rhs")["u"], expected, rtol=0, atol=1e-11 * k**4
    )


def test_vorticity_is_carried_by_a_uniform_flow():
    """Taylor-Green vortices drift with a flow (U, V) added through psi = U y - V x."""
    equation, flow = Vorticity(nu=0.03), (0.7, -0.4)

    def drifting(x):
        t, (u, v) = x["t"], flow
        cells = jnp.cos(x["x"] - u * t) * jnp.cos(x["y"] - v * t) * jnp.exp(-2 * equation.nu * t)
        return {"w": 2 * cells, "psi": cells + u * x["y"] - v * x["x"]}

    rows = read(equation, drifting, random_points(equation.domain))
    assert max(np.max(np.abs(r)) for r in rows.values()) < 1e-12


def test_soil_heat_of_a_constant_diffusivity_lets_the_ground_wave_pass():
    soil, ground = SoilHeat(diffusivity=5e-7), GroundHeat()
    rows = read(soil, ground.exact, random_points(soil.domain))["T"]
    assert np.max(np.abs(rows)) < 1e-9 * soil.residual_scale("T")


def test_soil_heat_converges_where_the_diffusivity_grows_downwards():
    """T = a z and kappa = k0 + s z: the flux grows with depth, T_t = s a."""
    soil = SoilHeat(diffusivity=Profile("depth", (0.02, 0.32), [2e-7, 8e-7]))
    points = random_points(soil.domain)
    tendency = read(soil, lambda x: {"T": 290.0 + 10.0 * x["depth"]}, points, "rhs")["T"]
    np.testing.assert_allclose(tendency, 10.0 * 6e-7 / 0.3, rtol=1e-12)


def test_heat_of_a_profile_is_in_divergence_form():
    """div(k grad u) for k = 0.1 + 0.2 x, u = x^2: k' u' + k u''."""
    heat = Heat(diffusivity=Profile("x", (0.0, 1.0), [0.1, 0.3]))
    points = random_points(heat.domain)
    x = np.asarray(points["x"])
    tendency = read(heat, lambda p: {"u": p["x"] ** 2}, points, "rhs")["u"]
    np.testing.assert_allclose(tendency, 0.2 * 2 * x + (0.1 + 0.2 * x) * 2, rtol=1e-12)


@pytest.mark.parametrize("varying", [False, True])
def test_energy_balance_of_the_globe(varying):
    """Transport only moves heat: C d<T>/dt = <Q S (1-a)> - A - B <T> for any T and D(x)."""
    width = Function(lambda p, x: 0.4 + p * x["x"] ** 2, jnp.asarray(0.3))
    model = EnergyBalance(D=width if varying else 0.55)
    node, weight = np.polynomial.legendre.leggauss(24)
    points = {"t": jnp.zeros(24), "x": jnp.asarray(node)}

    def warm(x):
        return {"T": 280.0 + 7 * x["x"] - 30 * x["x"] ** 2 + 9 * x["x"] ** 5}

    heating = model.C * read(model, warm, points, "rhs")["T"] @ weight / 2
    mean = np.asarray(warm(points)["T"]) @ weight / 2
    assert heating == pytest.approx(0.7 * 340 - 210 - 2 * (mean - 273.15), rel=1e-10)


def swing_rates(machine):
    """d/dt (delta, omega) as the equation reads a straight line through the state."""

    def rates(t, state):
        field = PointField(
            lambda x: {"delta": state[0] + state[1] * x["t"]},
            {"t": jnp.zeros(())},
            machine.domain,
            ("delta",),
        )
        return jnp.stack([state[1], machine.rhs(field)["delta"]])

    return jax.jit(rates)


def test_swing_has_the_published_frequency_and_damping():
    """Kundur, example 12.2 (H = 3.5 s, K_D = 10): 49.92 degrees, 6.387 rad/s, ratio 0.112."""
    rest = math.asin(0.9 / 1.176)
    jacobian = jax.jacobian(swing_rates(Swing()), argnums=1)(0.0, jnp.asarray([rest, 0.0]))
    values = np.linalg.eigvals(np.asarray(jacobian))
    assert math.degrees(rest) == pytest.approx(49.92, abs=0.05)
    assert abs(values[0]) == pytest.approx(6.387, abs=0.01)
    assert -values[0].real / abs(values[0]) == pytest.approx(0.112, abs=1e-3)


def test_swing_without_damping_conserves_energy():
    machine = Swing(D=0.0)
    rates = swing_rates(machine)
    path = solve_ivp(rates, (0, 10), [machine.start, 0.0], rtol=1e-10, atol=1e-10).y
    energy = machine.M * path[1] ** 2 / 2 - machine.Pm * path[0] - machine.Pmax * np.cos(path[0])
    assert np.ptp(path[0]) > 0.5
    assert np.ptp(energy) < 1e-7


def test_swing_beyond_the_unstable_angle_loses_step():
    """Equal areas: released at rest beyond pi - asin(Pm/Pmax) the rotor never comes back."""
    critical = math.pi - math.asin(0.9 / 1.176)
    for shift, lost in ((-0.01, False), (0.01, True)):
        machine = Swing(D=0.0, start=critical + shift)
        path = solve_ivp(swing_rates(machine), (0, 5), [machine.start, 0.0], rtol=1e-9).y
        assert (path[0].max() > critical + 0.5) == lost
