"""Steps in pseudo time: their direction and length, the branch they choose, and resuming."""

from dataclasses import replace
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.flatten_util import ravel_pytree

from pinnlab.core import Axis, Dirichlet, Domain, Initial, PinnlabError, Variable, Variables
from pinnlab.core.conditions import Observations
from pinnlab.equations.base import Equation, equation
from pinnlab.equations.canonical.heat import Heat
from pinnlab.equations.canonical.wave import Wave
from pinnlab.models import Model
from pinnlab.networks import MLP, Separable
from pinnlab.optimizers import Gradient, LevenbergMarquardt, PseudoTime, soap
from pinnlab.terms import DataTerm, Problem, ResidualTerm, default_terms
from pinnlab.terms.pseudo import states_of
from pinnlab.train import Causal, Checkpoint, Phase, Trainer


@pytest.fixture
def strict():
    with jax.numpy_dtype_promotion("strict"), jax.numpy_rank_promotion("raise"):
        yield


ADAM, LM = Gradient(optax.adam(1e-2), chunk=4), LevenbergMarquardt(acceleration=0.0, chunk=4)


class Mode(nn.Module):
    """a sin(pi x) on the unit interval: one parameter."""

    outputs: int = 1

    @nn.compact
    def __call__(self, x: Any) -> Any:
        a = self.param("a", lambda key: jnp.full((), 3.0))
        return a * jnp.cos(0.5 * jnp.pi * x)


@equation
class Line(Equation):
    """u'' + pi^2 sin(pi x) = 0 with zeros at both ends: u = sin(pi x)."""

    domain: Domain = Domain(x=Axis(0, 1))
    variables: Variables = Variables(u=Variable("u", order=0, residual_scale=20.0))

    def rhs(self, f):
        return {"u": f("u", x=2) + jnp.pi**2 * jnp.sin(jnp.pi * f.coordinates["x"])}

    def conditions(self):
        return [Dirichlet("x", u=0.0)]


@equation
class Switch(Equation):
    """u' = u - u^3, u(0) = 0.01: u = 0 solves all but the initial condition, and is unstable."""

    domain: Domain = Domain(t=Axis(0, 10))
    variables: Variables = Variables(u=Variable("u"))

    def rhs(self, f):
        return {"u": f("u") - f("u") ** 3}

    def conditions(self):
        return [Initial(u=0.01)]

    def exact(self, x):
        square = 1e-4 * jnp.exp(2.0 * x["t"])
        return {"u": jnp.sqrt(square / (1.0 - 1e-4 + square))}


@equation
class Fork(Equation):
    """0.01 u'' + u - u^3 = 0, u = 0 at both ends: u = 0 is unstable, u near 1 or -1 stable."""

    domain: Domain = Domain(x=Axis(0, 1))
    variables: Variables = Variables(u=Variable("u", order=0))

    def rhs(self, f):
        return {"u": 0.01 * f("u", x=2) + f("u") - f("u") ** 3}

    def conditions(self):
        return [Dirichlet("x", u=0.0)]


def problem_of(equation, network=None, **settings):
    model = Model(network or MLP(8, 2), **settings)
    return Problem(equation, model, default_terms(equation, model))


def modes():
    """Poisson's equation on a line by its first mode alone."""
    equation = Line()
    return Problem(equation, Model(Mode(), exact=False), [ResidualTerm(equation)])


def starts(problem):
    """Two sets of random parameters."""
    return [jax.jit(problem.init)(jax.random.key(i)) for i in range(2)]


def batch_of(problem, n=30):
    random = np.random.default_rng(0)
    return {
        name: term.place(jnp.asarray(random.uniform(size=(n, term.dims))))
        for name, term in problem.by_name.items()
    }


def amplitudes(optimizer, steps):
    """Of the mode, which starts at three, before each step and at the end."""
    problem = modes()
    params, weights = problem.init(jax.random.key(0)), {"residual": jnp.ones(())}
    step = jax.jit(lambda p, s: optimizer.step(problem, p, s, batch_of(problem), weights)[:2])
    state, found = optimizer.init(params), []
    for _ in range(steps):
        found.append(float(ravel_pytree(params)[0][0]))
        params, state = step(params, state)
    return np.asarray([*found, float(ravel_pytree(params)[0][0])])


@pytest.mark.usefixtures("strict")
def test_implicit_steps_of_poisson_halve_the_error():
    """du/dtau = laplacian u + f, by steps of the reciprocal of the only eigenvalue there is."""
    stepped = PseudoTime(LevenbergMarquardt(damping=1e-12, acceleration=0.0), adapt=1)
    np.testing.assert_allclose(amplitudes(stepped, 6) - 1.0, 2.0 * 0.5 ** np.arange(7), rtol=1e-6)
    held = PseudoTime(LevenbergMarquardt(damping=1e-12, acceleration=0.0), every=3)
    expected = [2.0, 1.0, 1.0, 1.0, 0.5, 0.5, 0.5]  # three steps of the optimizer for each
    np.testing.assert_allclose(amplitudes(held, 6) - 1.0, expected, rtol=1e-6)


