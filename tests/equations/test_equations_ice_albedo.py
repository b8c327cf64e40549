"""Ice-albedo feedback: its limits, its ice line and its snowball."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from point_reading import random_points, read
from scipy.integrate import solve_ivp

from pinnlab.core import Function, PointField
from pinnlab.core.parameters import evaluate
from pinnlab.equations import EnergyBalance, IceAlbedo


def test_far_from_the_ice_line_it_is_the_plain_model():
    points = random_points(IceAlbedo().domain)
    land = Function(lambda p, x: 0.3 + p * (1.5 * x["x"] ** 2 - 0.5), jnp.asarray(0.078))
    for mean, albedo in ((310.0, land), (220.0, 0.62)):

        def field(x, mean=mean):
            return {"T": mean + 5 * x["x"] ** 3}

        plain = read(EnergyBalance(albedo=albedo), field, points, "rhs")["T"]
        iced = read(IceAlbedo(), field, points, "rhs")["T"]
        np.testing.assert_allclose(iced, plain, rtol=1e-10)


def test_at_the_ice_line_the_albedo_is_half_way():
    model, points = IceAlbedo(), random_points(IceAlbedo().domain)
    tendency = read(model, lambda x: {"T": 263.15 + 0.0 * x["x"]}, points, "rhs")["T"]
    p2 = 1.5 * np.asarray(points["x"]) ** 2 - 0.5
    absorbed = 340 * (1 - 0.48 * p2) * (1 - 0.5 * (0.62 + 0.3 + 0.078 * p2))
    np.testing.assert_allclose(tendency * model.C, absorbed - 210 + 20, rtol=0, atol=1e-9)


def climate(model, count=80):
    """Latitudes and the temperature after 200 years: even Legendre modes at Gauss nodes."""
    node = np.polynomial.legendre.leggauss(2 * count)[0][count:]
    modes = [np.polynomial.legendre.Legendre.basis(2 * n).coef for n in range(count)]
    basis = np.polynomial.legendre.legvander(node, 2 * count - 2)[:, ::2]
    slope = np.stack(
        [np.polynomial.legendre.legval(node, np.polynomial.legendre.legder(c)) for c in modes], 1
    )
    bend = np.stack(
        [np.polynomial.legendre.legval(node, np.polynomial.legendre.legder(c, 2)) for c in modes], 1
    )
    to_modes = np.linalg.inv(basis)
    first, second = jnp.asarray(slope @ to_modes), jnp.asarray(bend @ to_modes)

    @jax.jit
    def rates(t, state):
        def at(x, value, d1, d2):
            def near(p):
                s = p["x"] - x
                return {"T": value + d1 * s + 0.5 * d2 * s**2}

            point = {"t": jnp.zeros(()), "x": x}
            return model.rhs(PointField(near, point, model.domain, ("T",)))["T"]

        return jax.vmap(at)(jnp.asarray(node), state, first @ state, second @ state)

    end = solve_ivp(
        rates,
        (0.0, 200 * 3.156e7),
        np.broadcast_to(evaluate(model.start, {"x": jnp.asarray(node)}), (count,)),
        "BDF",
        jac=jax.jit(jax.jacobian(rates, argnums=1)),
        rtol=1e-6,
        atol=1e-4,
    )
    assert end.success
    return np.degrees(np.arcsin(node)), end.y[:, -1]


def solar_constant(line, m, count=200):
    """North (1975): the sun that holds a sharp ice line at the latitude *line*, by modes P_n.

    Each mode has T_n = (S0/4) h_n/(B + n(n+1)D) (less A/B for n = 0), where h_n is that of the
    absorbed share; T is T_i at the line.
    """
    node, weight = np.polynomial.legendre.leggauss(400)
    n, edge = np.arange(0, 2 * count, 2), np.sin(np.radians(line))
    absorbed = np.zeros(count)
    for lower, upper, icy in ((0.0, edge, False), (edge, 1.0, True)):
        x = lower + (upper - lower) * (node + 1) / 2
        p2 = 1.5 * x**2 - 0.5
        share = (1 + m.s2 * p2) * (1 - (m.ai if icy else m.a0 + m.a2 * p2))
        modes = np.polynomial.legendre.legvander(x, 2 * count - 2)[:, ::2]
        absorbed += (2 * n + 1) * ((weight * (upper - lower) / 2 * share) @ modes)
    at_edge = np.polynomial.legendre.legvander(edge, 2 * count - 2)[..., ::2]
    warmth = np.sum(absorbed * at_edge / (m.B + n * (n + 1) * m.D))
    return 4 * (m.A / m.B + m.Ti - 273.15) / warmth


@pytest.mark.parametrize("line", [50.0, 60.0, 70.0])
def test_ice_line_is_where_theory_puts_it(line):
    model = IceAlbedo(S0=float(solar_constant(line, IceAlbedo())))
    latitude, temperature = climate(model)
    assert np.all(np.diff(temperature) < 0)
    assert np.interp(-263.15, -temperature, latitude) == pytest.approx(line, abs=0.25)


def test_default_ice_line_is_at_the_published_seventy_degrees():
    assert solar_constant(70.0, IceAlbedo()) == pytest.approx(1360.0, abs=1.0)


@pytest.mark.parametrize("changes", [{"S0": 1200.0}, {"start": 230.0}])
def test_snowball(changes):
    """A weaker sun freezes a warm earth; under today's sun a frozen one stays frozen."""
    _, temperature = climate(IceAlbedo(**changes))
    assert temperature.max() < 263.15
