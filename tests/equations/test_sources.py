"""Sources of the steady equations: the sines of their closed form, or any coefficient."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from point_reading import random_points, read

from pinnlab.core import Function, PinnlabError
from pinnlab.core.grid import Chebyshev, Grid
from pinnlab.core.gridfield import GridField
from pinnlab.equations import Helmholtz, Poisson
from pinnlab.equations.family import Family
from pinnlab.models.storage import load_reading, save_reading


def wave(x):
    """sin(pi x) sin(2 pi y), which vanishes on the sides of both domains."""
    return jnp.sin(jnp.pi * x["x"]) * jnp.sin(2 * jnp.pi * x["y"])


def poisson_source(kappa, x):
    return 5 * jnp.pi**2 * kappa * wave(x)


def helmholtz_source(k, x):
    return (k**2 - 5 * jnp.pi**2) * wave(x)


CASES = {
    "poisson": Poisson(conductivity=0.3, source=Function(poisson_source, 0.3)),
    "helmholtz": Helmholtz(k=2.5, source=Function(helmholtz_source, 2.5)),
}
cases = pytest.mark.parametrize("equation", CASES.values(), ids=list(CASES))


@cases
def test_a_source_makes_its_own_solution(equation):
    points = random_points(equation.domain)
    rows = read(equation, lambda x: {"u": wave(x)}, points)["u"]
    assert np.max(np.abs(rows)) < 1e-11
    without = read(equation.replace(source=None), lambda x: {"u": wave(x)}, points)["u"]
    assert np.max(np.abs(without)) > 1.0


@cases
def test_only_the_source_of_sines_has_a_closed_form(equation):
    points = random_points(equation.domain)
    assert equation.exact(points) is None
    assert equation.replace(source=1.0).exact(points) is None
    assert equation.replace(source=None).exact(points)["u"].shape == (len(points["x"]),)


def test_flow_between_walls_that_a_constant_source_drives():
    """u = x (1 - x) / (2 kappa) solves it on every line, whatever its sides along y."""
    equation = Poisson(conductivity=4.0, source=1.0)
    rows = read(equation, lambda x: {"u": x["x"] * (1 - x["x"]) / 8}, random_points(Poisson.domain))
    assert np.max(np.abs(rows["u"])) < 1e-13


@cases
def test_a_sampled_source_is_an_input_of_a_family(equation):
    """On a spectral grid the wave solves the member with the source's values at the nodes."""
    grid = Grid(equation.domain, {axis: (Chebyshev(), 26) for axis in equation.domain.space})
    x = {a: jnp.asarray(c) for a, c in grid.coordinates.items()}
    family = Family(equation.replace(source=None), grid, parameters=("source",))

    def residual(values):
        field = GridField(grid, {"u": wave(x)})
        return family.member({"source": values}).residual(field)["u"]

    right = jnp.broadcast_to(equation.source.at(x), grid.shape)
    made = jax.jit(jax.vmap(residual))(jnp.stack([right, right + 1.0]))
    np.testing.assert_allclose(made[0], 0.0, atol=1e-8)
    np.testing.assert_allclose(abs(made[1]), 1.0, atol=1e-8)


@cases
def test_equations_without_a_source_are_stored(equation, tmp_path):
    for made in (equation, equation.replace(source=None), equation.replace(source=2.0)):
        save_reading(made, tmp_path / "made.safetensors", {})
        again, _ = load_reading(tmp_path / "made.safetensors")
        points = random_points(made.domain)
        before, after = (read(e, lambda x: {"u": wave(x)}, points)["u"] for e in (made, again))
        np.testing.assert_allclose(after, before, rtol=1e-14)
    with pytest.raises(PinnlabError, match=r"equation\.source: 'much' is not a number"):
        type(equation)(source="much")
