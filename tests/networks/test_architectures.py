"""Architectures: four derivatives, sizes, dtypes, and what characterises each of them."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree
from scipy import stats

from pinnlab.core import Axis, Domain, PinnlabError, PointField
from pinnlab.networks import MLP, Kan, LearnedPeriod, ModifiedMLP, PirateNet, Siren

PLANE = Domain(x=Axis(-1, 1), y=Axis(-1, 1))
SMALL = {
    "modified": ModifiedMLP(4, 2),
    "factorized": ModifiedMLP(4, 2, factorized=True),
    "pirate": PirateNet(4, 1, features=3),
    "bare pirate": PirateNet(4, 1, features=0, factorized=True),
    "siren": Siren(4, 2),
    "kan": Kan(3, 2, degree=5),
    "period": LearnedPeriod(MLP(4, 1), periods=(2.5,)),
    "second period": LearnedPeriod(MLP(4, 1), periods=(None, 3.0)),
}
# two inputs and three outputs: every kernel, its bias, and what else is trained
SIZES = {
    "modified": 3 * (2 * 4 + 4) + (4 * 4 + 4) + (4 * 3 + 3),
    "factorized": 3 * (2 * 4 + 4 + 4) + (4 * 4 + 4 + 4) + (4 * 3 + 3 + 3),
    "pirate": 3 * (6 * 4 + 4) + (4 * 4 + 4) + (4 * 6 + 6) + 1 + (6 * 3 + 3),
    "bare pirate": 3 * (2 * 4 + 8) + (4 * 4 + 8) + (4 * 2 + 4) + 1 + (2 * 3 + 6),
    "siren": (2 * 4 + 4) + (4 * 4 + 4) + (4 * 3 + 3),
    "kan": (2 * 5 * 3 + 3) + (3 * 5 * 3 + 3),
    "period": 1 + (3 * 4 + 4) + (4 * 3 + 3),
    "second period": 1 + (3 * 4 + 4) + (4 * 3 + 3),
}


def made(network, inputs=2, seed=0, dtype=None):
    x = jnp.zeros(inputs, dtype or jnp.result_type(float))
    return network.init(jax.random.key(seed), x)["params"]


def shaken(params, seed=1):
    """Parameters away from a start that may be special."""
    leaves, tree = jax.tree.flatten(params)
    keys = jax.random.split(jax.random.key(seed), len(leaves))
    moved = [
        p + 0.3 * jax.random.normal(k, p.shape, p.dtype) for p, k in zip(leaves, keys, strict=True)
    ]
    return jax.tree.unflatten(tree, moved)


@pytest.mark.parametrize("name", ["modified", "pirate", "siren", "kan", "period"])
def test_derivatives_up_to_the_fourth(name):
    """Each order against differences of the one below it."""
    network = SMALL[name]
    params = {"params": shaken(made(network))}

    def model(p):
        return {"u": network.apply(params, jnp.stack([p["x"], p["y"]]))[0]}

    def ladder(x):
        point = {"x": x, "y": jnp.asarray(0.3)}
        f = PointField(model, point, PLANE, ("u",), [("u", (("x", 4),))])
        return jnp.stack([f("u", x=order) for order in range(5)])

    h = 4e-4
    around = jax.jit(jax.vmap(ladder))(0.2 + h * jnp.arange(-2.0, 3.0))
    differences = jnp.asarray([1.0, -8.0, 0.0, 8.0, -1.0]) @ around / (12.0 * h)
    found, scale = around[2], float(jnp.abs(around[2]).max())
    np.testing.assert_allclose(found[1:] / scale, differences[:4] / scale, rtol=0, atol=1e-7)
    assert jnp.abs(found).min() > 1e-6 * scale  # no order is trivially zero


@pytest.mark.parametrize("name", SMALL)
def test_size_and_outputs(name):
    network = SMALL[name].clone(outputs=3)
    params = made(network)
    assert network.apply({"params": params}, jnp.ones(2)).shape == (3,)
    assert sum(leaf.size for leaf in jax.tree.leaves(params)) == SIZES[name]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", SMALL)
def test_parameters_and_outputs_have_the_dtype_of_the_inputs(name, dtype):
    params = made(SMALL[name], dtype=dtype)
    assert {leaf.dtype.name for leaf in jax.tree.leaves(params)} == {dtype}
    assert SMALL[name].apply({"params": params}, jnp.ones(2, dtype)).dtype == dtype


# ---------------------------------------------------------------- gated layers


def test_gates_choose_between_the_two_encoders():
    """Equal encoders leave nothing to choose: the layers between no longer matter."""
    network = ModifiedMLP(5, 3)
    params = made(network)
    other = shaken({name: params[name] for name in ("Dense_2", "Dense_3", "Dense_4")})
    x = jnp.asarray([0.4, -0.7])
    apart = network.apply({"params": {**params, **other}}, x)
    assert abs(float(apart[0] - network.apply({"params": params}, x)[0])) > 1e-3
    same = {**params, "Dense_1": params["Dense_0"]}
    encoder, last = params["Dense_0"], params["Dense_5"]
    expected = jnp.tanh(x @ encoder["kernel"] + encoder["bias"]) @ last["kernel"] + last["bias"]
    for hidden in ({}, other):
        found = network.apply({"params": {**same, **hidden}}, x)
        np.testing.assert_allclose(found, expected, rtol=1e-13)


def test_one_gated_layer_is_the_published_formula():
    network = ModifiedMLP(3, 1, activation="sin")
    params = shaken(made(network))
    x = np.array([0.4, -0.7])

    def layer(k):
        return x @ np.asarray(params[f"Dense_{k}"]["kernel"]) + np.asarray(
            params[f"Dense_{k}"]["bias"]
        )

    u, v, gate = np.sin(layer(0)), np.sin(layer(1)), np.sin(layer(2))
    x = gate * u + (1 - gate) * v
    np.testing.assert_allclose(
        network.apply({"params": params}, jnp.asarray([0.4, -0.7])), layer(3)
    )


def test_a_steep_start_reaches_the_three_layers_that_read_the_inputs():
    steep, plain = made(ModifiedMLP(200, 2, slope=4.0)), made(ModifiedMLP(200, 2))
    for k, ratio in enumerate((4.0, 4.0, 4.0, 1.0, 1.0)):
        found = steep[f"Dense_{k}"]["kernel"].std() / plain[f"Dense_{k}"]["kernel"].std()
        assert float(found) == pytest.approx(ratio, rel=0.2)


# ---------------------------------------------------------------- adaptive residual blocks


@pytest.mark.parametrize("features", [0, 6])
def test_a_pirate_net_starts_linear_in_its_embedding(features):
    """At any depth; for the bare inputs u(x) - u(0) is linear, for random ones their sines are."""
    network = PirateNet(5, 2, features=features, scale=3.0, seed=4)
    params = made(network)
    points = jax.random.uniform(jax.random.key(2), (40, 2), jnp.result_type(float), -1.0, 1.0)
    embedding = points
    if features:
        angles = points @ (3.0 * jax.random.normal(jax.random.key(4), (2, features), points.dtype))
        embedding = jnp.concatenate([jnp.cos(angles), jnp.sin(angles)], axis=1)

    @jax.jit
    def at_points(params):
        return jax.vmap(lambda x: network.apply({"params": params}, x))(points)

    def misfit(params):
        values = at_points(params)
        fit = np.linalg.lstsq(embedding, values, rcond=None)[0]
        return float(jnp.abs(embedding @ fit - values).max())

    assert misfit(params) < 1e-12
    deepened = {**params, **{f"alpha_{k}": jnp.asarray(0.3) for k in range(2)}}
    assert misfit(deepened) > 1e-3


def test_the_first_gradient_opens_the_blocks_of_a_pirate_net():
    """At the start only alpha, not the block behind it, can move; then the block can too."""
    network = PirateNet(5, 1, features=4)
    params, x = made(network), jnp.asarray([0.3, 0.6])
    assert float(params["alpha_0"]) == 0.0

    def gradient(params):
        return jax.grad(lambda p: network.apply({"params": p}, x)[0])(params)

    gradient = jax.jit(gradient)
    start, moved = gradient(params), gradient({**params, "alpha_0": jnp.asarray(0.1)})
    assert float(jnp.abs(start["alpha_0"])) > 1e-3
    assert not start["Dense_2"]["kernel"].any() and moved["Dense_2"]["kernel"].any()


def test_a_fully_open_block_has_no_shortcut():
    """With alpha = 1 the embedding is seen only through bounded layers and the gates."""
    network = PirateNet(5, 1, features=0)
    params = {**made(network), "alpha_0": jnp.asarray(1.0)}
    far = [float(network.apply({"params": params}, jnp.asarray([s, s]))[0]) for s in (1e6, 1e7)]
    assert far[0] == pytest.approx(far[1], abs=1e-9)


# ---------------------------------------------------------------- sines


@pytest.mark.parametrize("omega_0", [3.0, 30.0])
def test_the_sines_keep_their_distribution_at_any_depth(omega_0):
    """Arguments of mean square m give sines of (1 - exp(-2 m)) / 2, twice which is the next m.

    The published claim is the first step, m = 1 after exactly arcsine distributed sines; the
    recursion goes on to m = 0.80 and no further, for a frequency of any size.
    """
    network = Siren(800, 4, omega_0)
    params = {"params": made(network)}
    points = jax.random.uniform(jax.random.key(3), (60, 2), jnp.result_type(float), -1.0, 1.0)

    def arguments(x):
        _, kept = network.apply(params, x, capture_intermediates=True)
        layers = kept["intermediates"]
        return jnp.stack([omega_0 * layers[f"Dense_{k}"]["__call__"][0] for k in range(4)])

    found = np.asarray(jax.jit(jax.vmap(arguments))(points)).transpose(1, 0, 2).reshape(4, -1)
    arcsine, expected = stats.arcsine(loc=-1, scale=2), 1.0
    for layer, z in enumerate(found):
        # points of one network depend on each other, so distances are bounded, not tested
        if not layer:
            assert stats.ks_1samp(np.sin(z), arcsine.cdf).statistic < 0.04
        else:
            assert np.mean(z**2) == pytest.approx(expected, rel=0.12)
            assert stats.ks_1samp(z / z.std(), stats.norm.cdf).statistic < 0.05
            expected = 1.0 - math.exp(-2.0 * expected)


def test_omega_is_the_highest_frequency_of_the_first_layer():
    params = made(Siren(2000, 1, 7.0), inputs=1)
    rates = 7.0 * jnp.abs(params["Dense_0"]["kernel"])
    assert 6.9 < float(rates.max()) <= 7.0
    phases = 7.0 * jnp.abs(params["Dense_0"]["bias"])
    assert 3.1 < float(phases.max()) <= math.pi


# ---------------------------------------------------------------- functions on edges


def test_one_layer_of_edges_is_any_sum_of_polynomials():
    """u = 1 + (2 s^3 - s) + (s^4 + 3 s) of s = tanh x, tanh y, from coefficients by hand."""
    network = Kan(depth=1, degree=4)
    params = made(network)
    # s^3 = (3 T1 + T3)/4 and s^4 = (3 + 4 T2 + T4)/8; degree by degree, x beside y
    by_hand = [[2 * 3 / 4 - 1, 3.0], [0.0, 4 / 8], [2 / 4, 0.0], [0.0, 1 / 8]]
    kernel = jnp.asarray(by_hand).reshape(8, 1)
    assert params["Dense_0"]["kernel"].shape == kernel.shape
    given = {"Dense_0": {"kernel": kernel, "bias": jnp.asarray([1.0 + 3 / 8])}}
    for x, y in [(0.0, 0.0), (0.3, -0.9), (-1.0, 1.0), (2.0, -5.0)]:
        s, r = math.tanh(x), math.tanh(y)
        found = network.apply({"params": given}, jnp.asarray([x, y]))
        assert float(found[0]) == pytest.approx(1 + 2 * s**3 - s + r**4 + 3 * r, rel=1e-13)


def test_two_layers_of_edges_are_no_longer_additive():
    def mixed(network):
        params = {"params": made(network)}
        u = lambda x, y: network.apply(params, jnp.stack([x, y]))[0]  # noqa: E731
        x, y = jnp.asarray(0.3), jnp.asarray(-0.4)
        return abs(float(jax.grad(lambda a: jax.grad(u, 1)(a, y))(x)))

    assert mixed(Kan(4, 1)) == 0.0
    assert mixed(Kan(4, 2)) > 1e-3


def test_edges_stay_finite_far_outside_of_the_interval():
    network = Kan(4, 3, degree=8)
    values = network.apply({"params": made(network)}, jnp.asarray([1e4, -1e4]))
    assert float(jnp.abs(values).max()) < 100.0


# ---------------------------------------------------------------- learned periods


def test_the_output_repeats_after_the_period_of_the_parameters():
    network = LearnedPeriod(MLP(6, 2), periods=(None, 1.5))
    params = shaken(made(network))
    period = params["period_1"]
    assert 1.5 != float(period) > 0

    def value(y):
        return network.apply({"params": params}, jnp.stack([jnp.asarray(0.2), jnp.asarray(y)]))

    np.testing.assert_allclose(value(0.1 + period), value(0.1), rtol=1e-12)
    assert abs(float((value(0.1 + 1.5) - value(0.1))[0])) > 1e-6
    far = network.apply({"params": params}, jnp.asarray([0.9, 0.1]))
    assert abs(float((far - value(0.1))[0])) > 1e-6  # the first input is passed on


def test_a_period_is_learned_from_values():
    """A sine of period 1.3 from a start of 1.5, by Gauss-Newton on a linear network behind."""
    network = LearnedPeriod(MLP(1, 0), periods=(1.5,))
    x = jnp.linspace(-1.0, 1.0, 50)[:, None]
    truth = jnp.sin(2.0 * math.pi * x[:, 0] / 1.3)
    params, unravel = ravel_pytree(made(network, inputs=1))

    def rows(flat):
        return jax.vmap(lambda p: network.apply({"params": unravel(flat)}, p)[0])(x) - truth

    step = jax.jit(lambda p: p - jnp.linalg.lstsq(jax.jacfwd(rows)(p), rows(p))[0])
    for _ in range(12):
        params = step(params)
    assert float(jnp.abs(unravel(params)["period_0"])) == pytest.approx(1.3, rel=1e-9)
    assert float(jnp.abs(rows(params)).max()) < 1e-9


# ---------------------------------------------------------------- mistakes


@pytest.mark.parametrize(
    ("network", "said"),
    [
        (ModifiedMLP(activation="relu"), "unknown activation .*'relu'.*tanh"),
        (PirateNet(activation="relu"), "unknown activation .*'relu'.*tanh"),
        (Siren(omega_0=0.0), "network.omega_0 must be positive, got 0.0"),
        (Kan(depth=0), "network.depth must be at least 1, got 0"),
        (Kan(degree=0), "network.degree must be at least 1, got 0"),
        (LearnedPeriod(periods=(-1.0,)), r"network.periods\[0\] must be positive, got -1"),
        (LearnedPeriod(periods=(1.0,) * 3), "network.periods: 3 periods for 2 inputs"),
    ],
)
def test_a_mistake_is_told_by_its_key(network, said):
    with pytest.raises(PinnlabError, match=said):
        made(network)
