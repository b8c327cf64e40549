"""Random functions: covariances in closed form, one function at any nodes, limits and refusals."""

import hydra.utils
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import kstest

from pinnlab.core import Axis, PinnlabError
from pinnlab.sampling import (
    Exponential,
    FourierSeries,
    GaussianField,
    KernelField,
    Range,
    TwoPhase,
    gaussian,
)

RING, ROD = Axis(-1.0, 2.0, periodic=True), Axis(-1.0, 2.0)
SMOOTH = GaussianField(2.0, 3.0, 3.0, modes=12, boundary="neumann")
ON_A_RING = [
    GaussianField(2.0, 3.0, 3.0, modes=12, mean=0.5),
    GaussianField(2.0, 0.0, 3.0, modes=12, zero_mean=True),
    KernelField(0.2, 1.5),
    FourierSeries(modes=4, amplitude=2.0, zero_mean=False),
    FourierSeries(modes=3, unit_max=True),
]
ON_A_ROD = [
    SMOOTH,
    GaussianField(2.0, 3.0, 3.0, modes=12, boundary="dirichlet"),
    KernelField(0.2, 1.5),
    TwoPhase(SMOOTH),
    Exponential(SMOOTH, scale=3.0),
]


def places(axis, *counts):
    """Equidistant nodes on axes of one kind, both ends included."""
    return {name: (axis, np.linspace(-1.0, 2.0, n)) for name, n in zip("xyz", counts, strict=False)}


def drawn(function, where, n, seed=0):
    draw = jax.jit(jax.vmap(lambda key: function(key, where)))
    return np.asarray(draw(jax.random.split(jax.random.key(seed), n)))


@pytest.fixture
def covariance(monkeypatch):
    """The exact covariance of a linear field: its response to each random number in turn."""

    def found(field, where):
        shapes = []

        def one_at_a_time(key, shape, dtype):
            shapes.append(shape)
            return (jnp.arange(np.prod(shape)) == key).astype(float).reshape(shape)

        with monkeypatch.context() as patch:
            patch.setattr(gaussian, "normal", one_at_a_time)
            mean = field(-1, where)
            count = np.prod(shapes[0])
            response = jax.jit(jax.vmap(lambda i: field(i, where) - mean))(jnp.arange(count))
        return np.tensordot(np.asarray(response), np.asarray(response), axes=(0, 0))

    return found


def green(boundary, tau, x, y, length=3.0):
    """Green's function of -d2/dx2 + tau^2, at distances x and y from the lower end."""
    low, high = jnp.minimum(x, y), length - jnp.maximum(x, y)
    if boundary == "periodic":
        far = tau * (0.5 * length - jnp.abs(x - y))
        return jnp.cosh(far) / (2.0 * tau * jnp.sinh(0.5 * tau * length))
    wave = jnp.sinh if boundary == "dirichlet" else jnp.cosh
    return wave(tau * low) * wave(tau * high) / (tau * jnp.sinh(tau * length))


def green_squared(boundary, tau, x, y):
    """Of (-d2/dx2 + tau^2)^2, by d/dtau (A + tau^2)^-1 = -2 tau (A + tau^2)^-2."""

    def slope(a, b):
        return -jax.grad(lambda t: green(boundary, t, a, b))(tau) / (2.0 * tau)

    return np.asarray(jax.jit(jax.vmap(lambda a: jax.vmap(lambda b: slope(a, b))(y)))(x))


@pytest.mark.parametrize("boundary", ["periodic", "neumann", "dirichlet"])
def test_the_covariance_is_a_power_of_the_laplacian(boundary, covariance):
    where = places(RING if boundary == "periodic" else ROD, 13)
    s = jnp.asarray(where["x"][1] + 1.0)
    field = GaussianField(5.0, 1.5, 2.0, modes=256, boundary=boundary, mean=7.0)
    expected = 25.0 * green_squared(boundary, 1.5, s, s)
    np.testing.assert_allclose(covariance(field, where), expected, atol=2e-7 * expected.max())
    rough = GaussianField(5.0, 1.5, 1.0, modes=2000, boundary=boundary)
    expected = np.asarray(25.0 * green(boundary, 1.5, s[:, None], s[None]))
    # what the modes leave out: the sum of (2 / L) / (pi k / L)^2 above the last is 2 L / (pi^2 k)
    np.testing.assert_allclose(covariance(rough, where), expected, atol=25.0 * 6.0 / 9.8 / 2000)


