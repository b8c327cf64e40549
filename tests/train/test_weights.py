"""Weights of terms that follow the training: what each of them is by its definition."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pinnlab.equations.energy.swing import Swing
from pinnlab.models import Model
from pinnlab.networks import MLP
from pinnlab.terms import Problem, default_terms
from pinnlab.train import NeuralTangentKernel, ReLoBRaLo

ONE = np.ones(())
COUNTS = {"residual": 150, "initial_0": 3, "initial_1": 1}


@pytest.fixture(scope="module")
def case():
    """A problem of three terms, parameters, and a batch with different numbers of points."""
    equation, model = Swing(), Model(MLP(4, 1), exact=False)
    problem = Problem(equation, model, default_terms(equation, model))
    with jax.enable_x64(True):
        batch = {
            name: problem.by_name[name].place(jnp.linspace(0.0, 1.0, n)[:, None])
            for name, n in COUNTS.items()
        }
        return problem, jax.jit(problem.init)(jax.random.key(0)), batch


def test_the_kernels_of_all_terms_get_one_mean_eigenvalue(case):
    problem, params, batch = case
    start = NeuralTangentKernel().init(problem)
    made = updated(NeuralTangentKernel(momentum=0.0), problem)(params, batch, start)
    traces = {}
    for name, columns in batch.items():
        slopes = jax.jit(lambda c, name=name: problem.jacobian(params, {name: c}, {name: ONE})[1])
        jacobian = slopes(columns)
        traces[name] = float(jnp.trace(jacobian @ jacobian.T))  # rows are over sqrt(N)
    for name, weight in made.items():
        assert float(weight) * traces[name] == pytest.approx(sum(traces.values()), rel=1e-9)
    slow = updated(NeuralTangentKernel(momentum=0.75), problem)(params, batch, start)
    for name in COUNTS:
        assert float(slow[name]) == pytest.approx(0.75 + 0.25 * float(made[name]), rel=1e-9)


def losses_of(problem, params, batch):
    found = jax.jit(problem.losses)(params, batch)
    return np.array([found[name] for name in batch])


def updated(weighting, problem):
    """The update, compiled: (params, batch, weights) -> weights."""
    return jax.jit(lambda *given: weighting.update(problem, *given))


def softmax(x):
    e = np.exp(x - x.max())
    return len(x) * e / e.sum()


@pytest.mark.parametrize("lookback", [0.0, 1.0])
def test_relative_balancing_follows_its_recurrence(case, lookback):
    """rho at one or at zero always; over three updates, so that first and last differ."""
    problem, first, batch = case
    weighting = ReLoBRaLo(momentum=0.6, lookback=lookback, temperature=0.7)
    weights, states = weighting.init(problem), [first]
    for seed in (1, 2):
        other = jax.jit(problem.init)(jax.random.key(seed))
        states.append(jax.tree.map(lambda a, b: 0.7 * a + 0.3 * b, states[-1], other))
    seen = [losses_of(problem, params, batch) for params in states]
    expected = np.ones(3)
    update = updated(weighting, problem)
    for i, params in enumerate(states):
        weights = update(params, batch, weights)
        pull = [softmax(seen[i] / (0.7 * seen[j])) for j in (0, max(i - 1, 0))]
        before = expected if lookback else pull[0]
        expected = 0.6 * before + 0.4 * pull[1]
        np.testing.assert_allclose([weights[n] for n in batch], expected, rtol=1e-12)
        assert expected.sum() == pytest.approx(3.0)
    assert np.ptp(expected) > 0.01  # it does move


def test_the_lookback_is_as_frequent_as_asked(case):
    """With momentum one a weight changes only when the start is looked back to."""
    problem, params, batch = case
    weighting = ReLoBRaLo(momentum=1.0, lookback=0.8)
    other = jax.tree.map(lambda a: 0.5 * a, params)
    before = updated(weighting, problem)(other, batch, weighting.init(problem))
    mark = {name: jnp.asarray(7.0) for name in batch}

    def kept(count):
        made = weighting.update(problem, params, batch, {**before, **mark, "_count": count})
        return made["residual"] == 7.0

    share = float(jnp.mean(jax.lax.map(kept, jnp.arange(1, 401, dtype=jnp.int32))))
    assert share == pytest.approx(0.8, abs=0.06)


def test_given_weights_are_the_start(case):
    problem, params, batch = case
    weighting = ReLoBRaLo(momentum=1.0, lookback=1.0, values={"residual": 5.0})
    made = updated(weighting, problem)(params, batch, weighting.init(problem))
    assert float(made["residual"]) == 5.0 and float(made["initial_0"]) == 1.0