def test_the_other_direction_leads_nowhere():
    """Backwards diffusion: the step is as long as the growth time, and has no solution."""
    inner = LevenbergMarquardt(damping=1e-12, acceleration=0.0)
    found = amplitudes(PseudoTime(inner, adapt=1, signs={"u": -1}), 4)
    assert np.all(abs(found - 1.0) > 1.99)
    plain = amplitudes(PseudoTime(inner, adapt=1, signs={"u": 0}), 1)
    np.testing.assert_allclose(plain[-1], 1.0, rtol=1e-9)  # Newton's step


@pytest.mark.usefixtures("strict")
def test_rows_are_those_of_the_definition_and_vanish_at_the_solution():
    problem, rate = modes(), jnp.asarray(0.7)
    batch = batch_of(problem)

    def rows(a, before):
        start, there = (jax.tree.map(lambda p, v=v: 0 * p + v, init) for v in (a, before))
        return problem.raw("residual", start, problem.stepped(there, batch, rate, {})["residual"])

    init = problem.init(jax.random.key(0))
    shape = jnp.sin(jnp.pi * batch["residual"]["x"])
    np.testing.assert_allclose(rows(1.0, 1.0), 0.0, atol=1e-14)
    expected = (1.0 - 3.0) * np.pi**2 / 20.0 * shape - 0.7 * (3.0 - 0.5) * shape
    np.testing.assert_allclose(rows(3.0, 0.5)[:, 0], expected, rtol=1e-10)
    one, other = (jax.tree.map(lambda p, v=v: 0 * p + v, init) for v in (3.0, 0.5))
    found = problem.stiffness(one, other, batch)
    assert float(found) == pytest.approx(np.pi**2 / 20.0, rel=1e-10)


def test_evolution_equations_add_the_step_and_the_rest_of_the_rows_stays():
    problem, rate = problem_of(Switch(), exact=False), jnp.asarray(3.0)
    params, before = starts(problem)
    batch, ones = batch_of(problem), {name: jnp.ones(()) for name in problem.by_name}

    @jax.jit
    def read(params, before):
        stepped = problem.stepped(before, batch, rate, {})
        raw = {n: problem.raw(n, params, stepped[n]) for n in batch}
        loss, slope = problem.value_and_grad(params, stepped, ones)
        return raw, loss, ravel_pytree(slope)[0], *problem.jacobian(params, stepped, ones)

    raw, loss, slope, rows, jacobian = read(params, before)
    states = [states_of(problem, p, batch)["residual"]["u"] for p in (params, before)]
    for name, found in raw.items():
        expected = problem.raw(name, params, batch[name])
        if name == "residual":
            expected = expected + 3.0 * (states[0] - states[1])[:, None]
        np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)
    assert float(rows @ rows) == pytest.approx(float(loss), rel=1e-12)
    np.testing.assert_allclose(2.0 * rows @ jacobian, slope, rtol=1e-9, atol=1e-12)


@pytest.mark.usefixtures("strict")
def test_units_change_nothing():
    """The equation for a thousand times the variable: the same rate, the same rows."""
    changed = Variables(u=Variable("u", order=0, scale=1e3, offset=50.0, residual_scale=2e4))

    @equation
    class Large(Line):
        variables: Variables = changed

        def rhs(self, f):
            return {"u": f("u", x=2) + 1e3 * jnp.pi**2 * jnp.sin(jnp.pi * f.coordinates["x"])}

    found = []
    for eq in (Line(), Large()):
        problem = Problem(eq, Model(MLP(6, 1), exact=False), [ResidualTerm(eq)])
        params, before = starts(problem)
        batch = batch_of(problem)
        rate = problem.stiffness(params, before, batch)
        stepped = problem.stepped(before, batch, rate, {})
        found.append((rate, problem.raw("residual", params, stepped["residual"])))
    np.testing.assert_allclose(found[1][0], found[0][0], rtol=1e-9)
    np.testing.assert_allclose(found[1][1], found[0][1], rtol=1e-9, atol=1e-10)


@pytest.mark.usefixtures("strict")
def test_a_mesh_has_the_rows_of_its_points():
    problem = problem_of(Heat(), Separable(4, 1, 3), exact=False)
    params, before = starts(problem)
    axes = problem.equation.domain.axes
    mesh = dict(zip(axes, jnp.ix_(*(jnp.linspace(0.1, 0.9, 2 + i) for i in range(2))), strict=True))
    full = jnp.broadcast_arrays(*mesh.values())
    points = {axis: column.reshape(-1) for axis, column in zip(axes, full, strict=True)}

    @jax.jit
    def rows(columns):
        rate = problem.stiffness(params, before, {"residual": columns})
        stepped = problem.stepped(before, {"residual": columns}, rate, {})["residual"]
        return rate, problem.raw("residual", params, stepped)

    for one, other in zip(rows(mesh), rows(points), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)


