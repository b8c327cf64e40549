"""Symmetries are found where the equation has them, and nowhere else."""

import jax.numpy as jnp
import numpy as np
import pytest

from pinnlab.core import Axis, Domain
from pinnlab.core.grid import FiniteDifference, Fourier, Grid
from pinnlab.core.parameters import Profile
from pinnlab.equations import Burgers, Poisson
from pinnlab.equations.family import Family
from pinnlab.terms.symmetries import Symmetry, symmetries


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