@pytest.mark.parametrize("boundary", ["neumann", "dirichlet"])
def test_waves_on_one_axis_times_cosines_or_sines_on_another(boundary, covariance):
    """The mean along the ring leaves the field of the other axis, over the ring's length."""
    field = GaussianField(5.0, 1.5, 2.0, modes=20, boundary=boundary)
    ring = Axis(0.0, 2.0, periodic=True)
    where = {"x": (ring, np.arange(41) / 20.5), "y": (ROD, np.linspace(-1.0, 2.0, 5))}
    found = covariance(field, where)
    assert found.shape == (41, 5, 41, 5)
    s = jnp.asarray(where["y"][1] + 1.0)
    expected = 25.0 * green_squared(boundary, 1.5, s, s) / 2.0
    np.testing.assert_allclose(found.mean(axis=(0, 2)), expected, atol=3e-4 * expected.max())
    # along the ring only the distance matters
    np.testing.assert_allclose(found[3, :, 10], found[20, :, 27], atol=1e-12)


def test_the_eigenvalues_of_the_unit_square(covariance):
    """Cosines of the square are eigenvectors, with 1 / (pi^2 |k|^2 + tau^2)^alpha."""
    square = Axis(0.0, 1.0)
    n = 9
    s = (np.arange(n) + 0.5) / n  # midpoints, where sums of cosines are exact
    found = covariance(
        GaussianField(1.0, 3.0, 2.0, modes=n - 1, boundary="neumann"),
        {"x": (square, s), "y": (square, s)},
    )
    for j, k in [(0, 0), (1, 0), (2, 5), (8, 8)]:
        mode = np.outer(np.cos(np.pi * j * s), np.cos(np.pi * k * s))
        applied = np.tensordot(found, mode, axes=2) / n**2
        np.testing.assert_allclose(
            applied, mode / (np.pi**2 * (j**2 + k**2) + 9.0) ** 2, atol=1e-14
        )


def test_zero_mean_drops_the_constant_alone(covariance):
    where = places(RING, 9)
    whole, rest = (GaussianField(2.0, 3.0, 1.5, zero_mean=z) for z in (False, True))
    constant = 2.0**2 * 3.0 ** (-2 * 1.5) / 3.0
    np.testing.assert_allclose(covariance(whole, where) - covariance(rest, where), constant)
    for field, axis in [(ON_A_RING[1], RING), (GaussianField(1, 2, 2, 9, "neumann", 4, True), ROD)]:
        # midpoints sum waves and cosines exactly
        middle = {"x": (axis, -1.0 + 3.0 * (np.arange(50) + 0.5) / 50)}
        values = field(jax.random.key(3), middle)
        assert float(values.mean()) == pytest.approx(field.mean, abs=1e-13)
        assert float(values.std()) > 0.01


@pytest.mark.parametrize("length", [0.03, 0.2, 2.0])
def test_the_kernel_is_the_covariance(length, covariance):
    where = places(ROD, 31)
    s = (where["x"][1] + 1.0) / 3.0
    expected = 1.5**2 * np.exp(-0.5 * ((s[:, None] - s) / length) ** 2)
    np.testing.assert_allclose(covariance(KernelField(length, 1.5), where), expected, atol=1e-11)
    image = range(-30, 31)
    expected = sum(np.exp(-0.5 * ((s[:, None] - s + i) / length) ** 2) for i in image)
    expected *= 1.5**2 / expected[0, 0]
    found = covariance(KernelField(length, 1.5), places(RING, 31))
    np.testing.assert_allclose(found, expected, atol=1e-13)


