"""Families: a member is the equation that one would have written by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pinnlab.core import (
    Axis,
    Coefficient,
    Dirichlet,
    Domain,
    Initial,
    PinnlabError,
    Robin,
    Variable,
    Variables,
    parameter,
)
from pinnlab.core.closure import close
from pinnlab.core.grid import Chebyshev, FiniteDifference, Fourier, Grid
from pinnlab.core.gridfield import GridField
from pinnlab.core.parameters import evaluate
from pinnlab.core.sampled import Sampled
from pinnlab.equations.base import Equation, equation
from pinnlab.equations.canonical.burgers import Burgers
from pinnlab.equations.canonical.heat import Heat
from pinnlab.equations.canonical.wave import Wave
from pinnlab.equations.family import Family, Started, given, on_grid

RING = Domain(t=Axis(0, 1), x=Axis(-1, 1, periodic=True))
GRID = Grid(RING, {"x": (Fourier(), 16)})
X = GRID.nodes["x"]
STATE = np.exp(np.sin(np.pi * X))
VALUES = {"u": STATE, "nu": np.asarray(0.05)}  # arrays of JAX would be of single precision here


@equation
class ByHand(Burgers):
    """Burgers' equation with the state as a function of its own."""

    domain: Domain = RING

    def conditions(self):
        return [Initial(u=lambda x: jnp.exp(jnp.sin(jnp.pi * x["x"])))]


@equation
class Wall(Equation):
    """u_t = (k u_x)_x with k u_x = h (a - u) at the walls."""

    k: Coefficient = parameter(1.0, "1", bounds=(0.0, 10.0))
    a: Coefficient = parameter(2.0, "1")
    domain: Domain = Domain(t=Axis(0, 1), x=Axis(0, 1))
    variables: Variables = Variables(u=Variable("u", scale=3.0))

    def rhs(self, f):
        return {"u": f(lambda f: f(self.k) * f("u", x=1), x=1)}

    def conditions(self):
        return [Initial(u=lambda x: 1.0 + x["x"]), Robin("x", a=1.0, b=self.k, u=self.a)]


def burgers_family(**names):
    return Family(Burgers(nu=0.1, domain=RING), GRID, **names)


def field(grid, **more):
    """In space and time; sin(2 t) exp(cos pi x) is no solution."""
    x, t = grid.coordinates["x"], grid.coordinates["t"]
    return GridField(grid, {"u": jnp.asarray(np.sin(2 * t) * np.exp(np.cos(np.pi * x)))}, **more)


def test_the_residual_is_that_of_the_equation_by_hand():
    member = burgers_family(initial=("u",), parameters=("nu",)).member(VALUES)
    hand = ByHand(nu=0.05)
    f = field(Grid(RING, {"t": (Chebyshev(), 9), "x": (Fourier(), 20)}))
    np.testing.assert_array_equal(member.residual(f)["u"], hand.residual(f)["u"])
    x, t = f.grid.coordinates["x"], f.grid.coordinates["t"]
    e, s = np.exp(np.cos(np.pi * x)), np.sin(np.pi * x)
    u, slope = np.sin(2 * t) * e, -np.pi * s * np.sin(2 * t) * e
    bend = np.pi**2 * (s**2 - np.cos(np.pi * x)) * np.sin(2 * t) * e
    expected = 2 * np.cos(2 * t) * e + u * slope - 0.05 * bend
    np.testing.assert_allclose(member.residual(f)["u"], expected, atol=1e-5)
    assert member.residual_scale("u") == hand.residual_scale("u")
    assert member.conserved() == ("u",) and member.variables == hand.variables
    assert member.slots() == hand.slots()
    member.check()


def test_the_conditions_are_those_of_the_equation_by_hand():
    member = burgers_family(initial=("u",)).member({"u": VALUES["u"]})
    x = {"t": jnp.asarray(0.0), "x": jnp.linspace(-1, 1, 7)}
    found = evaluate(given(member, "u"), x)
    np.testing.assert_allclose(found, jnp.exp(jnp.sin(jnp.pi * x["x"])), atol=1e-5)
    assert [c.values.keys() for c in member.conditions() if isinstance(c, Initial)] == [{"u"}]
    # walls stay as they are
    walled = Family(Burgers(), Grid(Burgers().domain, {"x": (FiniteDifference(4), 16)}), ("u",))
    walls = walled.member({"u": jnp.zeros(16)}).conditions()
    assert Dirichlet("x", u=0.0) in walls and len(walls) == 2


def test_rates_are_kept_where_only_the_state_is_another():
    whole = Wave()
    grid = Grid(whole.domain, {"x": (FiniteDifference(4), 33)})
    member = Family(whole, grid, ("u",)).member({"u": jnp.asarray(grid.nodes["x"] ** 2)})
    x = {"t": jnp.asarray(0.0), "x": jnp.linspace(0.1, 0.9, 5)}

    def rate(equation):
        (c,) = (c for c in equation.conditions() if isinstance(c, Initial) and c.order == 1)
        return evaluate(c.values["u"], x)

    np.testing.assert_array_equal(rate(member), rate(whole))
    np.testing.assert_allclose(evaluate(given(member, "u"), x), x["x"] ** 2, atol=1e-12)
    member.check()


