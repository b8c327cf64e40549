"""Gradients in pieces: the same numbers as over all points at once."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.flatten_util import ravel_pytree

from pinnlab.equations.canonical.burgers import Burgers
from pinnlab.models import Model
from pinnlab.networks import MLP
from pinnlab.optimizers import Gradient
from pinnlab.terms import Problem, default_terms, pieces
from pinnlab.terms.pieces import mean_and_grad, piece_size


@pytest.fixture
def one_core(monkeypatch):
    monkeypatch.setattr(pieces, "_cores", lambda: 1)


def mean(slope, columns):
    return jnp.mean((slope[0] * columns["x"] - jnp.sin(slope[1] * columns["x"])) ** 2)


@pytest.mark.parametrize("count, size", [(64, 4), (67, 4), (67, 16), (3, 4), (15, 4)])
def test_pieces_add_up_to_the_whole(count, size):
    """Equal pieces, pieces with points left over, and too few points for two."""
    slope, columns = jnp.asarray([0.7, 1.3]), {"x": jnp.linspace(-1.0, 2.0, count)}
    value, grad = mean_and_grad(mean, slope, columns, size)
    whole, slope_of_whole = jax.value_and_grad(mean)(slope, columns)
    np.testing.assert_allclose(value, whole, rtol=1e-13)
    np.testing.assert_allclose(grad, slope_of_whole, rtol=1e-12)


@pytest.mark.usefixtures("one_core")
def test_large_rows_are_taken_in_smaller_pieces():
    def row(width, point):
        return jnp.sum(jnp.tanh(jnp.full((width,), point["x"])))

    columns = {"x": jnp.zeros(100_000)}
    sizes = [piece_size(partial(row, width), columns) for width in (100, 1000, 100_000)]
    assert sizes == sorted(sizes, reverse=True) and sizes[0] > sizes[2]
    assert 64 <= sizes[2] <= 128 and 100_000 % sizes[2] == 0
    few = {"x": jnp.zeros(100)}
    assert piece_size(partial(row, 100_000), few) == 100


def test_several_cores_are_given_larger_pieces(monkeypatch):
    def row(point):
        return jnp.sum(jnp.tanh(jnp.full((2000,), point["x"])))

    sizes = []
    for cores in (1, 2, 8):
        monkeypatch.setattr(pieces, "_cores", lambda cores=cores: cores)
        sizes.append(piece_size(row, {"x": jnp.zeros(4096)}))
    assert sizes[0] < sizes[1] == sizes[2] <= 4096


def soft_burgers():
    """A problem whose residual is taken in pieces and whose conditions are taken whole."""
    model = Model(MLP(width=12, depth=2), exact=False, embed=False)
    problem = Problem(Burgers(), model, default_terms(Burgers(), model), ["nu"])
    random = np.random.default_rng(0)
    counts = {name: 1999 if name == "residual" else 50 for name in problem.by_name}
    batch = {
        name: term.place(jnp.asarray(random.random((counts[name], term.dims))))
        for name, term in problem.by_name.items()
    }
    weights = {name: jnp.asarray(2.0 + i) for i, name in enumerate(batch)}
    params = problem.init(jax.random.key(0))
    term, nets = problem.by_name["residual"], params["network"]
    size = piece_size(lambda p: term.row(model, nets, problem.equation, p), batch["residual"])
    assert size < 1999 and 1999 % size
    return problem, params, batch, weights


@pytest.mark.usefixtures("one_core")
def test_a_problem_gives_the_gradient_of_its_loss():
    problem, params, batch, weights = soft_burgers()
    value, grad = jax.jit(problem.value_and_grad)(params, batch, weights)
    whole, slope = jax.jit(jax.value_and_grad(problem.loss))(params, batch, weights)
    np.testing.assert_allclose(value, whole, rtol=1e-13)
    np.testing.assert_allclose(ravel_pytree(grad)[0], ravel_pytree(slope)[0], rtol=1e-9, atol=1e-12)
    assert float(slope["equation"]["nu"]) != 0.0


@pytest.mark.usefixtures("one_core")
def test_a_step_is_the_same_for_each_of_several_seeds():
    problem, params, batch, weights = soft_burgers()
    many = jax.tree.map(lambda x: jnp.stack([x, 1.1 * x]), (params, batch))
    method = Gradient(optax.sgd(1e-3))

    def step(params, batch):
        return method.step(problem, params, method.init(params), batch, weights)[::2]

    both = jax.jit(jax.vmap(step))(*many)
    one = jax.jit(step)(*jax.tree.map(lambda x: x[1], many))
    for left, right in zip(jax.tree.leaves(both), jax.tree.leaves(one), strict=True):
        np.testing.assert_allclose(left[1], right, rtol=1e-9, atol=1e-12)
