"""Time windows: the equation in one, the state that is handed over, and the reading of all."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pinnlab.core import (
    Axis,
    Coefficient,
    Dirichlet,
    Domain,
    Function,
    Initial,
    PinnlabError,
    PointField,
    Variable,
    Variables,
    parameter,
)
from pinnlab.equations.base import Equation, equation
from pinnlab.equations.canonical.kuramoto_sivashinsky import KuramotoSivashinsky
from pinnlab.equations.canonical.wave import Wave
from pinnlab.equations.window import window
from pinnlab.models import Model
from pinnlab.models.windows import (
    WindowedReading,
    bases,
    blank,
    edges,
    handed_over,
    lengths,
)
from pinnlab.networks import MLP


@equation
class Driven(Equation):
    """u_t = (k(t) u_x)_x + t x with a wall that moves in time."""

    k: Coefficient = parameter(1.0, "1")
    domain: Domain = Domain(t=Axis(2, 5), x=Axis(0, 1))
    variables: Variables = Variables(u=Variable("u"))

    def rhs(self, f):
        x = f.coordinates
        return {"u": f(lambda f: f(self.k) * f("u", x=1), x=1) + x["t"] * x["x"]}

    def conditions(self):
        return [
            Initial(u=lambda x: jnp.sin(x["t"])),
            Dirichlet("x", "lower", u=lambda x: jnp.sin(x["t"])),
        ]


def late(params, x):
    return 1.0 + x["t"] * x["x"]


def test_a_window_is_the_equation_at_the_time_that_it_is():
    whole = Driven(k=Function(late))
    one = window(whole, 1.0).replace(shift=jnp.float64(1.5))

    def truth(x):
        return {"u": jnp.sin(x["t"]) * jnp.cos(2 * x["x"])}

    def inside(x):
        return truth({**x, "t": x["t"] + 1.5})

    point = {"t": jnp.float64(2.3), "x": jnp.float64(0.4)}
    there = {**point, "t": point["t"] + 1.5}
    names = whole.variables.names
    expected = whole.residual(PointField(truth, there, whole.domain, names))["u"]
    found = one.residual(PointField(inside, point, one.domain, names))["u"]
    assert float(found) == pytest.approx(float(expected), rel=1e-12) and abs(found) > 0.1
    _, wall = one.conditions()
    assert float(wall.values["u"].at(point)) == pytest.approx(np.sin(3.8))
    assert wall.fixes_value and (one.domain["t"].lower, one.domain["t"].upper) == (2.0, 3.0)
    assert one.replace(k=4.0).whole.k == 4.0
    one.check()


@pytest.mark.parametrize("eq", [Wave(), KuramotoSivashinsky()], ids=["wave", "ks"])
def test_the_state_is_handed_over_with_its_derivatives(eq):
    """What the next window starts from is what the last one ended with, to the fourth derivative
    where the equation has it; u_tt and beyond are the equation's own."""
    model, axes = Model(MLP(8, 2)), bases(eq)
    first, later = window(eq, 0.2), blank(eq, 0.2, axes)
    params = model.init(jax.random.key(1), first, jnp.float64)
    states, error = handed_over(model, first, params, axes)
    assert float(error) < 1e-11
    later = later.replace(shift=jnp.float64(0.2), states=states)
    other = model.init(jax.random.key(2), first, jnp.float64)
    orders = [{}, {"x": 1}, {"x": 2}]
    orders += [{"t": 1}, {"t": 1, "x": 2}] if eq.variables["u"].order == 2 else [{"x": 4}]

    @jax.jit
    @jax.vmap
    def before_and_after(x):
        end, start = (
            {"t": jnp.float64(t), "x": x}
            for t in (first.domain["t"].upper, later.domain["t"].lower)
        )
        before, after = model.field(params, first, end), model.field(other, later, start)
        return [before("u", **o) for o in orders], [after("u", **o) for o in orders]

    places = jnp.asarray([eq.domain["x"].lower, 0.123, 0.9])
    for order, old, new in zip(orders, *before_and_after(places), strict=True):
        np.testing.assert_allclose(new, old, atol=1e-12 * 100.0 ** order.get("x", 0))


def test_each_time_is_answered_by_its_window():
    eq, model = Driven(), Model(MLP(4, 1))
    ends = edges(eq, [2.5, 4.0])
    assert ends == (2.0, 2.5, 4.0, 5.0) and lengths(ends) == [0.5, 1.5, 1.0]
    axes = bases(eq, 33)
    params = []
    for k, length in enumerate(lengths(ends)[:2]):
        given = {}
        if k:
            problem = window(eq, lengths(ends)[0])
            states, _ = handed_over(model, problem, params[0]["network"], axes)
            given = {"shift": jnp.float64(0.5), "states": states}
        network = model.init(jax.random.key(k), window(eq, length), jnp.float64)
        params.append({"network": network, "equation": given})
    reading = WindowedReading(eq, model, params, 1, ends)
    x = np.linspace(0, 1, 5)
    assert not reading.complete and reading.reached == 4.0
    below, above = (reading("u", t=t, x=x) for t in (np.nextafter(2.5, 0), 2.5))
    np.testing.assert_allclose(below, above, atol=1e-11)
    assert np.isnan(reading("u", t=[4.0, 5.0], x=0.5)).all()
    np.testing.assert_allclose(reading("u", t=[2.2, 3.1], x=0.0), np.sin([2.2, 3.1]), atol=1e-14)
    # the residual and functions of the field know the time that it is
    field = reading(lambda f: f("u", t=1) - f("u", x=2) - f.coordinates["t"] * 0.5, t=3.1, x=0.5)
    assert reading.residual("u", t=3.1, x=0.5) == pytest.approx(field * 1.5, rel=1e-10)


def test_windows_of_one_length_are_one():
    assert len(set(lengths(edges(Driven(), 7)))) == 1
    assert edges(Driven(), [3, 5]) == (2.0, 3, 5.0)


@pytest.mark.parametrize("given", [0, [1.0], [3.0, 3.0], [6.0]])
def test_windows_that_do_not_fit(given):
    with pytest.raises(PinnlabError, match="windows: "):
        edges(Driven(), given)
