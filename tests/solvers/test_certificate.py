"""An error estimated from the residual alone, against errors that are put there by hand."""

import jax.numpy as jnp
import numpy as np
import pytest

from pinnlab.core import (
    Axis,
    Coefficient,
    Dirichlet,
    Domain,
    Initial,
    Neumann,
    Profile,
    Robin,
    Variable,
    Variables,
)
from pinnlab.core.errors import PinnlabError
from pinnlab.core.parameters import parameter
from pinnlab.equations import Advection, Burgers, Heat, Poisson, SoilHeat, Vorticity, Wave
from pinnlab.equations.base import Equation, equation
from pinnlab.solvers.certificate import certify

EVEN = {"t": np.linspace(0, 1, 21), "x": np.linspace(0, 1, 41), "y": np.linspace(0, 1, 41)}


def estimated(solved, put, size=1e-4, name="u"):
    """The estimate for exact + *put*, and what was put, on the tensor of the coordinates."""

    def approximation(params, x):
        return {name: solved.exact(x)[name] + params * put(x)}

    axes = solved.domain.axes
    spans = {a: (solved.domain[a].lower, solved.domain[a].length) for a in axes}
    coordinates = {a: spans[a][0] + spans[a][1] * EVEN[a] for a in axes}
    found = certify(solved, approximation, jnp.asarray(size), coordinates)
    grids = np.meshgrid(*coordinates.values(), indexing="ij")
    x = dict(zip(axes, (jnp.asarray(g) for g in grids), strict=True))
    return found.error[name], size * np.asarray(put(x))


def close(found, true, share):
    return np.linalg.norm(found - true) < share * np.linalg.norm(true)


def bump(x):
    """Zero at first, as its rate, and on both sides of [0, 1]."""
    lump = jnp.exp(-20.0 * (x["x"] - 0.4) ** 2) * x["x"] * (1.0 - x["x"])
    return x["t"] ** 2 * jnp.exp(jnp.sin(3.0 * x["t"])) * lump


def flat_bump(x):
    return jnp.sin(2.0 * jnp.pi * x["x"]) * jnp.sin(jnp.pi * x["y"]) * (1.0 + x["x"])


@equation
class Front(Burgers):
    """Burgers with a travelling front, whose sides move."""

    nu: float = parameter(0.05, "1")
    domain: Domain = Domain(t=Axis(0, 1), x=Axis(0, 1))

    def exact(self, x):
        return {"u": 0.5 - 0.5 * jnp.tanh((x["x"] - 0.2 - 0.5 * x["t"]) / (4 * self.nu))}

    def conditions(self):
        return [
            Initial(u=lambda x: self.exact(x)["u"]),
            Dirichlet("x", u=lambda x: self.exact(x)["u"]),
        ]


def test_an_error_that_is_little_of_what_its_residual_could_make_is_found():
    """A wave against the stream: its residual, added up, would make 300 times as much of it."""
    solved, k = Advection(c=50.0), 3.0

    def against(x):
        return jnp.sin(k * (x["x"] + solved.c * x["t"])) - jnp.sin(k * (x["x"] - solved.c * x["t"]))

    found, true = estimated(solved, against, 1e-9)
    assert close(found, true, 0.02)


@pytest.mark.parametrize(("solved", "size"), [(Heat(), 1e-9), (Wave(), 1e-3)], ids=["heat", "wave"])
def test_an_error_that_grows_in_time_is_found(solved, size):
    """Rounding of a difference would drown the small one."""
    found, true = estimated(solved, bump, size)
    assert close(found, true, 0.02)


def test_a_steady_error_is_found():
    found, true = estimated(Poisson(), flat_bump)
    assert close(found, true, 0.02)


def test_an_error_as_large_as_the_solution_that_violates_its_conditions():
    """It is not zero at first nor on the sides, and its own square counts."""
    found, true = estimated(Front(), lambda x: 1.0 + x["x"] * jnp.cos(3.0 * x["t"]), size=0.3)
    assert close(found, true, 0.02)


@equation
class Rod(Equation):
    """Heat that leaves at one end and is given to the other as a flux."""

    k: Coefficient = parameter(Profile("x", (0.0, 1.0), (0.3, 0.6)), "1")
    domain: Domain = Domain(t=Axis(0, 1), x=Axis(0, 1))
    variables: Variables = Variables(u=Variable("temperature", scale=100.0))

    def rhs(self, f):
        return {"u": f.laplacian("u", self.k) - f("u") ** 3}

    def conditions(self):
        return [
            Initial(u=0.0),
            Neumann("x", "lower", u=0.0),
            Robin("x", "upper", a=2.0, b=0.5, u=0.0),
        ]

    def exact(self, x):
        return {"u": 0.0 * x["t"] * x["x"]}


def test_slopes_on_the_sides_and_a_coefficient_that_varies():
    found, true = estimated(Rod(), lambda x: jnp.cos(2.0 * x["x"]) * jnp.exp(-x["t"]), size=0.5)
    assert close(found, true, 0.02)


def test_a_periodic_axis_is_refined_until_it_resolves():
    def narrow(x):
        return x["t"] * jnp.exp((jnp.cos(x["x"] - 2.0) - 1.0) / 0.01)

    found, true = estimated(Advection(), narrow)
    assert close(found, true, 0.1)


@pytest.mark.parametrize(
    ("solved", "why"),
    [
        (SoilHeat(), "'T' has no initial condition"),
        (Vorticity(), "constraints beside"),
        (Heat(domain=Domain(**{a: Axis(0, 1) for a in "txyz"})), "three space axes"),
    ],
    ids=["data", "constraint", "space"],
)
def test_what_cannot_be_estimated_says_why(solved, why):
    with pytest.raises(PinnlabError, match=why):
        certify(solved, lambda params, x: {}, None, {})
