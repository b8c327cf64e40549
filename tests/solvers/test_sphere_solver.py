"""ETDRK4 on the sphere: steady flow, waves of known frequency, order, conservation, refusals."""

import math
import tracemalloc

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pinnlab.core import (
    Axis,
    Coefficient,
    Domain,
    Initial,
    PinnlabError,
    Sphere,
    Variable,
    Variables,
    parameter,
)
from pinnlab.core.latitudes import sphere_grid
from pinnlab.core.spherefield import harmonics_of
from pinnlab.equations.base import Equation, equation
from pinnlab.equations.canonical.heat import Heat
from pinnlab.equations.climate.shallow_water import RADIUS, ShallowWater
from pinnlab.solvers import sphere
from pinnlab.solvers.sphere import solve_sphere

HOUR = 3600.0
GLOBE = {
    "lat": Axis(-90, 90, "degrees_north"),
    "lon": Axis(0, 360, "degrees_east", periodic=True),
}


TIMES = [3 * HOUR, 12 * HOUR]  # in eight steps; one program serves most tests


def lasting(**more):
    domain = ShallowWater().domain.updated({"t": {"upper": TIMES[-1]}})
    return ShallowWater(domain=domain, **more)


@equation
class Diffusion(Equation):
    """u_t = kappa lap u on a sphere of radius 2, from waves of two degrees."""

    kappa: Coefficient = parameter(0.3, "1")
    domain: Domain = Domain(metric=Sphere(2.0), t=Axis(0, 1), **GLOBE)
    variables: Variables = Variables(u=Variable("u"))

    def rhs(self, f):
        return {"u": f.laplacian("u", self.kappa)}

    def conditions(self):
        return [Initial(u=lambda x: 1.0 + first(x) + shortest(x))]


@equation
class Reaction(Diffusion):
    """u_t = kappa lap u + u (1 - u^2), from a smooth hill away from the poles."""

    def rhs(self, f):
        return {"u": f.laplacian("u", self.kappa) + f("u") - f("u") ** 3}

    def conditions(self):
        return [Initial(u=lambda x: 0.9 * jnp.exp(2.0 * (first(x) - 1.0)) - 0.2)]


@equation
class Accelerated(Diffusion):
    variables: Variables = Variables(u=Variable("u", order=2))


@equation
class Constrained(Diffusion):
    """lap w = w^2 + u: no linear constraint."""

    variables: Variables = Variables(u=Variable("u"), w=Variable("w", order=0))

    def rhs(self, f):
        return {"u": f.laplacian("u"), "w": f.laplacian("w") - f("w") ** 2 - f("u")}


@equation
class Endless(Diffusion):
    def conditions(self):
        return []


def first(x):
    """Degree 1."""
    return jnp.cos(jnp.deg2rad(x["lat"])) * jnp.cos(jnp.deg2rad(x["lon"]))


def shortest(x):
    """Degree 5, the largest of 8 latitudes."""
    return jnp.cos(jnp.deg2rad(x["lat"])) ** 5 * jnp.sin(5 * jnp.deg2rad(x["lon"]))


def flow(grid):
    """A zonal wind and a smooth mountain of water beside it; not in balance."""
    start = ShallowWater()._zonal({**grid.coordinates, "t": 0.0})
    lat, lon = (np.deg2rad(grid.coordinates[a]) for a in ("lat", "lon"))
    bump = 100.0 * np.exp(np.cos(lat) * np.cos(lon) - 1.0)
    values = {"zeta": start["zeta"], "delta": start["delta"], "h": start["h"] + bump}
    return {name: jnp.broadcast_to(v, grid.shape) for name, v in values.items()}


# ---------------------------------------------------------------- closed forms


def test_a_zonal_flow_in_balance_stays():
    """Williamson's case 2, of degrees 1 and 2; psi and chi follow from their Laplacians."""
    equation = lasting()
    found = solve_sphere(equation, 8, TIMES, 8)
    exact = equation.exact({**found.grid.coordinates, "t": 0.0})
    scale = {"zeta": 1e-5, "delta": 1e-5, "h": 2e3, "psi": 2e8, "chi": 2e8}
    for name, values in found.values.items():
        error = np.max(np.abs(values - np.asarray(exact[name])[None])) / scale[name]
        assert error < 1e-9, (name, error)


