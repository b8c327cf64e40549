"""Symmetries are found where the equation has them, and nowhere else."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pinnlab.core import Axis, Domain
from pinnlab.core.grid import FiniteDifference, Fourier, Grid
from pinnlab.core.parameters import Profile
from pinnlab.equations import Burgers, Poisson
from pinnlab.equations.family import Family
from pinnlab.models.operator import OperatorModel
from pinnlab.models.symmetries import Symmetry, symmetries
from pinnlab.networks import DeepOnet, Fno


def square(n=8, m=8, scheme=None):
    equation = Poisson(source=1.0)
    scheme = scheme or FiniteDifference(2)
    grid = Grid(equation.domain, {"x": (scheme, n), "y": (scheme, m)})
    return Family(equation, grid, parameters=("conductivity",)), grid


def test_the_square_has_eight():
    family, grid = square()
    found = symmetries(family, grid)
    assert len(found) == 8 and found[0] == Symmetry(("x", "y"))


def test_a_rectangle_of_nodes_has_four():
    family, grid = square(8, 9)
    found = symmetries(family, grid)
    assert {s.order for s in found} == {("x", "y")} and len(found) == 4


def test_a_source_that_is_not_symmetric_leaves_less():
    equation = Poisson(source=Profile("x", (0.0, 1.0), (1.0, 2.0)))
    scheme = FiniteDifference(2)
    grid = Grid(equation.domain, {"x": (scheme, 8), "y": (scheme, 8)})
    family = Family(equation, grid, parameters=("conductivity",))
    assert symmetries(family, grid) == (Symmetry(("x", "y")), Symmetry(("x", "y"), ("y",)))


def test_a_flow_has_a_direction():
    """u u_x + u_xx changes its sign in one part only under x -> -x."""
    equation = Burgers(
        domain=Domain(t=Axis(0, 1, "s"), x=Axis(0, 1, "m", periodic=True)),
    )
    grid = Grid(equation.domain, {"x": (Fourier(), 8)})
    assert len(symmetries(Family(equation, grid, initial=("u",)), grid)) == 1


@pytest.mark.parametrize("periodic", [False, True])
def test_a_mirror_moves_values_to_the_mirrored_nodes(periodic):
    domain = Domain(x=Axis(0, 2, periodic=periodic), y=Axis(0, 2, periodic=periodic))
    scheme = Fourier() if periodic else FiniteDifference(2)
    grid = Grid(domain, {"x": (scheme, 6), "y": (scheme, 6)})
    x, y = (grid.coordinates[a] for a in "xy")

    def wave(x, y):
        return jnp.asarray(np.sin(np.pi * x) + np.cos(np.pi * y) * np.sin(0.5 + np.pi * x))

    moved = Symmetry(("y", "x"), ("x",)).on(wave(x, y), grid)
    np.testing.assert_allclose(moved, wave(y + 0 * x, 2 - x + 0 * y), atol=1e-12)


@pytest.mark.parametrize("nodes", [(8, 8), (8, 12)])
def test_a_model_with_symmetries_commutes_with_them(nodes):
    """Whatever its parameters, on any grid, with the images that fit this."""
    family, grid = square()
    network = Fno(6, 1, 2, transform="dft")
    model = OperatorModel(network, family.names, grid, symmetries=symmetries(family, grid))
    here = Grid(
        grid.domain, {a: (FiniteDifference(2), n) for a, n in zip("xy", nodes, strict=True)}
    )
    family = replace(family, grid=here)
    values = jnp.asarray(np.random.default_rng(0).uniform(1.0, 2.0, nodes))
    params = model.init(jax.random.key(0), family.member({"conductivity": values}))

    def solved(made, values):
        return made.apply(params, family.member({"conductivity": values}), here)["u"]

    fitting = [s for s in model.symmetries if s.fits(here)]
    assert len(fitting) == (8 if nodes[0] == nodes[1] else 4)
    for symmetry in fitting:
        moved, answer = symmetry.on(values, here), symmetry.on(solved(model, values), here)
        np.testing.assert_allclose(solved(model, moved), answer, atol=1e-12)
        np.testing.assert_allclose(symmetry.back(moved, here), values)
    plain = solved(model.single(), values)
    assert float(jnp.abs(solved(model, values) - plain).max()) > 1e-3 * float(jnp.abs(plain).max())


def test_sensors_are_moved_as_well():
    family, grid = square()
    network = DeepOnet(width=8, depth=1, products=4)
    model = OperatorModel(network, family.names, grid, symmetries=symmetries(family, grid))
    values = jnp.asarray(np.random.default_rng(0).uniform(1.0, 2.0, (8, 8)))
    member = family.member({"conductivity": values})
    params = model.init(jax.random.key(0), member)
    for symmetry in model.symmetries:
        moved = family.member({"conductivity": symmetry.on(values, grid)})
        answer = symmetry.on(model.apply(params, member)["u"], grid)
        np.testing.assert_allclose(model.apply(params, moved)["u"], answer, atol=1e-12)
