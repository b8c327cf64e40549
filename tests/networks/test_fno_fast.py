"""Layers with their channels last: the same numbers in a batch, and derivatives of every kind."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pinnlab.networks import Fno
from pinnlab.networks.fno import Pointwise, continued
from pinnlab.networks.spectral import SpectralConvolution

GRIDS = {(11,): (4,), (8, 9): (3, 6), (4, 5, 6): (2, 2, 3)}  # one with more waves than nodes bear
QUICK = {"xla_backend_optimization_level": 0}


def noise(*shape, seed=0, dtype="float64"):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), dtype)


def made(layer, *shape):
    asked = jax.eval_shape(layer.init, jax.random.key(0), jnp.zeros(shape))
    leaves, tree = jax.tree.flatten(asked)
    return jax.tree.unflatten(tree, [noise(*p.shape, seed=i) for i, p in enumerate(leaves)])


def layers(modes):
    for transform in ("dft", "fft"):
        yield [SpectralConvolution(3, modes, transform, last=last) for last in (False, True)]
    yield [Pointwise(3, last=last) for last in (False, True)]


@pytest.mark.parametrize("shape", GRIDS)
def test_both_places_of_the_channels_give_the_same(shape):
    """Values, and slopes with respect to fields and parameters, of three instances at once."""
    fields, back = noise(3, 2, *shape), noise(3, 3, *shape, seed=1)
    for first, last in layers(GRIDS[shape]):
        params = made(first, 2, *shape)
        assert jax.tree.map(jnp.shape, params) == jax.tree.map(jnp.shape, made(last, *shape, 2))

        def one_by_one(p, x, layer=first):
            return jnp.stack([layer.apply(p, one) for one in x])

        def together(p, x, layer=last):
            y = jax.vmap(lambda one: layer.apply(p, one))(jnp.moveaxis(x, 1, -1))
            return jnp.moveaxis(y, -1, 1)

        results = []
        for way in (one_by_one, together):

            def sides(p, x, way=way):
                y, pull = jax.vjp(way, p, x)
                return y, pull(back)

            results.append(jax.jit(sides, compiler_options=QUICK)(params, fields))
        for expected, found in zip(*map(jax.tree.leaves, results), strict=True):
            np.testing.assert_allclose(found, expected, atol=1e-11)
            assert jnp.std(found) > 1e-3


def test_forward_and_backward_derivatives_agree():
    """Along a random direction of the parameters: optimizers need both kinds."""
    network, x, target = Fno(5, 2, 3, periodic=(True, False)), noise(2, 8, 6, 2), noise(2, 8, 6, 1)
    params = made(network, 8, 6, 2)

    @jax.jit
    def slopes(p, direction):
        def loss(q):
            return jnp.mean((jax.vmap(lambda one: network.apply(q, one))(x) - target) ** 2)

        forward = jax.jvp(loss, (p,), (direction,))[1]
        back = jax.grad(loss)(p)
        along = sum(jax.tree.leaves(jax.tree.map(lambda g, d: jnp.sum(g * d), back, direction)))
        moved = [jax.tree.map(lambda a, d, s=s: a + s * d, p, direction) for s in (1e-5, -1e-5)]
        return forward, along, (loss(moved[0]) - loss(moved[1])) / 2e-5

    direction = jax.tree.map(lambda p: p[::-1], made(network, 8, 6, 2))
    forward, along, difference = slopes(params, direction)
    np.testing.assert_allclose(forward, along, rtol=1e-10)
    np.testing.assert_allclose(forward, difference, rtol=1e-5)


def test_no_complex_number_and_no_transform_is_left_in_a_step():
    """By matrices, a program can be exported to where there is no transform."""
    x = jnp.zeros((2, 8, 6, 1), "float32")
    for transform, there in (("dft", False), ("fft", True)):
        network = Fno(3, 1, 2, transform=transform)
        params = jax.eval_shape(network.init, jax.random.key(0), x[0])

        def loss(p, network=network):
            return jnp.sum(jax.vmap(lambda one: network.apply(p, one))(x) ** 2)

        text = jax.jit(jax.grad(loss)).lower(params).as_text()
        assert ("stablehlo.fft" in text, "complex<" in text) == (there, there)


def test_zeros_behind_the_upper_ends():
    x = noise(2, 4, 6)
    expected = np.pad(x, [(0, 0), (0, 2), (0, 0)])
    np.testing.assert_array_equal(continued(x, (False, True), 0.5), expected)
    found = continued(jnp.moveaxis(x, 0, -1), (False, True), 0.5, last=True)
    np.testing.assert_array_equal(found, np.moveaxis(expected, 0, -1))