def test_kernels_multiply_over_the_axes(covariance):
    where = {"t": (Axis(0.0, 50.0, "s"), np.linspace(0.0, 50.0, 4)), **places(ROD, 5)}
    t, x = np.linspace(0.0, 1.0, 4), np.linspace(0.0, 1.0, 5)
    kernel = [np.exp(-0.5 * ((s[:, None] - s) / 0.4) ** 2) for s in (t, x)]
    expected = np.einsum("ik,jl->ijkl", *kernel)
    np.testing.assert_allclose(covariance(KernelField(0.4), where), expected, atol=1e-11)


@pytest.mark.parametrize("field", [SMOOTH, KernelField(0.2, 0.3)], ids=["laplacian", "kernel"])
def test_draws_are_normal_and_independent(field, covariance):
    n, where = 4000, places(ROD, 7)
    draws = drawn(field, where, n)
    exact = covariance(field, where)
    spread = np.sqrt(np.diag(exact))
    assert np.all(np.abs(draws.mean(axis=0)) < 4.0 * spread / np.sqrt(n))
    error = draws.T @ draws / n - exact
    assert np.all(np.abs(error) < 5.0 * np.outer(spread, spread) / np.sqrt(n))
    assert kstest(draws[:, 2] / spread[2], "norm").pvalue > 1e-3
    neighbours = np.mean(draws[1:, 2] * draws[:-1, 2]) / spread[2] ** 2
    assert abs(neighbours) < 4.0 / np.sqrt(n)


@pytest.mark.parametrize(
    ("function", "axis"), [(f, RING) for f in ON_A_RING] + [(f, ROD) for f in ON_A_ROD]
)
def test_a_key_is_one_function_at_any_nodes_in_any_dtype(function, axis):
    few, many = places(axis, 5, 9), places(axis, 17, 33)

    @jax.jit
    @jax.vmap
    def found(key):
        return function(key, few), function(key, many), function(key, few, jnp.float32)

    coarse, fine, single = found(jax.random.split(jax.random.key(5)))
    assert coarse.shape == (2, 5, 9) and coarse.dtype == "float64" and single.dtype == "float32"
    np.testing.assert_allclose(fine[:, ::4, ::4], coarse, atol=1e-12)
    np.testing.assert_allclose(single, coarse, atol=1e-5 * float(jnp.abs(coarse).max()))
    if axis.periodic:
        np.testing.assert_allclose(fine[:, 0], fine[:, -1], atol=1e-12)
        np.testing.assert_allclose(fine[:, :, 0], fine[:, :, -1], atol=1e-12)
    assert isinstance(function, TwoPhase) or not np.allclose(coarse[0], coarse[1], atol=1e-2)


@pytest.mark.parametrize("function", [ON_A_RING[0], KernelField(0.3)], ids=str)
def test_batches_and_compilation_do_not_change_a_draw(function):
    where = places(RING, 6)
    alone = function(jax.random.split(jax.random.key(0), 3)[2], where)
    np.testing.assert_allclose(drawn(function, where, 3)[2], alone, atol=1e-12)


def test_ends_keep_their_slope_or_value():
    h = 1e-4
    nodes = np.concatenate(
        [-1.0 + h * np.arange(2), 0.4 + h * np.arange(2), 2.0 - h * np.arange(2)]
    )
    where = {"x": (ROD, nodes)}
    slope = np.abs(np.diff(drawn(SMOOTH, where, 50).reshape(50, 3, 2))[..., 0] / h)
    assert np.all(slope[:, [0, 2]] < 3e-4 * slope[:, 1].max()) and slope[:, 1].max() > 0.05
    fixed = GaussianField(2.0, 3.0, 3.0, modes=12, boundary="dirichlet", mean=1.25)
    values = drawn(fixed, where, 50)
    np.testing.assert_allclose(values[:, [0, 4]], 1.25, atol=1e-14)
    assert values[:, 2].std() > 0.01


