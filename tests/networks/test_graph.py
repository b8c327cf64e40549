"""The graph network: what commutes with it, how far it hears, and that it converges."""

from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.spatial import Delaunay

from pinnlab.core import Axis, Domain
from pinnlab.core.cloud import Recipe, stack
from pinnlab.core.makecloud import make_cloud
from pinnlab.networks import GraphOperator
from pinnlab.networks.graph import Messages

SQUARE = Domain(x=Axis(-2, 2), y=Axis(-2, 2))
RECIPE = Recipe(neighbours=5, coarse=(16, 5))
SMALL = GraphOperator(6, 1, kernel=4, outputs=2)
QUICK = {"xla_backend_optimization_level": 0}  # most programs here run once


def points(n=60):
    return np.random.default_rng(0).uniform(-1, 1, (n, 2))


def inputs(n=60, channels=3, dtype="float64"):
    return jnp.asarray(np.random.default_rng(1).normal(size=(n, channels)), dtype)


def made(network, x, cloud):
    """Random parameters; biases are not zero."""
    random = np.random.default_rng(7)
    asked = jax.eval_shape(network.init, jax.random.key(0), x, cloud)
    return jax.tree.map(lambda p: jnp.asarray(0.5 * random.normal(size=p.shape), p.dtype), asked)


applied = jax.jit(
    lambda network, params, x, cloud: network.apply(params, x, cloud),
    static_argnums=0,
    compiler_options=QUICK,
)


def test_the_order_of_nodes_means_nothing():
    at, x = points(), inputs()
    order = np.random.default_rng(2).permutation(60)
    cloud, mixed = (make_cloud(SQUARE, p, RECIPE) for p in (at, at[order]))
    params = made(SMALL, x, cloud)
    found = applied(SMALL, params, x[order], mixed)
    np.testing.assert_allclose(found, applied(SMALL, params, x, cloud)[order], atol=1e-12)


def test_shifts_mean_nothing_and_turns_only_with_directions():
    at, x, angle = points(), inputs(), 0.7
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    here, there, turned = (make_cloud(SQUARE, p, RECIPE) for p in (at, at + 0.5, at @ turn.T))
    for network in (SMALL, SMALL.clone(directions=False)):
        params = made(network, x, here)
        own = applied(network, params, x, here)
        np.testing.assert_allclose(applied(network, params, x, there), own, atol=1e-11)
        change = jnp.max(jnp.abs(applied(network, params, x, turned) - own))
        assert (change > 1e-2) == network.directions, change
        assert change > 1e-2 or change < 1e-11


def first(x, params, cloud):
    return jnp.sum(SMALL.apply(params, x, cloud)[0])


def test_what_happens_anywhere_is_heard_everywhere():
    """By the coarser levels; without them within the neighbourhood alone."""
    at, x = points(), inputs()
    for coarse, all_heard in (((16, 5), True), ((), False)):
        cloud = make_cloud(SQUARE, at, Recipe(neighbours=5, coarse=coarse))
        params = made(SMALL, x, cloud)
        slope = jax.jit(jax.grad(first), compiler_options=QUICK)(x, params, cloud)
        heard = np.abs(np.asarray(slope)).sum(axis=1) > 0
        assert heard.all() if all_heard else heard.sum() == 6


def test_messages_are_the_mean_over_neighbours():
    """Against sums written out, for a table with gaps."""
    cloud = make_cloud(SQUARE, points(), Recipe(radius=0.5, coarse=()))
    table, layer, v = cloud.within, Messages(4, 3), inputs(60, 4)
    assert (table.share == 0).any()
    params = made(layer, v, table)
    p = params["params"]
    square = (table.offset**2).sum(-1, keepdims=True)
    edges = np.concatenate([np.sqrt(square + 1e-4), table.offset], axis=-1)

    def dense(i, x):
        own = {name: np.asarray(value) for name, value in p[f"Dense_{i}"].items()}
        return np.asarray(x) @ own["kernel"] + own.get("bias", 0.0)

    kernel = dense(1, jax.nn.gelu(dense(0, edges)))
    y = np.maximum(0, dense(2, v)[table.index] + dense(3, edges))
    wanted = dense(4, np.einsum("nk,nkc->nc", table.share, kernel * y))
    np.testing.assert_allclose(layer.apply(params, v, table), wanted, atol=1e-12)


def test_the_operator_converges_as_a_mesh_is_refined():
    """With a radius the answer at common nodes settles: differences fall by more than half."""
    network, found = GraphOperator(4, 2, kernel=4), []
    for n in (9, 17, 33):
        side = np.linspace(-1, 1, n)
        at = np.stack(np.meshgrid(side, side, indexing="ij"), -1).reshape(-1, 2)
        # shaken off the lattice, whose rings of equal distance the radius would cut by chance
        at = at + 0.03 * np.sin(5 * at[:, ::-1] + 1)
        faces = Delaunay(at).simplices
        cloud = make_cloud(SQUARE, at, Recipe(radius=0.6, coarse=()), faces=faces)
        x = jnp.asarray(np.stack([np.sin(2 * at[:, 0]), np.cos(3 * at[:, 1])], axis=1))
        params = made(network, x, cloud)
        step = (n - 1) // 8
        found.append(applied(network, params, x, cloud).reshape(n, n)[::step, ::step])
    coarse, fine = (float(jnp.linalg.norm(b - a)) for a, b in pairwise(found))
    assert fine < 0.5 * coarse and fine < 0.05 * float(jnp.linalg.norm(found[-1])), (coarse, fine)


def test_nodes_that_fill_up_change_nothing():
    clouds = [make_cloud(SQUARE, points(n), RECIPE) for n in (50, 60)]
    x = inputs()
    params = made(SMALL, x, clouds[1])
    wide = stack(clouds).one(0)
    alone = applied(SMALL, params, x[:50], clouds[0])
    for noise in (0.0, 1e3):
        filled = x.at[50:].add(noise)
        found = applied(SMALL, params, filled, wide)[:50]
        np.testing.assert_allclose(found, alone, atol=1e-11)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dtypes_follow_the_channels(dtype):
    x, cloud = inputs(dtype=dtype), make_cloud(SQUARE, points(), RECIPE)
    params = jax.eval_shape(SMALL.init, jax.random.key(0), x, cloud)
    assert {str(p.dtype) for p in jax.tree.leaves(params)} == {dtype}
    assert jax.eval_shape(SMALL.apply, params, x, cloud).dtype == dtype
