"""DeepONet: what it computes, what it computes once, and what it can learn exactly."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pinnlab.networks import MLP, DeepOnet, Kan, ModifiedMLP

SMALL = DeepOnet(8, 2)


def noise(*shape, seed=0):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape))


def made(network, functions, basis):
    """Random parameters; biases are not zero."""
    random = np.random.default_rng(7)
    asked = jax.eval_shape(network.init, jax.random.key(0), functions, basis)
    return jax.tree.map(lambda p: jnp.asarray(0.5 * random.normal(size=p.shape), p.dtype), asked)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_shapes_and_dtypes_on_any_grid(dtype):
    """The functions' grid has nothing to do with the one of the answer."""
    network = SMALL.clone(outputs=3)
    functions = jax.ShapeDtypeStruct((5, 4, 2), dtype)
    for shape in ((7,), (4, 6), (3, 2, 5)):
        basis = jax.ShapeDtypeStruct((*shape, 2), dtype)
        params = jax.eval_shape(network.init, jax.random.key(0), functions, basis)
        assert {leaf.dtype.name for leaf in jax.tree.leaves(params)} == {dtype}
        found = jax.eval_shape(network.apply, params, functions, basis)
        assert (found.shape, found.dtype) == ((*shape, 3), dtype)


def test_it_is_the_sum_of_the_products_of_its_two_networks():
    network = DeepOnet(6, 1, products=5, outputs=2, trunk=ModifiedMLP(4, 1))
    functions, places = noise(9, 1), noise(3, 4, 2, seed=1)
    params = made(network, functions, places)
    own = params["params"]
    b = MLP(6, 1, outputs=10).apply({"params": own["branch_network"]}, functions.reshape(-1))
    t = ModifiedMLP(4, 1, outputs=10).apply({"params": own["trunk_network"]}, places)
    products = np.asarray(b).reshape(2, 5) * np.asarray(t).reshape(3, 4, 2, 5)
    expected = products.sum(-1) / 5**0.5 + np.asarray(own["bias"])
    np.testing.assert_allclose(network.apply(params, functions, places), expected, atol=1e-13)


def test_a_trunk_may_be_any_network_of_points():
    network = SMALL.clone(trunk=Kan(4, 1))
    functions, places = noise(9, 1), noise(3, 4, 2, seed=1)
    params = made(network, functions, places)
    found = network.apply(params, functions, places)
    alone = network.apply(params, functions, places[1, 2][None])
    np.testing.assert_allclose(found[1, 2], alone[0], atol=1e-12)
    assert jnp.std(found) > 1e-3


def flops(function, *args):
    return jax.jit(function).lower(*args).compile().cost_analysis()["flops"]


def test_the_trunk_is_evaluated_once_for_all_members():
    """Nothing as large as members x nodes x width is made, there and in the gradient, and the
    sum is what more members cost."""
    network, places = DeepOnet(16, 3, outputs=1), noise(24, 30, 2)
    params = made(network, noise(10, 1), places)

    def loss(params, many):
        found = jax.vmap(lambda one: network.apply(params, one, places))(many)
        return jnp.mean(found**2)

    few, many = noise(4, 10, 1), noise(36, 10, 1)
    sizes = [
        np.prod(v.aval.shape)
        for e in _equations(jax.make_jaxpr(jax.grad(loss))(params, many).jaxpr)
        for v in e.outvars
    ]
    assert max(sizes) == 36 * 24 * 30
    cost = [flops(jax.grad(loss), params, x) for x in (few, many)]
    trunk = flops(jax.grad(lambda p, x: jnp.mean(network.apply(p, x, places) ** 2)), params, few[0])
    assert cost[1] - cost[0] < 0.3 * 32 * trunk


def _equations(jaxpr):
    for equation in jaxpr.eqns:
        inner = [v for v in equation.params.values() if hasattr(v, "jaxpr")]
        yield from (e for one in inner for e in _equations(one.jaxpr))
        if not inner:
            yield equation


def test_a_branch_without_hidden_layers_is_linear_in_the_functions():
    for depth, linear in ((0, True), (1, False)):
        network = DeepOnet(8, 2, branch=MLP(6, depth))
        f, g, places = noise(9, 1), noise(9, 1, seed=2), noise(5, 1, seed=1)
        params = made(network, f, places)

        def slope(f, g, params=params, network=network, places=places):
            return network.apply(params, f + g, places) - network.apply(params, f, places)

        assert np.allclose(slope(f, g), slope(0.0 * f, g), atol=1e-12) == linear


def test_modes_take_the_place_of_the_trunk():
    """The mean of the solutions, and a sum of their modes."""
    network = DeepOnet(8, 1, pod=3, outputs=2)
    functions, basis = noise(9, 1), noise(2, 4, 5, 6, seed=1)
    params = made(network, functions, basis)
    assert set(params["params"]) == {"branch_network"}
    b = MLP(8, 1, outputs=6).apply(
        {"params": params["params"]["branch_network"]}, functions.reshape(-1)
    )
    found = network.apply(params, functions, basis)
    for i in range(2):
        expected = basis[i, 0] + np.einsum("k,kxy->xy", b.reshape(2, 3)[i], basis[i, 1:])
        np.testing.assert_allclose(found[..., i], expected, atol=1e-12)


def test_it_learns_in_single_precision():
    """The integral of straight lines from their slope and height."""
    network = DeepOnet(8, 1)
    x = np.linspace(-1.0, 1.0, 9)
    ab = np.random.default_rng(0).normal(size=(24, 2))
    functions = jnp.asarray((ab[:, :1] + ab[:, 1:] * x)[..., None], "float32")
    y = jnp.asarray(ab[:, :1] * (x + 1) + ab[:, 1:] * (x**2 - 1) / 2, "float32")
    places = jnp.asarray(x[:, None], "float32")

    def loss(params):
        found = jax.vmap(lambda one: network.apply(params, one, places))(functions)
        return jnp.mean((found[..., 0] - y) ** 2)

    @partial(jax.jit, donate_argnums=0)
    def step(params, count):
        slope = jax.grad(loss)(params)
        return jax.tree.map(lambda p, g: p - 0.15 * g, params, slope)

    params = network.init(jax.random.key(0), functions[0], places)
    for count in range(600):
        params = step(params, count)
    assert loss(params) < 0.02 * jnp.var(y), float(loss(params) / jnp.var(y))