def test_a_fourier_series_has_uniform_amplitudes_and_phases():
    """As numpy's transform reads it: no wave above the last, and each as the definition says."""
    series = FourierSeries(modes=3, amplitude=2.0, zero_mean=False)
    n = 12
    nodes = -1.0 + 3.0 * np.arange(n) / n
    line = np.fft.rfft(drawn(series, {"x": (RING, nodes)}, 500)) / n
    np.testing.assert_allclose(line[:, 4:], 0.0, atol=1e-14)
    assert kstest(np.abs(line[:, 1:4]).ravel(), "uniform").pvalue > 1e-3  # A / 2 = 1
    phase = np.angle(line[:, 1:4]).ravel() / (2 * np.pi) + 0.5
    assert kstest(phase, "uniform").pvalue > 1e-3
    plane = np.fft.rfft2(drawn(series, {a: (RING, nodes) for a in "xy"}, 500)) / n**2
    np.testing.assert_allclose(plane[:, :, 4:], 0.0, atol=1e-14)
    np.testing.assert_allclose(plane[:, 4:9], 0.0, atol=1e-14)
    for index, largest in [((0, 2), 1.0), ((1, 2), 0.5), ((-3, 1), 0.5)]:
        size = np.abs(plane[:, index[0], index[1]]) / largest
        assert kstest(size, "uniform").pvalue > 1e-3
    # along the first axis alone k and -k are two waves of half the size, with a phase each
    alone = np.abs(plane[:, 2, 0])
    assert alone.max() <= 1.0 and np.mean(alone**2) == pytest.approx(2 * 0.25 / 3, rel=0.2)
    for constant in (line[:, 0].real, plane[:, 0, 0].real):
        assert kstest(0.5 + constant / 2.0, "uniform").pvalue > 1e-3


@pytest.mark.parametrize(("dims", "allowed"), [(1, 1.02), (2, 1.04)])
def test_a_series_of_unit_maximum(dims, allowed):
    """Exactly on its own grid; in between larger by less than Ehlich & Zeller's bound."""
    series, n = FourierSeries(modes=2, unit_max=True), 32
    own = {a: (RING, -1.0 + 3.0 * np.arange(n) / n) for a in "xy"[:dims]}
    fine = {a: (RING, -1.0 + 3.0 * np.arange(8 * n) / (8 * n)) for a in own}
    axes = tuple(range(1, dims + 1))
    at_nodes, between = drawn(series, own, 20), drawn(series, fine, 20)
    np.testing.assert_allclose(np.abs(at_nodes).max(axis=axes), 1.0, rtol=1e-12)
    np.testing.assert_allclose(at_nodes.mean(axis=axes), 0.0, atol=1e-14)
    largest = np.abs(between).max(axis=axes)
    assert np.all((largest >= 1.0 - 1e-12) & (largest < allowed))
    louder = drawn(FourierSeries(modes=2, unit_max=True, amplitude=3.0), own, 20)
    np.testing.assert_allclose(louder, 3.0 * at_nodes, rtol=1e-12)


def test_two_phases_follow_the_sign():
    where = places(ROD, 6, 5)
    material = TwoPhase(SMOOTH, above=7.0, below=-2.0, at=0.1)
    field, phases = drawn(SMOOTH, where, 400), drawn(material, where, 400)
    np.testing.assert_array_equal(phases, np.where(field >= 0.1, 7.0, -2.0))
    even = drawn(TwoPhase(SMOOTH), where, 400)
    assert set(np.unique(even)) == {3.0, 12.0}
    assert even.mean() == pytest.approx(7.5, abs=0.6)


def test_the_exponential_is_log_normal():
    where = places(ROD, 5)
    draws = drawn(Exponential(KernelField(0.2, 0.5), scale=3.0), where, 4000)
    assert draws.min() > 0.0
    np.testing.assert_allclose(np.median(draws, axis=0), 3.0, rtol=0.05)
    np.testing.assert_allclose(draws.mean(axis=0), 3.0 * np.exp(0.125), rtol=0.05)