@pytest.mark.parametrize(("degree", "order"), [(1, 0), (4, 3)])
def test_small_waves_of_a_layer_at_rest_have_the_frequency_of_gravity(degree, order):
    r"""omega^2 = g H l (l + 1) / a^2, exactly even by long steps."""
    depth, small = 1000.0, 1e-5
    omega = math.sqrt(9.80616 * depth * degree * (degree + 1)) / RADIUS
    equation = lasting(rotation=0.0, speed=0.0, depth=depth)
    grid = sphere_grid(equation.domain, 8, 16)
    harmonics = harmonics_of(grid)
    unit = np.zeros(harmonics.shape)
    unit[degree, order] = 1.0
    wave = harmonics.synthesis(unit)
    zero = jnp.zeros(grid.shape)
    start = {"zeta": zero, "delta": zero, "h": jnp.asarray(depth + small * wave)}
    found = solve_sphere(equation, 8, TIMES, 8, initial=start).values
    for i, t in enumerate(TIMES):
        height = small * math.cos(omega * t) * wave
        spread = small * omega / depth * math.sin(omega * t) * wave
        np.testing.assert_allclose(found["h"][i] - depth, height, atol=1e-5 * small)
        np.testing.assert_allclose(found["delta"][i], spread, atol=1e-5 * small * omega / depth)
        potential = -spread * RADIUS**2 / (degree * (degree + 1))
        np.testing.assert_allclose(
            found["chi"][i], potential, atol=1e-5 * np.max(np.abs(potential)) + 1e-9
        )
        assert np.max(np.abs(found["zeta"][i])) < 1e-10 * omega


def test_diffusion_is_exact_by_one_step():
    found = solve_sphere(Diffusion(), 8, [1.0], 1)
    x = found.grid.coordinates
    slow, fast = (math.exp(-0.3 * n * (n + 1) / 4) for n in (1, 5))
    expected = 1.0 + slow * np.asarray(first(x)) + fast * np.asarray(shortest(x))
    np.testing.assert_allclose(found.values["u"][0], expected, atol=1e-13)
    assert found.statistics["steps"] == 1 and "T5" in found.statistics["solver"]


def test_the_filter_damps_the_shortest_waves_by_e_and_keeps_the_mean():
    found = solve_sphere(Diffusion(kappa=0.0), 8, [0.5, 1.0], 4, damping=0.5)
    x = found.grid.coordinates
    for values, t in zip(found.values["u"], (0.5, 1.0), strict=True):
        slow = math.exp(-((2 / 30) ** 4) * t / 0.5)
        expected = 1.0 + slow * np.asarray(first(x)) + math.exp(-t / 0.5) * np.asarray(shortest(x))
        np.testing.assert_allclose(values, expected, atol=1e-13)


# ---------------------------------------------------------------- convergence and conservation


def test_the_order_in_time_is_four():
    ends = [solve_sphere(Reaction(), 8, [1.0], n).values["u"][0] for n in (2, 4, 8, 64)]
    errors = [np.max(np.abs(e - ends[-1])) for e in ends[:-1]]
    orders = np.log2(np.divide(errors[:-1], errors[1:]))
    assert np.all(np.abs(orders - 4.0) < 0.5), (orders, errors)


def test_finer_grids_converge_faster_than_any_power():
    coords = {"t": [1.0], "lat": np.linspace(-90, 90, 13), "lon": np.linspace(0, 330, 12)}
    ends = [solve_sphere(Reaction(), n, [1.0], 8).on(coords)["u"] for n in (8, 12, 20)]
    errors = [np.max(np.abs(e - ends[-1])) for e in ends[:-1]]
    assert errors[1] < 0.2 * errors[0] and errors[1] < 1e-3, errors


def test_mass_and_the_means_of_vorticity_and_divergence_stay():
    equation = lasting()
    start = flow(sphere_grid(equation.domain, 8, 16))
    found = solve_sphere(equation, 8, TIMES, 8, initial=start)
    grid = found.grid
    share = grid.weights * np.cos(np.deg2rad(grid.coordinates["lat"])) * np.ones(grid.shape)
    share = share / share.sum()
    before = {name: np.sum(share * np.asarray(v)) for name, v in start.items()}
    for name, size in (("h", 3e3), ("zeta", 1e-5), ("delta", 1e-5)):
        means = np.sum(share * found.values[name], axis=(1, 2))
        np.testing.assert_allclose(means, before[name], rtol=0, atol=1e-13 * size)
    assert np.ptp(found.values["h"][1] - found.values["h"][0]) > 10.0