def relative_error(problem, params):
    x = {"t": jnp.linspace(0, 10, 101)}
    found = problem.model.evaluate(params["network"], problem.equation, x)["u"]
    exact = problem.equation.exact(x)["u"]
    return float(jnp.linalg.norm(found - exact) / jnp.linalg.norm(exact))


def test_it_leaves_the_unstable_state_that_least_squares_take_for_a_solution():
    problem, inner = (
        problem_of(Switch(), MLP(10, 2)),
        LevenbergMarquardt(acceleration=0.0, chunk=20),
    )
    plain, stepped = (
        Trainer([Phase(method, 80, 60, resample=10)]).fit(problem)
        for method in (inner, PseudoTime(inner))
    )
    assert relative_error(problem, plain.params) > 0.9
    assert relative_error(problem, stepped.params) < 1e-3


def test_it_finds_a_stable_steady_state():
    """Plain least squares find u = 0, which is none: all modes up to the third grow."""
    problem, inner = problem_of(Fork(), MLP(10, 2)), replace(LM, chunk=20)
    middle = {"x": jnp.asarray([0.5])}
    found = []
    for method in (inner, PseudoTime(inner)):
        done = Trainer([Phase(method, 100, 60, resample=10)]).fit(problem)
        value = problem.model.evaluate(done.params["network"], problem.equation, middle)["u"]
        found.append(abs(float(value[0])))
    assert found[0] < 1e-6
    assert found[1] > 0.9


CRAFTS = {
    "adam, two seeds": Trainer(
        [Phase(PseudoTime(ADAM, every=3, adapt=2), 12, 10, resample=4)], seeds=2
    ),
    "levenberg-marquardt": Trainer([Phase(PseudoTime(LM, adapt=3), 12, 15, resample=4)]),
    "soap, causal": Trainer(
        [Phase(PseudoTime(Gradient(soap(1e-2), chunk=4)), 12, 12)], Causal(every=1)
    ),
}


@pytest.mark.parametrize("name", CRAFTS)
def test_a_resumed_training_ends_bit_identical(name, tmp_path):
    trainer, problem = CRAFTS[name], problem_of(Switch(), MLP(5, 1))
    whole, checkpoint = trainer.fit(problem), Checkpoint(tmp_path / "state", every=1e9)
    seen = []
    part = trainer.fit(problem, checkpoint, seen.append, lambda: len(seen) == 1)
    assert part.step < trainer.steps
    end = trainer.fit(problem, checkpoint)
    assert end.step == trainer.steps
    for a, b in zip(jax.tree.leaves(whole.params), jax.tree.leaves(end.params), strict=True):
        np.testing.assert_array_equal(a, b)
    assert [r["loss"] for r in whole.history] == [r["loss"] for r in end.history]


def test_several_seeds_are_the_single_ones():
    problem, phases = problem_of(Switch(), MLP(5, 1)), [Phase(PseudoTime(ADAM, adapt=2), 8, 10)]
    many = Trainer(phases, seed=3, seeds=2).fit(problem)
    one = Trainer(phases, seed=4).fit(problem)
    member = jax.tree.map(lambda leaf: leaf[1], many.params)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-11), member, one.params
    )


@pytest.mark.parametrize(
    "wrong, message",
    [
        (lambda: PseudoTime(3.0), "optimizer.inner: float is neither an optimizer nor of optax"),
        (lambda: PseudoTime(ADAM, every=0), "give every >= 1"),
        (lambda: PseudoTime(ADAM, momentum=1.0), "momentum < 1"),
        (lambda: modes().stepped({}, {}, 1.0, {"v": 1}), r"variable \(optimizer.signs\) 'v'"),
        (lambda: problem_of(Wave()).stepped({}, {}, 1.0, {}), r"'u' is of second order in time"),
    ],
)
def test_what_cannot_be(wrong, message):
    with pytest.raises(PinnlabError, match=message):
        wrong()


def test_terms_without_states_are_refused():
    equation = Switch()
    seen = Observations("u", {"t": jnp.asarray([1.0, 2.0])}, jnp.asarray([0.1, 0.2]), 0.1)
    problem = Problem(equation, Model(MLP(5, 1)), [DataTerm(seen, "data")])
    with pytest.raises(PinnlabError, match="pseudo time is one of a network's residual"):
        Trainer([Phase(PseudoTime(ADAM), 4, 10)]).fit(problem)


def test_an_optax_transformation_is_taken_as_it_is():
    stepped = PseudoTime(optax.adam(1e-3))
    assert stepped.chunk == Gradient(optax.adam(1e-3)).chunk
    assert stepped.memory(10, 100, 8) > stepped.inner.memory(10, 100, 8)
