"""Spectral convolutions and Fourier neural operators: what NumPy's transform says they are."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pinnlab.core import PinnlabError
from pinnlab.networks import Fno
from pinnlab.networks.pointwise import continued
from pinnlab.networks.spectral import SpectralConvolution, convolve

SHAPES = {
    (16,): (5,),
    (9,): (4,),
    (8, 9): (3, 4),
    (7, 12): (2, 5),
    (6, 5, 8): (2, 2, 3),
}


def noise(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def rows(modes):
    return (*(2 * k for k in modes[:-1]), modes[-1])


def weights(modes, channels=2, features=3):
    return noise(*rows(modes), features, 2, channels, seed=1)


def by_numpy(x, weight, modes):
    """The sum over waves, one by one, from numpy.fft.fftn of the whole field.

    A wave of the last axis and its negative are one real wave; the constant of the last axis is
    its own negative, where the real part is taken.
    """
    axes = tuple(range(x.ndim - 1))
    shape, spectrum = x.shape[:-1], np.fft.fftn(x, axes=axes)
    complex_weight = weight[..., 0, :] + 1j * weight[..., 1, :]
    total = np.zeros((*shape, weight.shape[-3]))
    places = np.meshgrid(*[np.arange(n) / n for n in shape], indexing="ij")
    for row in np.ndindex(*rows(modes)):
        split = list(zip(row, modes, strict=True))
        k = [r if r < m else r - 2 * m for r, m in split]
        values = complex_weight[row] @ spectrum[tuple(k)]
        wave = np.exp(2j * np.pi * sum(a * p for a, p in zip(k, places, strict=True)))
        both = 1.0 if k[-1] == 0 else 2.0
        total += both * np.real(values * wave[..., None]) / np.prod(shape)
    return total


@pytest.mark.parametrize("transform", ["dft", "fft"])
@pytest.mark.parametrize("shape", SHAPES)
def test_it_is_the_sum_over_the_kept_waves(shape, transform):
    modes = SHAPES[shape]
    x, weight = noise(*shape, 2), weights(modes)
    found = convolve(jnp.asarray(x), jnp.asarray(weight), modes, transform)
    np.testing.assert_allclose(found, by_numpy(x, weight, modes), atol=1e-12)


@pytest.mark.parametrize("shape", [(8,), (9,), (8, 6), (7, 9), (4, 5, 6)])
def test_both_transforms_agree_with_all_the_waves_of_a_grid(shape):
    """More modes than the grid has; the wave of two nodes is dropped on every axis."""
    network = SpectralConvolution(3, tuple(n + 2 for n in shape))
    x = jnp.asarray(noise(*shape, 2))
    params = network.init(jax.random.key(0), x)
    one = network.apply(params, x)
    two = network.clone(transform="fft").apply(params, x)
    np.testing.assert_allclose(one, two, atol=1e-12)
    assert one.shape == (*shape, 3) and np.std(one) > 1e-3
    if shape[-1] % 2 == 0:
        shortest = jnp.broadcast_to(jnp.asarray((-1.0) ** np.arange(shape[-1]))[:, None], x.shape)
        np.testing.assert_allclose(network.apply(params, shortest), 0.0, atol=1e-12)


@pytest.mark.parametrize("transform", ["dft", "fft"])
def test_a_multiplier_that_turns_phases_is_a_shift(transform):
    """exp(-ik h) of every wave moves a function by h, which may be no whole number of nodes."""
    n, modes, h = 24, 8, 0.3
    place = 2 * np.pi * np.arange(n) / n

    def function(x):
        return 0.5 + np.cos(3 * x) - 2.0 * np.sin(7 * x)

    turn = np.exp(-1j * np.arange(modes) * h)
    weight = np.stack([turn.real, turn.imag], axis=-1)[:, None, :, None]
    found = convolve(
        jnp.asarray(function(place)[:, None]), jnp.asarray(weight), (modes,), transform
    )
    np.testing.assert_allclose(found[:, 0], function(place - h), atol=1e-12)


@pytest.mark.parametrize("transform", ["dft", "fft"])
def test_waves_beyond_the_kept_ones_leave_nothing(transform):
    """No aliases: neither of long waves nor of short ones."""
    place = 2 * np.pi * np.arange(20) / 20
    for k in range(4, 11):
        x = jnp.asarray(np.cos(k * place + (0.0 if k == 10 else 0.4))[:, None])
        found = convolve(x, jnp.asarray(weights((4,), 1)), (4,), transform)
        np.testing.assert_allclose(found, 0.0, atol=1e-12)


@pytest.mark.parametrize("transform", ["dft", "fft"])
@pytest.mark.parametrize(("coarse", "fine"), [((12,), (18,)), ((9, 10), (18, 30))])
def test_band_limited_functions_are_the_same_on_any_grid(transform, coarse, fine):
    """Nodes that both grids have: every common divisor of the sizes."""
    modes = (3,) * len(coarse)
    low = noise(*[2 * k + 1 for k in modes], 2, seed=2)

    def on(shape):
        axes = tuple(range(len(shape)))
        spectrum = np.fft.fftn(low, axes=axes)
        full = np.zeros((*shape, 2), complex)
        k = np.ix_(*[np.r_[0 : m + 1, -m:0] for m in modes])
        full[k] = spectrum[k]
        return np.fft.ifftn(full, axes=axes).real * np.prod(shape) / low[..., 0].size

    weight = jnp.asarray(weights(modes))
    found = [
        np.asarray(convolve(jnp.asarray(on(shape)), weight, modes, transform))
        for shape in (coarse, fine)
    ]
    common = [np.gcd(a, b) for a, b in zip(coarse, fine, strict=True)]
    one, two = (
        f[tuple(slice(None, None, n // c) for n, c in zip(s, common, strict=True))]
        for f, s in zip(found, (coarse, fine), strict=True)
    )
    np.testing.assert_allclose(one, two, atol=1e-12)


def test_a_coarse_grid_takes_the_waves_that_it_has():
    """The same weights belong to the same waves, of both signs."""
    network = SpectralConvolution(1, (6, 6))
    fine, coarse = 20, 8  # with waves to 3 on the coarse one
    place = [2 * np.pi * np.arange(n) / n for n in (fine, coarse)]
    params = network.init(jax.random.key(1), jnp.zeros((fine, fine, 1)))
    for k, j in ((2, 3), (-3, 1), (0, 2), (-2, 0), (3, 3)):
        one, two = (
            np.asarray(
                network.apply(params, jnp.cos(k * p[:, None] + j * p[None] + 0.3)[..., None])
            )
            for p in map(jnp.asarray, place)
        )
        np.testing.assert_allclose(one[::5, ::5], two[::2, ::2], atol=1e-12)


def test_single_precision_agrees_with_double():
    x, weight = noise(16, 12, 2), weights((4, 4))
    double = convolve(jnp.asarray(x), jnp.asarray(weight), (4, 4), "dft")
    for transform in ("dft", "fft"):
        single = convolve(*(jnp.asarray(a, "float32") for a in (x, weight)), (4, 4), transform)
        assert single.dtype == "float32"
        np.testing.assert_allclose(single, double, atol=2e-5)


# ---------------------------------------------------------------- the network


def made(network, *shape, seed=5):
    rng = np.random.default_rng(seed)
    asked = jax.eval_shape(network.init, jax.random.key(0), jax.ShapeDtypeStruct(shape, "float64"))
    return jax.tree.map(lambda p: jnp.asarray(0.5 * rng.normal(size=p.shape)), asked)


@pytest.mark.parametrize("transform", ["dft", "fft"])
@pytest.mark.parametrize("residual", [True, False])
def test_shifts_of_periodic_axes_shift_the_answer(transform, residual):
    network = Fno(5, 2, 3, transform=transform, residual=residual, periodic=(True, True))
    x = noise(10, 12, 2)
    params = made(network, *x.shape)
    apply = jax.jit(network.apply)
    found, moved = (apply(params, jnp.asarray(a)) for a in (x, np.roll(x, (3, 5), (0, 1))))
    np.testing.assert_allclose(moved, np.roll(found, (3, 5), (0, 1)), atol=1e-11)
    assert np.std(found) > 1e-2


def test_it_agrees_with_itself_on_finer_grids_as_they_grow():
    """Up to the waves that the activation makes."""
    network = Fno(5, 2, 3, transform="dft", periodic=(True,))
    params = made(network, 16, 1)

    def on(n):
        x = 2 * np.pi * np.arange(n) / n
        wave = np.sin(x) + 0.5 * np.cos(2 * x + 0.3)
        found = jax.jit(network.apply)(params, jnp.asarray(wave[:, None]))
        return np.asarray(found)[:: n // 16]

    errors = [np.max(np.abs(on(n) - on(2 * n))) for n in (16, 32, 64)]
    assert errors[1] < 0.3 * errors[0] and errors[2] < 0.3 * errors[1] and errors[2] < 1e-2, errors


def test_axes_with_ends_are_continued_by_zeros_that_do_not_show():
    x = jnp.asarray(noise(8, 10, 2))
    padded = continued(x, (False, True), 0.25)
    assert padded.shape == (10, 10, 2) and not np.any(padded[8:])
    np.testing.assert_array_equal(padded[:8], x)
    assert continued(x, (True, True), 0.25) is x and continued(x, (), 0.25) is x
    network = Fno(4, 1, 3, transform="dft", periodic=(False, True))
    params = made(network, *x.shape)
    found = network.apply(params, x)
    assert found.shape == (8, 10, 1)
    ring = network.clone(periodic=(True, True)).apply(params, x)
    assert np.max(np.abs(found - ring)) > 1e-3
    # still a shift along the axis that goes round
    moved = network.apply(params, jnp.roll(x, 4, 1))
    np.testing.assert_allclose(moved, jnp.roll(found, 4, 1), atol=1e-11)


def test_at_first_layers_neither_grow_nor_fade():
    network = Fno(32, 4, 8, transform="dft", periodic=(True,))
    x = jnp.asarray(noise(64, 1))
    params = jax.jit(network.init)(jax.random.key(0), x)
    found = jax.jit(network.apply)(params, x)
    assert 1e-2 < np.std(found) < 10.0


def test_wrong_settings():
    x = jnp.asarray(noise(8, 8, 1))
    with pytest.raises(PinnlabError, match=r"network.modes: 1 numbers for 2 axes"):
        Fno(4, 1, (3,)).init(jax.random.key(0), x)
    with pytest.raises(PinnlabError, match=r"network.transform\) 'dct'.*dft, fft"):
        Fno(4, 1, 3, transform="dct").init(jax.random.key(0), x)
