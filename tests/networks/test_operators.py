"""Operators: what commutes with their layers, on which grids they agree, and that they learn."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage

from pinnlab.core import PinnlabError
from pinnlab.core.harmonics import Harmonics
from pinnlab.networks import FactorizedFno, Sfno, Transolver, Ufno, UNet, Uno
from pinnlab.networks.factorized import FactorizedConvolution, _apart
from pinnlab.networks.sfno import DegreeConvolution
from pinnlab.networks.spectral import SpectralConvolution, convolve
from pinnlab.networks.transolver import SliceAttention
from pinnlab.networks.unet import Convolution, Normalized
from pinnlab.networks.uno import resampled

SMALL = {
    "factorized": FactorizedFno(8, 1, 4, rank=0.5),
    "unet": UNet(4, 1),
    "uno": Uno(6, 1, 4),
    "ufno": Ufno(6, 1, 1, 1, 4),
    "transolver": Transolver(8, 1, 2, 4),
    "sfno": Sfno(8, 1, 5),
}
QUICK = {"xla_backend_optimization_level": 0}  # most programs here run once
SPECTRAL = ("factorized", "uno", "ufno")


def noise(*shape):
    return jnp.asarray(np.random.default_rng(0).normal(size=shape))


def made(network, *shape, size=0.5, dtype="float64"):
    """Random parameters; biases are not zero."""
    random, inputs = np.random.default_rng(7), jax.ShapeDtypeStruct(shape, dtype)
    asked = jax.eval_shape(network.init, jax.random.key(0), inputs)
    return jax.tree.map(lambda p: jnp.asarray(size * random.normal(size=p.shape), p.dtype), asked)


@partial(jax.jit, static_argnums=0, compiler_options=QUICK)
def applied(network, params, x):
    return network.apply(params, x)


# ---------------------------------------------------------------- all of them


@pytest.mark.parametrize("name", SMALL)
def test_shapes_and_dtypes_on_any_grid(name):
    """One to three axes, sizes that are no powers of two, other sizes with the same parameters."""
    grids = [((13,), "float64"), ((9, 14), "float32"), ((6, 7, 5), "float64")]
    for shape, dtype in [((9, 16), "float32"), ((9, 16), "float64")] if name == "sfno" else grids:
        closed = (False, True, True)[: len(shape)]
        network = SMALL[name].clone(outputs=3, periodic=closed)
        x = jax.ShapeDtypeStruct((*shape, 2), dtype)
        params = jax.eval_shape(network.init, jax.random.key(0), x)
        assert {leaf.dtype.name for leaf in jax.tree.leaves(params)} == {dtype}
        other = jax.ShapeDtypeStruct((*[2 * n + 1 for n in shape], 2), dtype)
        for inputs in (x, other):
            found = jax.eval_shape(network.apply, params, inputs)
            assert (found.shape, found.dtype) == ((*inputs.shape[:-1], 3), dtype)


@pytest.mark.parametrize("name", SMALL)
def test_it_learns_in_single_precision(name):
    """To square a field and add the mean of it, which is neither linear nor local."""
    network = SMALL[name].clone(periodic=(False, True))
    lat, lon = np.linspace(-1.0, 1.0, 9)[:, None], 2 * np.pi * np.arange(12) / 12
    basis = np.stack([np.cos(lon) + 0 * lat, np.sin(lon) * lat, lat**2 + 0 * lon])
    fields = np.einsum("bk,kij->bij", np.random.default_rng(0).normal(size=(6, 3)), basis)
    target = fields**2 + np.mean(fields**2, axis=(1, 2), keepdims=True)
    x = jnp.asarray(np.stack([fields, 0 * fields + lat], axis=-1), "float32")
    y = jnp.asarray(target[..., None], "float32")

    def loss(params):
        return jnp.mean((jax.vmap(lambda one: network.apply(params, one))(x) - y) ** 2)

    @partial(jax.jit, compiler_options=QUICK)
    def step(state, count):
        params, mean, square = state
        value, slope = jax.value_and_grad(loss)(params)
        mean = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, mean, slope)
        square = jax.tree.map(lambda s, g: 0.99 * s + 0.01 * g**2, square, slope)
        rate = 1e-2 * jnp.sqrt(1.0 - 0.99**count) / (1.0 - 0.9**count)
        params = jax.tree.map(
            lambda p, m, s: p - rate * m / (jnp.sqrt(s) + 1e-8), params, mean, square
        )
        return (params, mean, square), value, slope

    params = made(network, *x.shape[1:], size=0.3, dtype="float32")
    state = params, *[jax.tree.map(jnp.zeros_like, params)] * 2
    for count in range(1, 101):
        state, value, slope = step(state, jnp.float32(count))
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(slope))
    assert value < 0.25 * jnp.var(y), float(value / jnp.var(y))


@pytest.mark.parametrize("name", ["factorized", "uno"])
def test_both_transforms_give_the_same(name):
    """With more waves on the second axis than its nodes bear."""
    network = SMALL[name].clone(periodic=(True, False), modes=(3, 6))
    x = noise(9, 8, 2)
    params = made(network, *x.shape)
    found = [applied(network.clone(transform=t), params, x) for t in ("dft", "fft")]
    np.testing.assert_allclose(*found, atol=1e-11)


@pytest.mark.parametrize("name", [*SPECTRAL, "unet"])
def test_shifts_of_periodic_axes_shift_the_answer(name):
    """By a node of the coarsest grid."""
    network = SMALL[name].clone(periodic=(True, True))
    x, by = noise(12, 16, 2), (2, 6)
    params = made(network, *x.shape)
    found = applied(network, params, jnp.roll(x, by, (0, 1)))
    np.testing.assert_allclose(found, jnp.roll(applied(network, params, x), by, (0, 1)), atol=1e-11)
    assert jnp.std(found) > 1e-3


def test_the_ends_of_other_axes_are_no_neighbours():
    """Shifts of an axis that is not periodic do not commute."""
    network = SMALL["unet"].clone(periodic=(True, False))
    x = noise(12, 16, 2)
    params = made(network, *x.shape)
    found = applied(network, params, jnp.roll(x, 4, 1))
    assert jnp.max(jnp.abs(found - jnp.roll(applied(network, params, x), 4, 1))) > 1e-2


@pytest.mark.parametrize("name", SPECTRAL)
def test_what_spectral_networks_refuse(name):
    with pytest.raises(PinnlabError, match=r"network\.modes: 3 numbers for 2 axes"):
        made(SMALL[name].clone(modes=(4, 4, 4)), 8, 8, 1)
    with pytest.raises(PinnlabError, match=r"unknown transform \(network\.transform\) 'fast'"):
        made(SMALL[name].clone(transform="fast"), 8, 8, 1)


# ---------------------------------------------------------------- the linear layers


def band_limited(*shape):
    """(*n, 2): two functions of waves up to the second, on the nodes of any grid of [0, 1)."""
    nodes = np.meshgrid(*[np.arange(n) / n for n in shape], indexing="ij")
    fields = []
    for seed in range(2):
        random, field = np.random.default_rng(seed), 0.0
        for _ in range(6):
            waves, size, phase = random.integers(-2, 3, len(shape)), *random.normal(size=2)
            turn = sum(k * x for k, x in zip(waves, nodes, strict=True))
            field = field + size * np.cos(2 * np.pi * turn + phase)
        fields.append(field)
    return jnp.asarray(np.stack(fields, axis=-1))


@pytest.mark.parametrize("transform", ["dft", "fft"])
@pytest.mark.parametrize("dims", [1, 3])
@pytest.mark.parametrize("kind", ["factorized", "resizing"])
def test_spectral_layers_agree_on_all_grids(kind, dims, transform):
    """Also on one that has fewer waves than the layer, but all of the field's."""
    coarse, fine = (6,) * dims, (12, 18, 12)[:dims]

    def on(shape, half):
        if kind == "factorized":
            return FactorizedConvolution(3, (4,) * dims, 0.5, transform), shape
        grid = tuple(n // 2 if half else n + 1 for n in shape)
        return SpectralConvolution(3, (4,) * dims, transform, grid), grid

    params = made(on(fine, False)[0], *fine, 2)
    layer, _ = on(fine, half=True)
    expected = applied(layer, params, band_limited(*fine))
    found = applied(on(coarse, half=False)[0], params, band_limited(*coarse))
    if kind == "factorized":
        expected = expected[tuple(slice(None, None, n // 6) for n in fine)]
        np.testing.assert_allclose(found, expected, atol=1e-12)
    else:  # both answers are known by waves up to the second
        np.testing.assert_allclose(
            resampled(found, (24,) * dims, (True,) * dims),
            resampled(expected, (24,) * dims, (True,) * dims),
            atol=1e-12,
        )


def test_low_rank_is_a_dense_weight_made_of_factors():
    """Contracted one way and the other; and with all ranks any weight can be said."""
    x = noise(10, 12, 6)
    for features, rank, apart in [(6, 0.2, True), (6, 1.0, False)]:
        layer = FactorizedConvolution(features, (3, 4), rank)
        params = made(layer, *x.shape)
        p = params["params"]
        core = p["core"]
        assert _apart([10, 12], (3, 4), (6, features), core.shape[-3:-1], "dft") == apart
        factors = (p["waves_0"], p["waves_1"], p["into"], p["out"])
        weight = np.einsum("abpqz,ka,lb,cp,oq->klozc", core, *factors)
        expected = convolve(x, jnp.asarray(weight), (3, 4), "fft")
        np.testing.assert_allclose(applied(layer, params, x), expected, atol=1e-12)
        assert jnp.std(expected) > 1e-3
    dense = SpectralConvolution(6, (3, 4))
    own = made(dense, *x.shape)
    whole = {
        "core": jnp.moveaxis(own["params"]["weight"], -1, -3),
        "into": jnp.eye(6),
        "out": jnp.eye(6),
    }
    whole |= {"waves_0": jnp.eye(6), "waves_1": jnp.eye(4)}
    np.testing.assert_allclose(
        applied(layer, {"params": whole}, x), applied(dense, own, x), atol=1e-12
    )


def test_few_weights_remain():
    def size(network):
        params = jax.eval_shape(network.init, jax.random.key(0), jnp.zeros((32, 32, 1)))
        return sum(leaf.size for leaf in jax.tree.leaves(params))

    whole, half = (size(FactorizedFno(32, 1, 8, rank)) for rank in (1.0, 0.5))
    weight = 16 * 8 * 32 * 32 * 2
    assert whole - half == weight - weight // 16 + (16**2 + 8**2 + 2 * 32**2) // 2


def test_a_rank_out_of_its_range():
    with pytest.raises(PinnlabError, match=r"network\.rank must be above 0 and at most 1, got 2"):
        made(FactorizedFno(4, 1, 2, rank=2.0), 8, 1)


@pytest.mark.parametrize("n, m", [(16, 8), (8, 16), (9, 5), (5, 9), (7, 7)])
def test_resampling(n, m):
    """Waves that both grids bear on periodic axes; constants and, inside, straight lines on others,
    with neither of the two directions preferred."""
    x, y = (2 * np.pi * np.arange(k) / k for k in (n, m))
    wave = (min(n, m) - 1) // 2
    for f in (np.ones_like, lambda t: np.cos(wave * t + 0.3)):
        found = resampled(jnp.asarray(f(x))[:, None], (m,), (True,))[:, 0]
        np.testing.assert_allclose(found, f(y), atol=1e-13)
    found = resampled(jnp.ones((n, 1)), (m,), (False,))
    np.testing.assert_allclose(found, jnp.ones((m, 1)), atol=1e-13)
    if max(n, m) == 2 * min(n, m):
        inside = (y >= x[1]) & (y <= x[-2])
        found = resampled(jnp.asarray(x)[:, None], (m,), (False,))[:, 0]
        np.testing.assert_allclose(found[inside], y[inside], atol=1e-13)


# ---------------------------------------------------------------- U-Net


@pytest.mark.parametrize("beyond, mode", [("reflect", "mirror"), ("zero", "constant")])
@pytest.mark.parametrize("stride", [1, 2])
def test_convolutions_beside_those_of_scipy(beyond, mode, stride):
    layer, x = Convolution(2, beyond, (True, False), stride), noise(7, 6, 3)
    params = made(layer, *x.shape)
    kernel, bias = (np.asarray(params["params"][name]) for name in ("kernel", "bias"))
    inputs = np.pad(jnp.moveaxis(x, -1, 0), [(0, 0), (1, 1), (0, 0)], mode="wrap")
    expected = [
        sum(
            ndimage.correlate(one, k, mode=mode)[1:-1:stride, ::stride]
            for one, k in zip(inputs, kernels, strict=True)
        )
        for kernels in kernel.transpose(3, 2, 0, 1)
    ]
    expected = np.stack(expected, axis=-1) + bias
    np.testing.assert_allclose(applied(layer, params, x), expected, atol=1e-12)


def test_normalized_groups():
    """Eight groups of two channels."""
    x, initial = 5.0 + 3.0 * noise(6, 7, 16), {"scale": jnp.ones(16), "bias": jnp.zeros(16)}
    found = jnp.moveaxis(applied(Normalized(), {"params": initial}, x), -1, 0).reshape(8, -1)
    np.testing.assert_allclose(found.mean(axis=1), np.zeros(8), atol=1e-12)
    np.testing.assert_allclose((found**2).mean(axis=1), np.ones(8), rtol=1e-5)


def test_grids_too_small_to_be_halved():
    with pytest.raises(PinnlabError, match=r"network\.depth: 3 halvings.* 8 x 20 .*at most 2"):
        made(UNet(4, 3), 8, 20, 1)
    made(UNet(2, 3), 9, 1)
    with pytest.raises(PinnlabError, match=r"unknown rule \(network\.beyond\) 'mirror'"):
        made(UNet(4, 1, beyond="mirror"), 8, 1)


# ---------------------------------------------------------------- Transolver


def test_points_have_no_order_and_copies_no_weight():
    """Any permutation of the points permutes the answer; every point twice answers the same."""
    network, x = SMALL["transolver"], noise(15, 3)
    params = made(network, *x.shape)
    expected = applied(network, params, x)
    order = np.random.default_rng(3).permutation(15)
    np.testing.assert_allclose(applied(network, params, x[order]), expected[order], atol=1e-12)
    twice = applied(network, params, jnp.repeat(x, 2, axis=0))
    np.testing.assert_allclose(twice[::2], expected, atol=1e-12)
    far = applied(network, params, x.at[0].add(1.0))
    assert jnp.max(jnp.abs(far - expected)[1:]) > 1e-5  # each sees the others


def test_one_slice_is_the_mean():
    layer, x = SliceAttention(1, 1), noise(6, 4)
    params = made(layer, *x.shape)
    p, expected = params["params"], x.mean(axis=0)
    for name in ("Dense_0", "Dense_4", "Dense_5"):  # values, values of the slice, the answer
        expected = expected @ p[name]["kernel"] + p[name].get("bias", jnp.zeros(4))
    found = applied(layer, params, x)
    np.testing.assert_allclose(found, np.broadcast_to(expected, x.shape), rtol=1e-6)


def test_nodes_of_periodic_axes_know_their_place():
    x = jnp.ones((6, 8, 1))
    for periodic, differ in [((False, True), (1,)), ((), ())]:
        network = SMALL["transolver"].clone(periodic=periodic)
        found = applied(network, made(network, *x.shape), x)[..., 0]
        for axis in range(2):
            assert (jnp.ptp(found, axis=axis).max() > 1e-4) == (axis in differ)


def test_channels_that_cannot_be_shared_by_the_heads():
    with pytest.raises(PinnlabError, match=r"network\.width must be a multiple.*\(3\), got 8"):
        made(Transolver(8, heads=3), 5, 2)


# ---------------------------------------------------------------- the sphere


def test_rotations_about_the_poles_turn_the_answer():
    network, x = SMALL["sfno"].clone(periodic=(False, True)), noise(9, 16, 2)
    params = made(network, *x.shape)
    expected = jnp.roll(applied(network, params, x), 5, 1)
    np.testing.assert_allclose(applied(network, params, jnp.roll(x, 5, 1)), expected, atol=1e-12)


def polynomials(x, y, z):
    return np.stack([x * y + 0.3 * z, 1.0 + z**3 - 2.0 * x * z])


def test_every_rotation_commutes_with_the_layer():
    """The one that takes x to y to z, of polynomials, on grids of two sizes."""
    layer = DegreeConvolution(3, 5)
    params = made(layer, 7, 12, 2)

    def answer(f, h):
        lat, lon = np.deg2rad(h.latitudes)[:, None], np.deg2rad(h.longitudes)
        place = np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat) + 0.0 * lon
        values = applied(layer, params, jnp.moveaxis(jnp.asarray(f(*place)), 0, -1))
        return h.analysis(jnp.moveaxis(values, -1, 0)), place

    turned, (x, y, z) = answer(lambda x, y, z: polynomials(y, z, x), Harmonics(7, 12, 5))
    found = Harmonics(7, 12, 5).synthesis(turned)
    straight, _ = answer(polynomials, Harmonics(10, 20, 5))
    lat, lon = np.rad2deg(np.arcsin(x)), np.rad2deg(np.arctan2(z, y))  # of the point (y, z, x)
    expected = Harmonics(10, 20, 5).scattered(straight, lat.ravel(), lon.ravel())
    np.testing.assert_allclose(found.reshape(3, -1), expected, atol=1e-12)


def test_harmonics_are_multiplied_by_the_weight_of_their_degree():
    layer, h = DegreeConvolution(1, 4), Harmonics(8, 16, 6)
    params = made(layer, 8, 16, 1)
    weight = params["params"]["weight"]
    for degree, order in [(0, 0), (2, 1), (3, 3), (5, 2)]:
        wave = h.synthesis(jnp.zeros(h.shape).at[degree, order].set(1.0))
        factor = weight[degree, 0, 0] if degree < 4 else 0.0
        found = applied(layer, params, wave[..., None])[..., 0]
        np.testing.assert_allclose(found, factor * wave, atol=1e-13)


def test_what_is_no_sphere():
    with pytest.raises(PinnlabError, match=r"Sfno needs a grid of two axes.*3 axes"):
        made(SMALL["sfno"], 6, 7, 8, 1)
    with pytest.raises(PinnlabError, match=r"periodic: \[True, True\]"):
        made(SMALL["sfno"].clone(periodic=(True, True)), 6, 8, 1)
    with pytest.raises(PinnlabError, match=r"network\.modes: at least two degrees, got 1"):
        made(Sfno(4, 1, 1), 6, 8, 1)
