"""Networks: smooth to fourth order, factorized weights, frozen features, dtype of the inputs."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pinnlab.core import Axis, Domain, PinnlabError, PointField
from pinnlab.networks import MLP, FourierFeatures
from pinnlab.networks.layers import ACTIVATIONS

LINE = Domain(x=Axis(-1, 1), y=Axis(-1, 1))


def made(network, seed=0, dtype=None):
    inputs = jnp.zeros(2, dtype or jnp.result_type(float))
    return network.init(jax.random.key(seed), inputs)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("slots", [(), [("u", (("x", k),)) for k in range(1, 5)]])
def test_derivatives_of_networks_up_to_the_fourth(activation, slots):
    """Against nested gradients, which take no Taylor arithmetic."""
    network = MLP(4, 1, activation)
    params = made(network)

    def value(x):
        return network.apply(params, jnp.stack([x, jnp.asarray(0.3)]))[0]

    def model(p):
        return {"u": network.apply(params, jnp.stack([p["x"], p["y"]]))[0]}

    @jax.jit
    def both(point):
        f = PointField(model, point, LINE, ("u",), slots)
        slope, expected = value, []
        for _ in range(5):
            expected.append(slope(point["x"]))
            slope = jax.grad(slope)
        return [f("u", x=order) for order in range(5)], expected

    found, expected = both({"x": jnp.asarray(0.2), "y": jnp.asarray(0.3)})
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize("network", [MLP(7, 2), MLP(7, 2, factorized=True), MLP(7, 2, slope=4.0)])
def test_outputs_and_size(network):
    network = network.clone(outputs=3)
    params = made(network)
    assert network.apply(params, jnp.ones(2)).shape == (3,)
    hidden, scales = 2 * 7 + 7 + 7 * 7 + 7 + 7 * 3 + 3, 7 + 7 + 3
    size = sum(leaf.size for leaf in jax.tree.leaves(params))
    assert size == hidden + (scales if network.factorized else 0)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("network", [MLP(4, 1, factorized=True), FourierFeatures(MLP(4, 1))])
def test_parameters_and_outputs_have_the_dtype_of_the_inputs(network, dtype):
    params = made(network, dtype=dtype)
    assert {leaf.dtype.name for leaf in jax.tree.leaves(params)} == {dtype}
    assert network.apply(params, jnp.ones(2, dtype)).dtype == dtype


def test_factorized_weights_start_as_glorot_ones_but_train_by_scale():
    """The product diag(e^s) V starts with Glorot's variance; s alone scales a column."""
    layer = made(MLP(400, 1, factorized=True))["params"]["FactorizedDense_0"]
    weights = layer["v"] * jnp.exp(layer["s"])[None, :]
    assert float(weights.std()) == pytest.approx((2 / 402) ** 0.5, rel=0.1)
    assert float(layer["s"].mean()) == pytest.approx(1.0, abs=0.03)


def test_fourier_features_are_frozen_and_belong_to_their_seed():
    network = FourierFeatures(MLP(4, 1), features=6, scale=3.0)
    params = made(network)
    kernel = params["params"]["behind"]["Dense_0"]["kernel"]
    assert kernel.shape == (12, 4)  # twice the features; no matrix among the parameters
    x = jnp.asarray([0.2, -0.5])
    same = network.clone().apply(params, x)
    np.testing.assert_array_equal(network.apply(params, x), same)
    assert not np.allclose(network.clone(seed=1).apply(params, x), same)


def test_a_steep_start_spreads_over_the_interval():
    """With slope 4 the first layer's units bend at places all over [-1, 1]."""
    first = made(MLP(200, 1, slope=4.0))["params"]["Dense_0"]
    plain = made(MLP(200, 1))["params"]["Dense_0"]
    ratio = float(first["kernel"].std() / plain["kernel"].std())
    assert ratio == pytest.approx(4.0, rel=0.2)
    assert float(jnp.abs(first["bias"]).max()) <= 1.0 and float(first["bias"].std()) > 0.4
    assert not plain["bias"].any()


def test_an_unknown_activation_lists_those_there_are():
    with pytest.raises(PinnlabError, match=r"'relu'.*gelu, silu, sin, softplus, tanh"):
        made(MLP(3, 1, "relu"))