def test_many_at_once_are_those_one_by_one():
    """In parameters and states; the first of them by the equation's own start."""
    grid = sphere_grid(Reaction().domain, 8, 16)
    start = Reaction().conditions()[0].values["u"](grid.coordinates)

    def end(kappa, factor):
        here = Reaction().replace(kappa=kappa)
        return solve_sphere(here, 8, [1.0], 8, initial={"u": factor * start}).values["u"][0]

    kappas, factors = jnp.asarray([0.3, 0.1]), jnp.asarray([1.0, -0.7])
    many = jax.jit(jax.vmap(end))(kappas, factors)
    for i in range(2):
        np.testing.assert_allclose(many[i], end(kappas[i], factors[i]), rtol=1e-11)
    own = solve_sphere(Reaction(), 8, [1.0], 8).values["u"][0]
    np.testing.assert_allclose(many[0], own, rtol=1e-11)
    assert np.max(np.abs(many[0] - many[1])) > 0.1


def test_single_precision():
    with jax.enable_x64(False):
        equation = lasting()
        found = solve_sphere(equation, 8, TIMES, 8)
        assert found.values["h"].dtype == "float32"
        exact = equation.exact({**found.grid.coordinates, "t": 0.0})
        assert np.max(np.abs(found.values["h"][0] - np.asarray(exact["h"]))) < 1.0
        assert np.max(np.abs(found.values["zeta"][0] - np.asarray(exact["zeta"]))) < 1e-7


# ---------------------------------------------------------------- asked anywhere


def test_a_solution_is_asked_anywhere_even_at_the_poles():
    found = solve_sphere(Diffusion(), 8, [0.5, 1.0], 2)
    rng = np.random.default_rng(0)
    lat, lon = rng.uniform(-90, 90, 7), rng.uniform(-200, 500, 7)

    def exact(t, lat, lon):
        slow, fast = (math.exp(-0.3 * n * (n + 1) / 4 * t) for n in (1, 5))
        x = {"lat": lat, "lon": lon}
        return 1.0 + slow * np.asarray(first(x)) + fast * np.asarray(shortest(x))

    np.testing.assert_allclose(
        found("u", t=1.0, lat=lat, lon=lon), exact(1.0, lat, lon), atol=1e-12
    )
    tensor = found("u", t=0.5, lat=lat[:, None], lon=lon[None])
    expected = exact(0.5, lat[:, None] + 0 * lon, lon[None] + 0 * lat[:, None])
    np.testing.assert_allclose(tensor, expected, atol=1e-12)
    poles = found("u", t=1.0, lat=np.asarray([-90.0, 90.0])[:, None], lon=lon[None])
    np.testing.assert_allclose(poles, 1.0, atol=1e-12)
    for where in (90.5, -100.0):
        for shape in ((3,), (3, 1)):
            places = np.full(shape, where)
            with pytest.raises(PinnlabError, match=r"lat=.* beyond a pole"):
                found("u", t=1.0, lat=places, lon=np.linspace(0, 1, 3))


def test_many_scattered_points_take_memory_in_proportion():
    found = solve_sphere(Diffusion(), 8, [1.0], 1)
    n = 20000
    lat, lon = np.linspace(-90, 90, n), np.linspace(0, 3600, n)
    tracemalloc.start()
    try:
        values = found("u", t=1.0, lat=lat, lon=lon)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert values.shape == (n,) and peak < 2e8, peak


# ---------------------------------------------------------------- settings


def test_refined_is_finer_in_space_and_time():
    known = sphere.Sphere(n_lat=12, steps=24, damping=HOUR)
    finer = known.refined()
    assert (finer.n_lat, finer.steps, finer.damping) == (18, 48, HOUR)
    found = known.solve(Diffusion(), [0.5, 1.0])
    assert found.grid.shape == (12, 24) and found.degree == 7


@pytest.mark.parametrize(
    ("equation", "change", "said"),
    [
        (Heat(), {}, "spherical harmonics need a domain on a sphere"),
        (Accelerated(), {}, "takes variables of order 1 in time"),
        (Constrained(), {}, r"constraint \(variable of order 0\) of Constrained.rhs is not linear"),
        (Diffusion(), {"damping": -1.0}, "damping is a time"),
        (Diffusion(), {"damping": math.nan}, "damping is a time"),
        (Diffusion(), {"times": [0.3, 1.0]}, r"t = 0.3 lies between two steps of 0.25"),
        (Diffusion(), {"times": [1.0, 0.5]}, "times must increase"),
        (Diffusion(), {"steps": 0}, "steps must be a whole number"),
        (Diffusion(), {"n_lat": 4}, "axis 'lat': at least 8 latitudes are needed, got 4"),
        (Endless(), {}, "no initial condition on 'u'"),
    ],
)
def test_what_it_refuses(equation, change, said):
    settings = {"n_lat": 8, "times": [1.0], "steps": 4, **change}
    with pytest.raises(PinnlabError, match=said) as error:
        solve_sphere(equation, **settings)
    assert "\n" not in str(error.value)
