"""Schemes of one axis: derivatives, quadrature and interpolation against analytic values."""

import numpy as np
import pytest

from pinnlab.core import Axis, Domain, PinnlabError
from pinnlab.core.grid import Chebyshev, FiniteDifference, Fourier, Grid

OPEN, ROUND = Axis(0.3, 2.1, "m"), Axis(0.3, 2.1, "m", periodic=True)
WAVE = 2 * np.pi / ROUND.length


def smooth(x, order=0):
    """sin 3x and its derivatives; its integral for order -1."""
    return 3.0**order * np.sin(3 * x + order * np.pi / 2)


def periodic(x, order=0):
    one, two = 1j * WAVE, 2j * WAVE
    return np.real(one**order * np.exp(one * x) + 0.3 * two**order * np.exp(two * x))


def case(axis):
    return periodic if axis.periodic else smooth


def derivative_errors(scheme, axis, order, counts):
    """Largest errors over all nodes, and over those in the middle half of the axis."""
    found = []
    for n in counts:
        x = scheme.nodes(axis, n)
        exact = case(axis)(x, order)
        error = np.abs(scheme.derivative(axis, n, order, case(axis)(x), 0) - exact)
        found.append((error.max(), error[n // 4 : -(n // 4)].max()))
    return np.array(found)


@pytest.mark.parametrize("order", [1, 2, 3, 4])
@pytest.mark.parametrize(("scheme", "axis"), [(Fourier(), ROUND), (Chebyshev(), OPEN)])
def test_spectral_derivatives_are_exact_to_rounding(scheme, axis, order):
    ((error, _),) = derivative_errors(scheme, axis, order, [24])
    assert error < 1e-8 * 3.0**order


@pytest.mark.parametrize("axis", [OPEN, ROUND], ids=["open", "periodic"])
@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("accuracy", [2, 4, 6])
def test_differences_converge_with_their_order(accuracy, order, axis):
    counts = [33, 49, 73]
    errors = derivative_errors(FiniteDifference(accuracy), axis, order, counts)
    slopes = -np.diff(np.log(errors), axis=0) / np.diff(np.log(counts))[:, None]
    anywhere, middle = slopes[-1]
    assert middle > accuracy - 0.15
    # Next to an end the stencils of accuracy 6 are of order 4, for the sake of stability.
    assert anywhere > (accuracy if axis.periodic else min(accuracy, 4)) - 0.15


@pytest.mark.parametrize("axis", [OPEN, ROUND], ids=["open", "periodic"])
@pytest.mark.parametrize("accuracy", [2, 4, 6])
def test_a_flux_through_midpoints_converges_with_the_order(accuracy, axis):
    """(k u')' with k = 2 + u, at every node, ends included."""
    scheme, u, errors, counts = FiniteDifference(accuracy), case(axis), [], [33, 49, 73]
    for n in counts:
        x = scheme.nodes(axis, n)
        value, slope = (scheme.half(axis, n, order, u(x), 0) for order in (0, 1))
        found = scheme.whole(axis, n, (2.0 + value) * slope, 0)
        exact = (2.0 + u(x)) * u(x, 2) + u(x, 1) ** 2
        error = np.abs(found - exact)
        errors.append((error.max(), error[n // 4 : -(n // 4)].max()))
    anywhere, middle = -np.diff(np.log(errors), axis=0)[-1] / np.log(counts[-1] / counts[-2])
    assert middle > accuracy - 0.15
    assert anywhere > (accuracy if axis.periodic else min(accuracy, 4)) - 0.25


@pytest.mark.parametrize("accuracy", [2, 4, 6])
def test_a_flux_has_no_odd_even_mode(accuracy):
    """Centred differences applied twice do not see a zigzag; through midpoints it is damped."""
    n, scheme = 32, FiniteDifference(accuracy)
    zigzag = (-1.0) ** np.arange(n)
    twice = scheme.matrix(ROUND, n, 1) @ scheme.matrix(ROUND, n, 1) @ zigzag
    compact = scheme.whole(ROUND, n, scheme.half(ROUND, n, 1, zigzag, 0), 0)
    assert np.abs(twice).max() < 1e-9
    assert np.all(compact * zigzag < -1000.0)


@pytest.mark.parametrize("accuracy", [2, 4, 6])
def test_fixed_ends_keep_waves_stable(accuracy):
    """u_tt = u_xx: the eigenvalues are real and negative, directly and as a flux."""
    n, scheme = 65, FiniteDifference(accuracy)
    flux = scheme.from_midpoints(OPEN, n) @ scheme.to_midpoints(OPEN, n, 1)
    for matrix in (scheme.matrix(OPEN, n, 2), flux):
        eigenvalues = np.linalg.eigvals(matrix[1:-1, 1:-1]).astype(complex)
        assert np.abs(np.sqrt(eigenvalues).real).max() < 1e-5


@pytest.mark.parametrize("n", [130, 131])
def test_banded_products_equal_the_full_matrix(n):
    values = np.random.default_rng(0).normal(size=(3, n, 2))
    for axis in (OPEN, ROUND):
        for scheme in (FiniteDifference(2), FiniteDifference(6)):
            full = np.einsum("ij,ajb->aib", scheme.matrix(axis, n, 2), values)
            np.testing.assert_allclose(scheme.derivative(axis, n, 2, values, 1), full, atol=1e-8)


@pytest.mark.parametrize("n", [16, 17])
def test_odd_derivatives_of_the_nyquist_mode_vanish(n):
    scheme, x = Fourier(), Fourier().nodes(ROUND, n)
    highest = np.cos((n // 2) * WAVE * (x - ROUND.lower))
    first = np.abs(scheme.derivative(ROUND, n, 1, highest, 0)).max()
    assert first < 1e-10 if n % 2 == 0 else first > 1.0
    assert np.abs(scheme.derivative(ROUND, n, 2, highest, 0)).max() > 100.0


@pytest.mark.parametrize(
    ("scheme", "axis", "n", "tolerance"),
    [
        (Fourier(), ROUND, 16, 1e-12),
        (Fourier(), ROUND, 17, 1e-12),
        (Chebyshev(), OPEN, 20, 1e-12),
        (FiniteDifference(2), OPEN, 40, 1e-4),
        (FiniteDifference(4), ROUND, 40, 1e-5),
        (FiniteDifference(6), OPEN, 40, 1e-8),
    ],
)
def test_interpolation_and_quadrature(scheme, axis, n, tolerance):
    u, x = case(axis), scheme.nodes(axis, n)
    points = np.linspace(axis.lower, axis.upper, 53)
    assert np.abs(scheme.interpolate(axis, n, points) @ u(x) - u(points)).max() < tolerance
    np.testing.assert_allclose(scheme.interpolate(axis, n, x), np.eye(n), atol=1e-12)
    exact = 0.0 if axis.periodic else u(axis.upper, -1) - u(axis.lower, -1)
    assert abs(scheme.weights(axis, n) @ u(x) - exact) < 10 * tolerance


@pytest.mark.parametrize(
    ("schemes", "words"),
    [
        ({"x": (Fourier(), 16), "y": (Fourier(), 16)}, ["'x'", "periodic", "Chebyshev"]),
        ({"x": (Chebyshev(), 16), "y": (Chebyshev(), 16)}, ["'y'", "periodic", "Fourier"]),
        ({"x": (FiniteDifference(6), 9), "y": (Fourier(), 16)}, ["'x'", "at least 14"]),
        ({"x": (Chebyshev(), 16)}, ["'y'", "no scheme"]),
        ({"x": (Chebyshev(), 16), "y": (Fourier(), 8), "z": (Fourier(), 8)}, ["'z'", "x, y"]),
    ],
)
def test_a_grid_that_does_not_fit_says_where_and_what_would(schemes, words):
    with pytest.raises(PinnlabError) as error:
        Grid(Domain(x=OPEN, y=ROUND), schemes)
    assert all(word in str(error.value) for word in words)


def test_accuracy_is_checked():
    with pytest.raises(PinnlabError, match="2, 4 or 6"):
        FiniteDifference(3)


def test_a_grid_is_static_and_laid_out_in_the_domains_order():
    domain = Domain(t=Axis(0, 1, "s"), x=OPEN, y=ROUND)
    grid = Grid(domain, {"y": (Fourier(), 8), "x": (Chebyshev(), 5)})
    assert grid.axes == ("x", "y")
    assert {a: c.shape for a, c in grid.coordinates.items()} == {"x": (5, 1), "y": (1, 8)}
    assert grid == Grid(domain, {"x": (Chebyshev(), 5), "y": (Fourier(), 8)})
    assert hash(grid) == hash(grid.refined(1.0))
    assert grid.refined(2.0).shape == (9, 16)
    assert grid.weights.sum() == pytest.approx(1.8**2)
