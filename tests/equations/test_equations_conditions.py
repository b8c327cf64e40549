"""Conditions that contradict: refused where they are stated twice, warned of at corners."""

import re
import warnings

import jax.numpy as jnp
import pytest

import pinnlab.equations as equations
from pinnlab.core import (
    Axis,
    Dirichlet,
    Domain,
    Initial,
    Neumann,
    PinnlabError,
    Robin,
    Variable,
    Variables,
)
from pinnlab.core.corners import disagreements
from pinnlab.core.errors import PinnlabWarning
from pinnlab.equations import Heat
from pinnlab.equations.base import equation

BOX = Domain(t=Axis(0, 2, "s"), x=Axis(-1, 1, "m"), y=Axis(0, 3, "m"))
TEMPERATURE = Variables(T=Variable("temperature", "K", scale=10.0, offset=280.0))
TWO = Variables(u=Variable("u"), v=Variable("v"))


def heat_with(*given, periodic=False):
    @equation
    class Given(Heat):
        domain: Domain = Domain(t=Axis(0, 1, "s"), x=Axis(0, 1, "m", periodic=periodic))

        def conditions(self):
            return list(given)

    return Given()


@pytest.mark.parametrize(
    ("given", "periodic", "said"),
    [
        (
            [Initial(u=0.0), Dirichlet("x", u=0.0), Dirichlet("x", "upper", u=1.0)],
            False,
            "conditions: two conditions on 'u' at x upper; keep one of them",
        ),
        ([Initial(u=0.0), Initial(u=1.0)], False, "two conditions on 'u' at initial 0; keep one"),
        (
            [Dirichlet("x", "lower", u=0.0)],
            True,
            "periodic axis 'x', which has no wall; take it out, or make the axis periodic=False",
        ),
        ([Dirichlet("t", u=0.0)], False, "time axis 't'; Initial(...) gives what holds"),
    ],
)
def test_what_is_said_twice_is_refused_with_its_place_and_a_remedy(given, periodic, said):
    with pytest.raises(PinnlabError, match=re.escape(said)):
        heat_with(*given, periodic=periodic).check()


def test_the_largest_difference_at_a_corner_is_found_with_its_place():
    def start(x):
        return 280.0 + x["x"] + x["y"] ** 2

    found = disagreements([Initial(T=start), Dirichlet("x", "upper", T=281.0)], BOX, TEMPERATURE)
    assert len(found) == 1
    assert "'T' is given two values at t = 0 s, x = 1 m, y = 3 m: " in found[0]
    assert "290 K (initial) and 281 K (x upper)" in found[0]


def test_walls_of_two_axes_meet_too():
    steady = Domain(x=Axis(0, 1, "m"), y=Axis(0, 1, "m"))
    one = Variables(u=Variable("u", order=0))
    walls = [Dirichlet("x", u=lambda x: x["y"]), Dirichlet("y", u=lambda x: 2.0 * x["x"])]
    found = disagreements(walls, steady, one)
    # at the four corners the walls of x give (0, 1, 0, 1), those of y (0, 0, 2, 2)
    assert len(found) == 3
    assert any("x = 1 m, y = 0 m: 0 (x upper) and 2 (y lower)" in f for f in found)


def test_other_variables_fluxes_rates_and_rounding_do_not_disagree():
    sine = Initial(u=lambda x: -jnp.sin(jnp.pi * x["x"]))  # 1e-16 at the wall
    assert disagreements([sine, Dirichlet("x", u=0.0)], BOX, TWO) == []
    assert disagreements([Initial(u=1.0), Dirichlet("x", v=0.0)], BOX, TWO) == []
    assert disagreements([Initial(u=1.0), Neumann("x", u=0.0)], BOX, TWO) == []
    assert disagreements([Initial(u=1.0), Robin("x", a=1.0, b=2.0, u=0.0)], BOX, TWO) == []
    assert disagreements([Initial(1, u=1.0), Dirichlet("x", u=0.0)], BOX, TWO) == []


def test_a_wall_that_moves_is_compared_at_the_start():
    def wall(x):
        return jnp.cos(x["t"])

    assert disagreements([Initial(u=1.0), Dirichlet("x", u=wall)], BOX, TWO) == []
    assert len(disagreements([Initial(u=0.5), Dirichlet("x", u=wall)], BOX, TWO)) == 2


@pytest.mark.parametrize("name", list(equations.available()))
def test_no_equation_of_ours_disagrees_with_itself(name):
    with warnings.catch_warnings():
        warnings.simplefilter("error", PinnlabWarning)
        getattr(equations, name)().warn_of_corners()
