"""Terms have names of their own, since weights and batches go by them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pinnlab.core import Axis, Dirichlet, Domain, Initial, PinnlabError, Variable, Variables
from pinnlab.equations import Heat
from pinnlab.equations.base import Equation, equation
from pinnlab.models import Model
from pinnlab.networks import MLP
from pinnlab.optimizers import LevenbergMarquardt
from pinnlab.terms import Problem, default_terms
from pinnlab.terms.residual import ResidualTerm


@equation
class Pair(Equation):
    """Two heats side by side, each variable with conditions of its own."""

    domain: Domain = Domain(t=Axis(0, 1), x=Axis(0, 1))
    variables: Variables = Variables(u=Variable("u"), v=Variable("v"))

    def rhs(self, f):
        return {name: f(name, x=2) for name in ("u", "v")}

    def conditions(self):
        return [
            Initial(u=0.0), Initial(v=1.0), Dirichlet("x", u=0.0), Dirichlet("x", "lower", v=1.0)
        ]  # fmt: skip


def test_conditions_of_two_variables_at_one_place_are_two_terms():
    pair, model = Pair(), Model(MLP(4, 1), exact=False)
    problem = Problem(pair, model, default_terms(pair, model))
    assert list(problem.by_name) == [
        "residual", "initial_0", "initial_0_v",
        "boundary_x_lower", "boundary_x_upper", "boundary_x_lower_v",
    ]  # fmt: skip
    params = problem.init(jax.random.key(0))
    point = {"t": jnp.zeros(1), "x": jnp.full(1, 0.3)}
    x = {a: v[0] for a, v in point.items()}
    values = model.apply(params["network"], pair, x)
    rows = [problem.raw(name, params, point)[0, 0] for name in ("initial_0", "initial_0_v")]
    np.testing.assert_allclose(rows, [values["u"], values["v"] - 1.0], rtol=1e-12)


def test_one_name_for_two_terms_is_refused():
    heat, model = Heat(), Model(MLP(4, 1))
    with pytest.raises(PinnlabError, match="two are called 'residual'; give each a name"):
        Problem(heat, model, [ResidualTerm(heat), ResidualTerm(heat)])


def test_a_term_twice_is_a_singular_problem_that_still_descends():
    heat, model = Heat(), Model(MLP(4, 1))
    again = ResidualTerm(heat, "again")
    problem = Problem(heat, model, [ResidualTerm(heat), again])
    params = problem.init(jax.random.key(0))
    points = again.place(jax.random.uniform(jax.random.key(1), (30, 2)))
    batch, weights = dict.fromkeys(problem.by_name, points), {"residual": 1.0, "again": 1.0}
    method = LevenbergMarquardt()
    step = jax.jit(lambda p, s: method.step(problem, p, s, batch, weights))
    state, losses = method.init(params), []
    for _ in range(30):
        params, state, loss = step(params, state)
        losses.append(float(loss))
    assert np.all(np.diff(losses) <= 0.0) and losses[-1] < 1e-4 * losses[0]