@pytest.mark.parametrize("logarithmic", [False, True])
def test_a_range_is_filled_and_kept(logarithmic):
    given = Range(1e-3, 10.0, logarithmic)
    draws = drawn(given, {}, 2000)
    assert draws.shape == (2000,) and draws.dtype == "float64"
    share = (draws - 1e-3) / (10.0 - 1e-3)
    if logarithmic:
        share = np.log(draws / 1e-3) / np.log(1e4)
    assert kstest(share, "uniform").pvalue > 1e-3
    assert draws.min() >= 1e-3 and draws.max() <= 10.0
    key = jax.random.key(0)
    single = given(key, places(ROD, 4), jnp.float32)
    assert single.dtype == "float32" and single.shape == ()
    assert float(single) == pytest.approx(float(given(key, {})), rel=1e-6)


def test_hydra_builds_nested_functions():
    node = {
        "_target_": "pinnlab.sampling.TwoPhase",
        "above": 12,
        "field": {
            "_target_": "pinnlab.sampling.GaussianField",
            **{"sigma": 1, "tau": 3, "alpha": 2, "boundary": "neumann"},
        },
    }
    expected = TwoPhase(GaussianField(1, 3, 2, boundary="neumann"))
    assert hydra.utils.instantiate(node) == expected and hash(expected) is not None


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: GaussianField(0.0, 1.0, 2.0), "sigma.*above 0"),
        (lambda: GaussianField("a", 1.0, 2.0), "sigma.*'a'"),
        (lambda: GaussianField(1.0, 1.0, float("nan")), "alpha"),
        (lambda: GaussianField(1.0, -1.0, 2.0), "tau=-1"),
        (lambda: GaussianField(1.0, 0.0, 2.0), "zero_mean=True"),
        (lambda: GaussianField(1.0, 1.0, 2.0, modes=0), "modes"),
        (lambda: GaussianField(1.0, 1.0, 2.0, modes=2.5), "modes"),
        (lambda: GaussianField(1.0, 1.0, 2.0, boundary="neuman"), "did you mean 'neumann'"),
        (lambda: GaussianField(1.0, 1.0, 2.0, 4, "dirichlet", 0.0, True), "no constant mode"),
        (lambda: KernelField(0.0), "length"),
        (lambda: KernelField(0.001), "0.005"),
        (lambda: KernelField(0.1, True), "sigma"),
        (lambda: FourierSeries(modes=True), "modes"),
        (lambda: FourierSeries(amplitude=-1.0), "amplitude"),
        (lambda: TwoPhase(3.0), "TwoPhase.field"),
        (lambda: TwoPhase(SMOOTH, below=float("inf")), "TwoPhase.below"),
        (lambda: Exponential(jnp.exp), "Exponential.field"),
        (lambda: Exponential(SMOOTH, 0.0), "scale"),
        (lambda: Range(1.0, 1.0), "upper.*above 1"),
        (lambda: Range(0.0, 1.0, logarithmic=True), "lower.*above 0"),
    ],
)
def test_wrong_numbers_are_refused(wrong, message):
    with pytest.raises(PinnlabError, match=message):
        wrong()


@pytest.mark.parametrize(
    ("function", "where", "message"),
    [
        (GaussianField(1.0, 1.0, 2.0), places(ROD, 3), "axis 'x' is not periodic"),
        (SMOOTH, places(RING, 3), "have no ends"),
        (GaussianField(1.0, 1.0, 1.0), places(RING, 3, 3), "finite variance.*more than 1"),
        (
            SMOOTH,
            {"t": (Axis(0.0, 1.0, "s"), np.zeros(1)), "x": (Axis(0.0, 1.0, "m"), np.zeros(1))},
            "'t' in s, 'x' in m",
        ),
        (GaussianField(1.0, 1.0, 2.0), {}, "take Range"),
        (KernelField(0.2), {}, "take Range"),
        (FourierSeries(), {}, "take Range"),
        (FourierSeries(), places(ROD, 3), "axis 'x' is not periodic"),
    ],
)
def test_axes_that_do_not_fit_are_refused(function, where, message):
    with pytest.raises(PinnlabError, match=message):
        function(jax.random.key(0), where)
