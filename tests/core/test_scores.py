"""Scores of predicted fields: exact values, Parseval, invariances, and what they refuse."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pinnlab.core import PinnlabError, scores

SEEDS = st.integers(0, 2**32 - 1)
few = settings(max_examples=25, deadline=None)


def noise(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape)


def wave(n, k, phase=0.0):
    return np.cos(2 * np.pi * k * np.arange(n) / n + phase)


# ---------------------------------------------------------------- norms


def test_norms_of_small_cases():
    truth = np.array([[3.0, 4.0], [0.0, 0.0], [1.0, 1.0]])
    predicted = np.array([[3.0, 3.0], [0.0, 2.0], [1.0, 1.0]])
    np.testing.assert_allclose(scores.relative_l2(predicted, truth), [0.2, 2.0, 0.0], rtol=1e-15)
    np.testing.assert_allclose(scores.nrmse(predicted, truth), [0.2, 2.0, 0.0], rtol=1e-15)


def test_nrmse_counts_every_time_alike():
    """A solution that decays to a tenth, with an error of 1 % and then of 50 %."""
    truth = np.stack([wave(16, 1), 0.1 * wave(16, 1)])[None]
    predicted = truth * np.array([1.01, 1.5])[:, None]
    np.testing.assert_allclose(scores.nrmse(predicted, truth, dims=1), [0.255], rtol=1e-12)
    expected = math.sqrt((0.01**2 + 0.05**2) / 1.01)
    np.testing.assert_allclose(scores.relative_l2(predicted, truth), [expected], rtol=1e-12)
    np.testing.assert_allclose(scores.nrmse(predicted, truth), [expected], rtol=1e-12)


@few
@given(SEEDS, st.floats(1e-6, 1e6))
def test_norms_know_no_units_and_no_order(seed, scale):
    truth, predicted = noise(seed, 5, 3, 8), noise(seed + 1, 5, 3, 8)
    order = np.random.default_rng(seed).permutation(5)
    nodes = np.random.default_rng(seed).permutation(8)
    for score in (scores.relative_l2, lambda p, u: scores.nrmse(p, u, dims=1)):
        made = score(predicted, truth)
        np.testing.assert_allclose(score(-scale * predicted, -scale * truth), made, rtol=1e-12)
        np.testing.assert_array_equal(score(predicted[order], truth[order]), made[order])
        shuffled = score(predicted[..., nodes], truth[..., nodes])
        np.testing.assert_allclose(shuffled, made, rtol=1e-12)


def test_a_prediction_that_blew_up_has_an_infinite_error():
    truth = np.ones((2, 4))
    predicted = np.array([[1e200] * 4, [np.nan, 1, 1, 1]])
    made = scores.relative_l2(predicted, truth)
    assert made[0] == np.inf and np.isnan(made[1])
    assert np.isnan(scores.relative_l2([[np.inf]], [[np.inf]])[0])
    errors = scores.band_errors(predicted, truth, dims=1, edges=(1,))
    assert errors.bands[0, 0] == errors.spectrum[0] == np.inf and np.isnan(errors.spectrum[1])


# ---------------------------------------------------------------- spectra


@pytest.mark.parametrize("n", [16, 17])
@pytest.mark.parametrize("k", [0, 1, 5, 8])
def test_a_pure_wave_is_in_its_shell(n, k):
    numbers, energy = scores.spectrum(3.0 * wave(n, k), dims=1)
    expected = np.where(numbers == k, 9.0 if 2 * k in (0, n) else 4.5, 0.0)
    np.testing.assert_allclose(energy, expected, atol=1e-13)
    np.testing.assert_array_equal(numbers, np.arange(n // 2 + 1))


@pytest.mark.parametrize("halves, shell", [(0, 0), (1, 1), (2, 1), (3, 2), (16, 8)])
def test_a_cosine_between_ends_is_in_its_shell(halves, shell):
    """Half waves round upwards; the highest one changes its sign from node to node."""
    u = np.cos(np.pi * halves * np.linspace(0, 1, 17))
    numbers, energy = scores.spectrum(u, dims=1, periodic=False)
    mean = 1.0 if halves in (0, 16) else 0.5
    np.testing.assert_allclose(energy, np.where(numbers == shell, mean, 0.0), atol=1e-14)


@pytest.mark.parametrize("k, shell", [((3, 0), 3), ((0, -3), 3), ((3, 4), 5), ((1, -1), 1)])
def test_waves_in_the_plane_are_in_circular_shells(k, shell):
    i, j = np.meshgrid(np.arange(16), np.arange(12), indexing="ij")
    u = np.sin(2 * np.pi * (k[0] * i / 16 + k[1] * j / 12))
    numbers, energy = scores.spectrum(np.stack([u, 2 * u]), dims=2)
    expected = np.where(numbers == shell, 0.5, 0.0)
    np.testing.assert_allclose(energy, [expected, 4 * expected], atol=1e-14)


def test_waves_and_half_waves_together():
    """Three waves round the first axis, four half waves along the second: 3² + 2² = 3.6²."""
    around, along = wave(10, 3), np.cos(4 * np.pi * np.linspace(0, 1, 13))
    u = around[:, None] * along
    for values, periodic in ((u, (True, False)), (u.T, (False, True))):
        numbers, energy = scores.spectrum(values, 2, periodic)
        np.testing.assert_allclose(energy, np.where(numbers == 4, 0.25, 0.0), atol=1e-14)


@few
@given(
    SEEDS,
    st.lists(st.tuples(st.integers(2, 9), st.booleans()), min_size=1, max_size=3),
    st.floats(1e-3, 1e3),
)
def test_parseval(seed, axes, scale):
    """The shells hold the mean square, trapezoidal along axes with ends."""
    shape = [n for n, _ in axes]
    u = scale * noise(seed, 2, *shape)
    _, energy = scores.spectrum(u, len(axes), [around for _, around in axes])
    weights = np.ones(())
    for n, around in axes:
        w = np.full(n, 1.0 / n)
        if not around:
            w = np.where(np.isin(np.arange(n), (0, n - 1)), 0.5, 1.0) / (n - 1)
        weights = weights[..., None] * w
    expected = (weights * u**2).sum(axis=tuple(range(1, u.ndim)))
    np.testing.assert_allclose(energy.sum(axis=1), expected, rtol=1e-12)


def test_ends_that_differ_do_not_leak_as_a_jump_does():
    """A ramp: the energy beyond 16 waves falls as 1/k³ with cosines, as 1/k with waves around."""
    ramp = np.linspace(-1, 1, 257)
    high = {}
    for periodic in (True, False):
        numbers, energy = scores.spectrum(ramp, 1, periodic)
        high[periodic] = energy[numbers > 16].sum()
    assert high[False] < 1e-3 * high[True]


# ---------------------------------------------------------------- bands


def test_each_band_shows_its_own_error():
    low, middle, high = wave(64, 2), wave(64, 6), wave(64, 20)
    truth = (low + 0.1 * middle + 0.01 * high)[None]
    predicted = (1.01 * low + 0.12 * middle)[None]
    errors = scores.band_errors(predicted, truth, dims=1)
    np.testing.assert_allclose(errors.bands, [[0.01, 0.2, 1.0]], rtol=1e-9)
    held, made = np.array([1, 1e-2, 1e-4]), np.array([1.01**2, 0.12**2, 0])
    expected = np.linalg.norm(made - held) / np.linalg.norm(held)
    np.testing.assert_allclose(errors.spectrum, [expected], rtol=1e-9)


def test_an_edge_belongs_to_the_upper_band():
    truth, off = wave(64, 4)[None] + wave(64, 1)[None], 0.1 * wave(64, 4)[None]
    errors = scores.band_errors(truth + off, truth, dims=1, edges=(4,))
    assert errors.edges == (4.0,)
    np.testing.assert_allclose(errors.bands, [[0.0, 0.1]], atol=1e-12)


def test_a_shifted_copy_has_the_right_spectrum_and_the_wrong_field():
    truth = (wave(64, 3) + 0.3 * wave(64, 7, 0.4))[None]
    shifted = np.roll(truth, 5, axis=1)
    errors = scores.band_errors(shifted, truth, dims=1)
    assert errors.spectrum[0] < 1e-12
    # Two waves that are apart by an angle: a chord of the circle.
    expected = 2 * np.abs(np.sin(np.pi * 5 * np.array([3, 7]) / 64))
    np.testing.assert_allclose(errors.bands[0, :2], expected, rtol=1e-12)
    assert scores.relative_l2(shifted, truth)[0] > 0.7


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_band_that_holds_rounding_alone_has_no_relative_error(dtype):
    truth = (1 + wave(64, 2)).astype(dtype)[None]
    bands = scores.band_errors(1.1 * truth, truth, dims=1).bands
    np.testing.assert_allclose(bands[0, 0], 0.1, rtol=1e-6)
    assert np.isnan(bands[0, 1:]).all()


def test_bands_of_a_roll_out_take_all_times_together():
    truth = np.stack([wave(32, 1), 3 * wave(32, 1)])[None]
    predicted = truth + np.stack([wave(32, 1), 0 * wave(32, 1)])
    bands = scores.band_errors(predicted, truth, dims=1, edges=(4,)).bands
    np.testing.assert_allclose(bands[0, 0], math.sqrt(0.1), rtol=1e-12)


@few
@given(SEEDS, st.floats(1e-3, 1e3))
def test_bands_know_no_units_and_no_order(seed, scale):
    truth, predicted = noise(seed, 4, 9, 8), noise(seed + 1, 4, 9, 8)
    order = np.random.default_rng(seed).permutation(4)
    options = {"dims": 2, "edges": (2, 3), "periodic": (False, True)}
    made = scores.band_errors(predicted, truth, **options)
    scaled = scores.band_errors(scale * predicted, scale * truth, **options)
    np.testing.assert_allclose(scaled.bands, made.bands, rtol=1e-10)
    np.testing.assert_allclose(scaled.spectrum, made.spectrum, rtol=1e-10)
    ordered = scores.band_errors(predicted[order], truth[order], **options)
    np.testing.assert_array_equal(ordered.bands, made.bands[order])


# ---------------------------------------------------------------- roll-outs


def turned(angles, n=32):
    """Waves whose correlation with the unturned one is the cosine of the angle."""
    return np.stack([wave(n, 1, angle) for angle in angles])


def test_correlation_time_is_interpolated():
    """Correlations of 1, 0.9, 0.7, 0.95: below 0.8 first half way from t = 1 to t = 4."""
    truth = np.stack([turned([0, 0, 0, 0])] * 3)
    angles = np.arccos([1.0, 0.9, 0.7, 0.95])
    predicted = np.stack([turned(angles), turned([0, 0, 0, 0]), turned([2.0, 0, 0, 0])])
    when, fell = scores.correlation_time(predicted, truth, [0.0, 1.0, 4.0, 5.0])
    np.testing.assert_allclose(when, [2.5, 5.0, 0.0], rtol=1e-12)
    np.testing.assert_array_equal(fell, [True, False, True])
    when, _ = scores.correlation_time(predicted, truth, [0.0, 1.0, 4.0, 5.0], threshold=0.95)
    np.testing.assert_allclose(when[0], 0.5, rtol=1e-12)


def test_constant_and_infinite_fields_have_a_correlation():
    """Nothing varies in either: as good as can be. In one alone, or after a blow-up: lost."""
    truth = np.ones((3, 3, 7)) * 0.1
    truth[1:, 1:] = wave(7, 1)
    predicted = np.array(truth)
    predicted[0] = 0.3
    predicted[0, :, ::2] = np.nextafter(0.3, 1.0)
    predicted[1, 2] = 0.1
    predicted[2, 2, 3] = np.inf
    when, fell = scores.correlation_time(predicted, truth, [0.0, 1.0, 2.0], threshold=0.5)
    np.testing.assert_allclose(when, [2.0, 1.5, 1.5])
    np.testing.assert_array_equal(fell, [False, True, True])


@few
@given(SEEDS, st.floats(1e-3, 1e3), st.floats(-1e3, 1e3), st.sampled_from([1e-150, 1.0, 1e200]))
def test_correlation_time_knows_neither_scale_nor_offset(seed, scale, offset, size):
    truth = np.cumsum(noise(seed, 4, 6, 3, 5), axis=1)
    predicted = truth + np.cumsum(noise(seed + 1, 4, 6, 3, 5), axis=1)
    times = np.cumsum(1.0 + np.abs(noise(seed, 6)))
    made = scores.correlation_time(predicted, truth, times, 0.7)
    moved = scores.correlation_time((scale * predicted + offset) * size, truth, times, 0.7)
    np.testing.assert_allclose(moved[0], made[0], rtol=1e-7)
    order = np.random.default_rng(seed).permutation(4)
    ordered = scores.correlation_time(predicted[order], truth[order], times, 0.7)
    for one, other in zip(ordered, made, strict=True):
        np.testing.assert_array_equal(one, other[order])


def test_drift_is_relative_to_what_there_was():
    weights = np.array([[0.5], [1.0], [0.5]]) * np.array([[1.0, 2.0]])
    u = np.ones((2, 3, 3, 2))
    u[0, 1:] = [[[1.1]], [[0.8]]]
    u[1, :, 0, :], u[1, :, 2, :], u[1, :, 1, :] = -1.0, 1.0, 0.0  # its integral is zero
    u[1, 2, 2, 0] = 2.0
    made = scores.drift(u, weights)
    np.testing.assert_allclose(made[0], [0.0, 0.1, -0.2], atol=1e-15)
    np.testing.assert_allclose(made[1], [0.0, 0.0, 0.5 / 3.0], atol=1e-15)
    np.testing.assert_allclose(scores.drift(7.0 * u, weights), made, atol=1e-15)
    np.testing.assert_allclose(scores.drift(u, 7.0 * weights), made, atol=1e-15)
    np.testing.assert_array_equal(scores.drift(u[::-1], weights), made[::-1])


def test_drift_of_nothing_is_absolute():
    u = np.zeros((1, 2, 4))
    u[0, 1] = 3.0
    np.testing.assert_allclose(scores.drift(u, np.full(4, 0.5)), [[0.0, 6.0]])


@pytest.mark.parametrize(
    "seconds, solves",
    [
        ((600.0, 2.0, 0.5), 400.0),
        ((0.0, 2.0, 0.5), 0.0),
        ((600.0, 0.5, 0.5), math.inf),
        ((600.0, 0.1, 0.5), math.inf),
    ],
)
def test_break_even(seconds, solves):
    assert scores.break_even(*seconds) == solves


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda a: scores.relative_l2(a, a[:1]), r"\(4, 3, 8\).*\(1, 3, 8\)"),
        (lambda a: scores.relative_l2(a[:0], a[:0]), "not empty"),
        (lambda a: scores.relative_l2(np.ones(()), np.ones(())), "1 axes or more"),
        (lambda a: scores.nrmse(a, a, dims=3), "4 axes or more"),
        (lambda a: scores.nrmse(a, a, dims=0), "dims"),
        (lambda a: scores.spectrum(a, 4), "4 last axes"),
        (lambda a: scores.spectrum(a, 0), "dims"),
        (lambda a: scores.spectrum(a, 2, (True,)), "periodic.*not 1"),
        (lambda a: scores.spectrum(a[..., :1], 1), "two nodes"),
        (lambda a: scores.band_errors(a, a[..., :4], 1), "alike"),
        (lambda a: scores.band_errors(a, a, 3), "4 axes"),
        (lambda a: scores.band_errors(a, a, 1, edges=(4, 4)), "rise"),
        (lambda a: scores.band_errors(a, a, 1, edges=(0, 4)), "positive"),
        (lambda a: scores.correlation_time(a, a, [0.0, 1.0]), "3 times"),
        (lambda a: scores.correlation_time(a, a, [0.0, 1.0, 1.0]), "rise"),
        (lambda a: scores.correlation_time(a[0], a[0], [0.0]), "3 axes"),
        (lambda a: scores.correlation_time(a, a, [0.0, 1.0, 2.0], 1.5), "threshold"),
        (lambda a: scores.drift(a, np.ones(7)), r"\(7,\).*\(8,\)"),
        (lambda a: scores.drift(a, np.ones((3, 8))), "space"),
        (lambda a: scores.drift(a[:, 0], np.ones(8)), "times"),
        (lambda a: scores.break_even(-1.0, 1.0, 0.5), "negative"),
        (lambda a: scores.break_even(1.0, math.nan, 0.5), "finite"),
    ],
)
def test_what_does_not_match_is_refused(call, words):
    with pytest.raises(PinnlabError, match=words):
        call(noise(0, 4, 3, 8))
