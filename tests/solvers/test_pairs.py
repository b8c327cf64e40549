"""Pairs: random members, and their solutions by a classical solver, all at once."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pinnlab.core import Axis, Domain, PinnlabError
from pinnlab.core.grid import Chebyshev, FiniteDifference, Fourier, Grid
from pinnlab.equations.canonical.burgers import Burgers
from pinnlab.equations.canonical.heat import Heat
from pinnlab.equations.canonical.poisson import Poisson
from pinnlab.equations.family import Family
from pinnlab.sampling import GaussianField, Range
from pinnlab.solvers.classical import Etdrk4, Lines, Steady
from pinnlab.solvers.pairs import Pairs, solved

RING = Domain(t=Axis(0, 0.5), x=Axis(-1, 1, periodic=True))
SMOOTH = GaussianField(sigma=3.0, tau=5.0, alpha=3.0, modes=6)
SOLVER = Etdrk4(n=48, steps=40)


def ring(n=32, out=None, initial=("u",), parameters=()):
    """Burgers' equation from random states, or with random viscosities."""
    grid = Grid(RING, {"x": (Fourier(), n)})
    family = Family(Burgers(nu=0.1, domain=RING), grid, initial, parameters)
    inputs = {"u": SMOOTH, "nu": Range(0.1, 0.3)}
    return Pairs(family, {name: inputs[name] for name in family.names}, SOLVER, out or grid)


BOTH = {"parameters": ("nu",)}


@pytest.mark.parametrize("both", [False, True])
def test_the_exact_solution_of_a_sine_by_cole_and_hopf(both):
    """For several members at once, at all times and at the end."""
    x, nu = ring().family.grid.nodes["x"], np.asarray([0.1, 0.2, 0.3]) if both else [0.1, 0.1]
    values = {"u": np.broadcast_to(-np.sin(np.pi * x), (len(nu), 32))}
    values |= {"nu": nu} if both else {}
    timed = Grid(RING, {"t": (FiniteDifference(2), 6), "x": (Fourier(), 20)})
    for out in (timed, ring().grid):
        pairs = ring(out=out, **(BOTH if both else {}))
        found = jax.jit(pairs.solve)(jax.tree.map(jnp.asarray, values))["u"]
        assert found.shape == (len(nu), *out.shape)
        for one, own in zip(found, nu, strict=True):
            at = {"t": jnp.asarray(0.5), **{a: jnp.asarray(c) for a, c in out.coordinates.items()}}
            exact = np.asarray(Burgers(nu=float(own)).exact(at)["u"])
            np.testing.assert_allclose(one, exact, atol=2e-6)


def test_viscosities_alone_are_told_apart():
    pairs = ring(initial=(), **BOTH)
    nu = jax.jit(pairs.sample, static_argnums=1)(jax.random.key(1), 3)["nu"]
    found = jax.jit(pairs.solve)({"nu": nu})["u"]
    x = {"t": jnp.asarray(0.5), "x": jnp.asarray(pairs.grid.nodes["x"])}
    for i in range(3):
        exact = np.asarray(Burgers(nu=float(nu[i])).exact(x)["u"])
        np.testing.assert_allclose(found[i], exact, atol=2e-6)


def test_all_at_once_are_those_one_by_one():
    pairs = ring()
    values = jax.jit(pairs.sample, static_argnums=1)(jax.random.key(0), 3)
    assert values["u"].shape == (3, 32)
    found = jax.jit(pairs.solve)(values)["u"]
    for i in range(3):
        one = solved(pairs.solver, pairs.family.member({"u": values["u"][i]}), pairs.grid)["u"]
        np.testing.assert_allclose(found[i], one, atol=1e-11)
    # more than are solved at once
    many = {"u": jnp.concatenate([values["u"]] * 22 + [values["u"][:1]])}
    whole = jax.jit(pairs.solve)(many)["u"]
    np.testing.assert_allclose(whole[:3], found, atol=1e-11)
    np.testing.assert_allclose(whole[-1], found[0], atol=1e-11)