def test_parameters_may_be_functions():
    """With kappa sampled, kappa u_xx + kappa_x u_x."""
    domain = Domain(t=Axis(0, 1), x=Axis(0, 2, periodic=True))
    grid = Grid(domain, {"x": (Fourier(), 24)})
    x = grid.coordinates["x"]
    kappa = 2.0 + np.sin(np.pi * x)
    member = Family(Heat(domain=domain), grid, (), ("diffusivity",)).member(
        {"diffusivity": jnp.asarray(kappa)}
    )
    assert isinstance(member, Heat) and isinstance(given(member, "diffusivity"), Sampled)
    f = GridField(grid, {"u": jnp.asarray(np.cos(np.pi * x))}, 0.5)
    slope, bend = -np.pi * np.sin(np.pi * x), -(np.pi**2) * np.cos(np.pi * x)
    expected = kappa * bend + np.pi * np.cos(np.pi * x) * slope
    np.testing.assert_allclose(member.rhs(f)["u"], expected, atol=1e-11)


def test_replace_reaches_the_parameters_of_the_whole():
    member = burgers_family(initial=("u",)).member({"u": VALUES["u"]})
    other = member.replace(nu=0.7)
    assert (given(other, "nu"), given(member, "nu")) == (0.7, 0.1)
    assert isinstance(other, Started) and given(other, "u") is given(member, "u")
    flat = member.replace(states={"u": 1.0})
    assert given(flat, "u") == 1.0 and given(flat, "nu") == 0.1
    with pytest.raises(PinnlabError, match=r"equation.nu: 5 is outside"):
        member.replace(nu=5.0)
    # and the domain to the whole, whose conditions depend on it
    walled = Family(Burgers(), Grid(Burgers().domain, {"x": (FiniteDifference(4), 16)}), ("u",))
    closed = walled.member({"u": jnp.zeros(16)})
    assert Dirichlet("x", u=0.0) in closed.conditions()
    ring = closed.replace(domain=RING)
    assert ring.domain == ring.whole.domain == RING
    assert all(isinstance(c, Initial) for c in ring.conditions())


def test_members_are_pytrees_of_what_differs():
    family = burgers_family(initial=("u",), parameters=("nu",))
    f = field(Grid(RING, {"t": (Chebyshev(), 5), "x": (Fourier(), 16)}))

    def size(values):
        return jnp.sum(family.member(values).residual(f)["u"] ** 2)

    member = family.member(VALUES)
    assert sorted(leaf.shape for leaf in jax.tree.leaves(member)) == [(), (16,)]
    again = jax.tree.unflatten(jax.tree.structure(member), jax.tree.leaves(member))
    np.testing.assert_array_equal(again.residual(f)["u"], member.residual(f)["u"])
    many = {"u": jnp.stack([VALUES["u"]] * 3), "nu": jnp.asarray([0.01, 0.05, 0.2])}
    sizes = jax.jit(jax.vmap(size))(many)
    for i in range(3):
        one = size({n: v[i] for n, v in many.items()})
        assert float(sizes[i]) == pytest.approx(float(one), rel=1e-12)
    slope = jax.grad(lambda e: jnp.sum(e.residual(f)["u"] ** 2))(member)
    step = 1e-5
    up, down = (size({**VALUES, "nu": jnp.asarray(0.05 + s)}) for s in (step, -step))
    assert float(slope.whole.nu) == pytest.approx(float((up - down) / (2 * step)), rel=1e-7)
    assert not np.any(slope.states["u"].values)  # the residual does not know of the start


def test_initial_values_may_be_numbers():
    member = burgers_family(initial=("u",)).member({"u": jnp.asarray(0.3)})
    assert float(evaluate(given(member, "u"), {"t": 0.0, "x": jnp.zeros(2)})) == 0.3
    member.check()


@pytest.mark.parametrize("scheme", [FiniteDifference(4), Chebyshev()])
def test_on_a_grid_what_conditions_say_is_the_same_without_interpolating(scheme):
    """A wall that asks for a sampled conductivity, where the grid closes it."""
    domain = Wall().domain
    grid = Grid(domain, {"x": (scheme, 17)})
    fine = grid.refined(2)
    k = 1.0 + fine.nodes["x"] ** 2
    family = Family(Wall(), fine, (), ("k",))
    member = family.member({"k": jnp.asarray(k)})
    laid = on_grid(member, grid.nodes)
    x = {"t": jnp.asarray(0.0), **{a: jnp.asarray(v) for a, v in grid.coordinates.items()}}
    np.testing.assert_allclose(evaluate(laid.k, x), 1.0 + grid.nodes["x"] ** 2, atol=1e-12)
    u = {"u": jnp.asarray(np.cos(grid.nodes["x"]))}
    values = close(grid, laid.conditions(), u)["u"]
    np.testing.assert_allclose(values, close(grid, member.conditions(), u)["u"], atol=1e-12)
    slope = scheme.ends(domain["x"], 17) @ np.asarray(values)
    np.testing.assert_allclose(float(values[0]) - slope[0], 2.0, atol=1e-9)  # k = 1
    np.testing.assert_allclose(float(values[-1]) + 2.0 * slope[1], 2.0, atol=1e-9)  # k = 2


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ({}, "operator: nothing differs between its instances"),
        ({"initial": ("v",)}, r"variable \(operator.initial\) 'v'.*: u"),
        ({"parameters": ("mu",)}, r"parameter \(operator.parameters\) 'mu'.*: nu"),
    ],
)
def test_names_that_do_not_exist(names, said):
    with pytest.raises(PinnlabError, match=said) as error:
        burgers_family(**names)
    assert "\n" not in str(error.value)


def test_an_input_that_a_member_does_not_have():
    member = burgers_family(initial=("u",)).member({"u": VALUES["u"]})
    with pytest.raises(PinnlabError, match="input 'mu'"):
        given(member, "mu")
