"""Waves: smooth functions to near the precision, blocks, sizes, refusals."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pinnlab.core import Axis, Domain, PinnlabError
from pinnlab.equations.canonical.advection import Advection
from pinnlab.models.model import Model
from pinnlab.networks import Waves


def basis(network, inputs):
    """The derivative of the network by its coefficients, (N, K)."""
    params = network.init(jax.random.key(0), inputs[0])

    def value(c, z):
        return network.apply({"params": {**params["params"], "coefficients": c}}, z)[0]

    start = params["params"]["coefficients"]
    return jax.vmap(jax.grad(value), (None, 0))(start, inputs).reshape(len(inputs), -1)


def test_a_smooth_function_that_is_not_periodic_is_found_by_least_squares():
    z = jnp.linspace(-1, 1, 200)[:, None]
    errors = []
    for width in (8, 16, 24):
        table, right = basis(Waves(width), z), jnp.exp(z[:, 0]) / (2 + z[:, 0])
        c = jnp.linalg.lstsq(table, right, rcond=1e-13)[0]
        errors.append(float(jnp.max(jnp.abs(table @ c - right))))
    assert errors[1] < 1e-2 * errors[0]
    assert errors[2] < 1e-9


def test_a_product_of_waves_is_a_product():
    z = jax.random.uniform(jax.random.key(1), (5, 2), minval=-1.0)
    table = basis(Waves([4, 6]), z)
    first, second = basis(Waves(4), z[:, :1]), basis(Waves(6), z[:, 1:])
    expected = (first[:, :, None] * second[:, None, :]).reshape(5, -1)
    np.testing.assert_allclose(table, expected, atol=1e-14)


def test_a_periodic_axis_brings_its_own_waves():
    model = Model(Waves(5), harmonics=3)
    problem = Advection(domain=Domain(t=Axis(0, 1), x=Axis(0, 2, periodic=True)))
    params = model.init(jax.random.key(0), problem)["params"]
    assert params["coefficients"].shape == (5, 1 + 2 * 3, 1)
    assert set(params) == {"coefficients", "frequency_0", "phase_0"}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_dtype_of_the_inputs(dtype):
    params = Waves([3, 4], outputs=2).init(jax.random.key(0), jnp.zeros(2, dtype))
    assert {leaf.dtype.name for leaf in jax.tree.leaves(params)} == {dtype}
    assert Waves([3, 4], outputs=2).apply(params, jnp.zeros(2, dtype)).shape == (2,)


@pytest.mark.parametrize("network", [Waves(0), Waves([3, 4, 5]), Waves(3, extension=0.5)])
def test_what_does_not_fit_is_refused(network):
    with pytest.raises(PinnlabError, match=r"network: width"):
        network.init(jax.random.key(0), jnp.zeros(2))
