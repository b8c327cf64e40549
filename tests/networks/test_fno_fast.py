"""Layers in a batch: the same numbers, and derivatives of every kind."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pinnlab.networks import Fno
from pinnlab.networks.left import left
from pinnlab.networks.pointwise import Pointwise, continued
from pinnlab.networks.spectral import SpectralConvolution

GRIDS = {(11,): (4,), (8, 9): (3, 6), (4, 5, 6): (2, 2, 3)}  # one with more waves than nodes bear
QUICK = {"xla_backend_optimization_level": 0}


def noise(*shape, seed=0, dtype="float64"):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), dtype)


def made(layer, *shape):
    asked = jax.eval_shape(layer.init, jax.random.key(0), jnp.zeros(shape))
    leaves, tree = jax.tree.flatten(asked)
    return jax.tree.unflatten(tree, [noise(*p.shape, seed=i) for i, p in enumerate(leaves)])


@pytest.mark.parametrize("transform", ["dft", "fft"])
@pytest.mark.parametrize("shape", GRIDS)
def test_a_batch_gives_what_each_instance_gives(shape, transform):
    """Values, and slopes with respect to fields and parameters, of three instances at once; slopes
    of each inside of the batch as well."""
    fields, back = noise(3, *shape, 2), noise(3, *shape, 3, seed=1)
    for layer in (SpectralConvolution(3, GRIDS[shape], transform), Pointwise(3)):
        params = made(layer, *shape, 2)

        def sides(p, x, g, layer=layer):
            y, pull = jax.vjp(layer.apply, p, x)
            return y, *pull(g)

        def together(p, x, g, layer=layer):
            y, pull = jax.vjp(jax.vmap(layer.apply, (None, 0)), p, x)
            return y, *pull(g)

        one = jax.jit(sides, compiler_options=QUICK)
        each = [one(params, x, g) for x, g in zip(fields, back, strict=True)]
        y, of_params, of_fields = jax.tree.map(lambda *parts: jnp.stack(parts), *each)
        expected = y, jax.tree.map(lambda g: g.sum(axis=0), of_params), of_fields
        found = jax.jit(together, compiler_options=QUICK)(params, fields, back)
        inside = jax.jit(jax.vmap(sides, (None, 0, 0)), compiler_options=QUICK)(
            params, fields, back
        )
        for one, two in ((expected, found), ((y, of_params, of_fields), inside)):
            for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(two), strict=True):
                np.testing.assert_allclose(a, b, atol=1e-11)
                assert jnp.std(b) > 1e-3


def test_a_matrix_from_the_left_in_every_derivative():
    """Of values along both arguments, in batches of either."""
    matrix, x = noise(4, 6), noise(3, 6, 2, seed=1)

    def plain(m, x):
        return m @ x

    for axes in ((None, 0), (0, 0), (0, None)):
        m = jnp.stack([matrix + i for i in range(3)]) if axes[0] == 0 else matrix
        y = x if axes[1] == 0 else x[0]
        results = []
        for product in (left, plain):

            def whole(m, y, product=product, axes=axes):
                return jnp.sum(jnp.sin(jax.vmap(product, axes)(m, y)))

            slopes = jax.grad(whole, (0, 1))(m, y)
            results.append((slopes, jax.jvp(whole, (m, y), (m, y))[1]))
        for a, b in zip(*map(jax.tree.leaves, results), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-12)


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
    x = noise(4, 6, 2)
    expected = np.pad(x, [(0, 2), (0, 0), (0, 0)])
    np.testing.assert_array_equal(continued(x, (False, True), 0.5), expected)