def test_a_key_is_a_member_whoever_stands_beside_it():
    pairs, keys = ring(**BOTH), jax.random.split(jax.random.key(7), 4)
    at = jax.jit(pairs.at)
    four, one, again = at(keys), at(keys[2:3]), at(keys)
    assert four["u"].shape == (4, 32) and four["nu"].shape == (4,)
    assert np.all((four["nu"] >= 0.1) & (four["nu"] <= 0.3))
    for name in ("u", "nu"):
        np.testing.assert_allclose(four[name][2], one[name][0], rtol=1e-12, atol=1e-15)
        np.testing.assert_array_equal(four[name], again[name])
        assert len(np.unique(np.asarray(four[name]).reshape(4, -1)[:, 0])) == 4


def test_a_key_is_the_same_function_at_any_resolution():
    key = jax.random.key(3)
    coarse, fine = ring(16, **BOTH), ring(64, **BOTH)
    one, two = (jax.jit(p.sample, static_argnums=1)(key, 2) for p in (coarse, fine))
    np.testing.assert_allclose(two["u"][:, ::4], one["u"], atol=1e-12)
    np.testing.assert_array_equal(two["nu"], one["nu"])
    # both resolve the six waves of the state, and so have one solution
    found = [
        np.asarray(jax.jit(ring(n).solve)({"u": v["u"]})["u"]) for n, v in ((16, one), (64, two))
    ]
    np.testing.assert_allclose(found[1][:, ::4], found[0], atol=1e-10)


def test_single_precision():
    pairs = ring()
    double = jax.jit(pairs.sample, static_argnums=1)(jax.random.key(0), 2)
    truth = jax.jit(pairs.solve)(double)["u"]
    with jax.enable_x64(False):
        values = jax.jit(pairs.sample, static_argnums=1)(jax.random.key(0), 2)
        found = jax.jit(pairs.solve)(values)["u"]
        assert values["u"].dtype == found.dtype == "float32"
    np.testing.assert_allclose(values["u"], double["u"], atol=1e-5)
    np.testing.assert_allclose(found, truth, atol=1e-4)


def test_steady_members_with_coefficients_on_a_grid():
    """div(k grad u) + s = 0 of a constant k is the exact solution over it."""
    domain = Poisson().domain
    grid = Grid(domain, {a: (Chebyshev(), 13) for a in "xy"})
    family = Family(Poisson(), grid, (), ("conductivity",))
    pairs = Pairs(family, {}, Steady(n=13, schemes=Chebyshev()), grid)
    k = jnp.asarray([1.0, 4.0])
    found = pairs.solve({"conductivity": k[:, None, None] * jnp.ones((1, 13, 13))})["u"]
    exact = Poisson().exact({a: jnp.asarray(c) for a, c in grid.coordinates.items()})["u"]
    np.testing.assert_allclose(found[0], exact, atol=1e-7)
    np.testing.assert_allclose(found[1], exact / 4.0, atol=1e-7)


def test_the_method_of_lines_from_sampled_states():
    """sin(pi x) and sin(2 pi x) decay with their own rates between fixed walls."""
    grid = Grid(Heat().domain, {"x": (Chebyshev(), 17)})
    family = Family(Heat(), grid, ("u",))
    lines = Lines(n=17, schemes=Chebyshev(), solver="implicit", rtol=1e-8)
    x = grid.nodes["x"]
    waves = np.stack([np.sin(np.pi * x), np.sin(2 * np.pi * x)])
    found = jax.jit(Pairs(family, {}, lines, grid).solve)({"u": jnp.asarray(waves)})["u"]
    decay = np.exp(-0.1 * (np.pi * np.asarray([1.0, 2.0])) ** 2)
    np.testing.assert_allclose(found, decay[:, None] * waves, atol=1e-6)


def test_inputs_that_do_not_fit_say_where():
    pairs = ring()
    wrong = Pairs(
        pairs.family, {**pairs.inputs, "u": GaussianField(1.0, 1.0, 0.4)}, SOLVER, pairs.grid
    )
    with pytest.raises(PinnlabError, match=r"GaussianField.alpha=0.4"):
        wrong.sample(jax.random.key(0), 1)
    uneven = Grid(RING, {"t": (FiniteDifference(2), 8), "x": (Fourier(), 8)})
    with pytest.raises(PinnlabError, match="lies between two steps"):
        jax.eval_shape(ring(out=uneven).solve, {"u": jnp.ones((1, 32))})
