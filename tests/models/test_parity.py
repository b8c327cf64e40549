"""Parity holds for any parameters, and is refused where the equation does not have it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pinnlab.core import Axis, Domain, PinnlabError
from pinnlab.core.parameters import Profile
from pinnlab.equations import AllenCahn, Burgers, Heat, KortewegDeVries, Poisson
from pinnlab.models import Model
from pinnlab.models.parity import check_parity
from pinnlab.networks import MLP


def values(model, equation, params, **point):
    return model.apply(params, equation, {a: jnp.asarray(v) for a, v in point.items()})


@pytest.mark.parametrize(
    ("equation", "kind", "sign"), [(Burgers(), "odd", -1.0), (AllenCahn(), "even", 1.0)]
)
def test_a_solution_is_even_or_odd_about_the_middle(equation, kind, sign):
    model = Model(MLP(8, 2), parity={"x": kind})
    params = model.init(jax.random.key(0), equation)
    for t, x in ((0.0, 0.3), (0.4, 0.7), (1.0, 0.99)):
        here, there = (values(model, equation, params, t=t, x=s)["u"] for s in (x, -x))
        assert float(here) == pytest.approx(sign * float(there), abs=1e-13)
    check_parity(model, equation)
    plain = Model(MLP(8, 2))
    apart = [values(plain, equation, params, t=0.4, x=s)["u"] for s in (0.7, -0.7)]
    assert abs(float(apart[0]) - sign * float(apart[1])) > 1e-3


def test_several_axes_at_once():
    equation = Poisson(source=1)
    model = Model(MLP(8, 2), parity={"x": "even", "y": {"u": "even"}})
    check_parity(model, equation)
    domain = equation.domain
    start = model.init(jax.random.key(0), equation)
    params = jax.tree.map(lambda leaf: leaf + 0.1, start)  # without biases it is odd, and vanishes
    ends = {a: domain[a].lower + domain[a].upper for a in "xy"}
    here = values(model, equation, params, x=0.2, y=0.7)["u"]
    there = [
        values(model, equation, params, x=x, y=y)["u"]
        for x in (0.2, ends["x"] - 0.2)
        for y in (0.7, ends["y"] - 0.7)
    ]
    np.testing.assert_allclose(jnp.stack(there), here, rtol=1e-12)
    assert abs(float(here)) > 1e-3


@pytest.mark.parametrize(
    ("equation", "parity", "message"),
    [
        (Burgers(), {"x": "even"}, "symmetric"),  # u u_x turns its sign, u_t does not
        (KortewegDeVries(), {"x": "even"}, "symmetric"),
        (Poisson(source=Profile("x", (0.0, 1.0), (1.0, 2.0))), {"x": "even"}, "symmetric"),
        (Heat(), {"t": "even"}, "axis"),
        (Heat(), {"x": "uneven"}, "parity"),
        (Heat(), {"x": {}}, "say whether u"),
        (Heat(), {"x": {"v": "odd"}}, "variable"),
    ],
)
def test_what_the_equation_does_not_have_is_refused(equation, parity, message):
    with pytest.raises(PinnlabError, match=message):
        check_parity(Model(MLP(4, 1), parity=parity), equation)


def test_a_condition_that_is_not_symmetric_is_seen_without_exact_conditions():
    equation = Burgers(domain=Domain(t=Axis(0, 1), x=Axis(0, 1.5)))
    with pytest.raises(PinnlabError, match="symmetric"):
        check_parity(Model(MLP(4, 1), exact=False, parity={"x": "odd"}), equation)
