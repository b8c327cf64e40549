"""Separable network: a sum of products of the factors that it gives one by one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pinnlab.core import PinnlabError
from pinnlab.networks import Separable

SMALL = Separable(rank=3, width=4, depth=1, outputs=2)


def made(network, inputs, dtype="float64"):
    return network.init(jax.random.key(0), jnp.zeros(inputs, dtype))


def test_it_is_the_sum_of_the_products_of_its_factors():
    """The second axis has two inputs, as a periodic one has."""
    network = SMALL.clone(blocks=(1, 2))
    params, x = made(network, 3), jnp.asarray([0.3, -0.4, 0.9])
    first, second = network.along(params, 0, x[:1]), network.along(params, 1, x[1:])
    assert first.shape == second.shape == (2, 3)
    expected = np.sum(np.asarray(first) * np.asarray(second), axis=1)
    np.testing.assert_allclose(network.apply(params, x), expected, rtol=1e-14)
    assert np.ptp(expected) > 0  # each output has factors of its own


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_parameters_and_outputs_have_the_dtype_of_the_inputs(dtype):
    params = made(SMALL, 2, dtype)
    leaves = jax.tree.leaves(params)
    assert {leaf.dtype.name for leaf in leaves} == {dtype}
    assert sum(leaf.size for leaf in leaves) == 2 * (4 + 4 + 4 * 6 + 6)  # an axis an input
    assert SMALL.apply(params, jnp.ones(2, dtype)).dtype == dtype


def test_what_cannot_be():
    with pytest.raises(PinnlabError, match=r"network\.rank must be at least 1, got 0"):
        made(Separable(rank=0), 2)
    with pytest.raises(PinnlabError, match=r"blocks.*\(1, 1\).*3 inputs"):
        made(Separable(blocks=(1, 1)), 3)
