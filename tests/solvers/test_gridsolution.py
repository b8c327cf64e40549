"""A solution on a grid, asked between its nodes and times."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pinnlab.core import Axis, Domain, PinnlabError
from pinnlab.core.grid import Chebyshev, FiniteDifference, Fourier, Grid
from pinnlab.solvers.gridsolution import solution

DOMAIN = Domain(t=Axis(0, 1, "s"), x=Axis(-1, 1, "m"), y=Axis(0, 1, "m", periodic=True))
TIMES = np.linspace(0, 1, 21)


def u(t, x, y):
    return np.exp(-t) * np.sin(2 * x) * np.cos(2 * np.pi * y) + x


@pytest.fixture
def smooth():
    grid = Grid(DOMAIN, {"x": (Chebyshev(), 20), "y": (Fourier(), 16)})
    x = {axis: c[None] for axis, c in grid.coordinates.items()}
    return solution(grid, TIMES, {"u": u(TIMES[:, None, None], **x)})


def test_scattered_points_and_every_broadcast_shape(smooth):
    random = np.random.default_rng(0).uniform(size=(3, 500))
    t, x, y = random[0], 2 * random[1] - 1, random[2]
    for asked in (
        {"t": t, "x": x, "y": y},
        {"t": 0.5, "x": 0.3, "y": 0.2},
        {"t": 0.33, "x": x, "y": 0.2},
        {"t": t[:, None], "x": x[None, :7], "y": 0.1},
        {"t": t[None, :5], "x": 0.2, "y": y[:10, None]},
        {"t": t[:4, None, None], "x": x[None, :5, None], "y": y[None, None, :6]},
        {"t": np.array([0.2]), "x": x[:5], "y": y[:7, None]},
    ):
        found = smooth("u", **asked)
        assert np.shape(found) == np.broadcast_shapes(*map(np.shape, asked.values()))
        np.testing.assert_allclose(found, u(**asked), atol=2e-9)


def test_saved_times_and_nodes_are_exact(smooth):
    nodes = smooth.grid.nodes
    found = smooth.on({"t": TIMES, **nodes})["u"]
    np.testing.assert_allclose(found, smooth.values["u"], atol=1e-14)


def test_scattered_points_are_taken_in_chunks(smooth, monkeypatch):
    x = np.linspace(-1, 1, 50)
    whole = smooth("u", t=x**2, x=x, y=x)
    monkeypatch.setattr("pinnlab.solvers.gridsolution._CHUNK", 7 * 320)
    np.testing.assert_allclose(smooth("u", t=x**2, x=x, y=x), whole, atol=1e-14)


def test_finite_differences_and_few_times_are_interpolated_by_what_is_there():
    grid = Grid(Domain(t=Axis(0, 1), x=Axis(0, 1)), {"x": (FiniteDifference(4), 21)})
    x = grid.nodes["x"]
    found = solution(grid, [0.0, 1.0], {"u": np.stack([0 * x, np.sin(x)])})
    assert found("u", t=0.25, x=0.321) == pytest.approx(0.25 * np.sin(0.321), abs=1e-9)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"t": 2.0, "x": 0.0, "y": 0.0}, "t=2.*0 to 1"),
        ({"t": 0.0, "x": 3.0, "y": 0.0}, r"x=3.*\[-1, 1\]"),
        ({"t": 0.0, "x": 0.0}, "axis 'y'"),
        ({"t": 0.0, "x": 0.0, "z": 0.0}, "'z'"),
    ],
)
def test_a_question_outside_is_refused(smooth, asked, words):
    with pytest.raises(PinnlabError, match=words):
        smooth("u", **asked)


def test_values_may_be_traced_and_the_solution_is_a_pytree(smooth):
    def value(factor):
        scaled = solution(smooth.grid, TIMES, {"u": factor * jnp.asarray(smooth.values["u"])})
        return scaled("u", t=0.4, x=0.1, y=np.array([0.2, 0.3])).sum()

    slope = jax.grad(value)(2.0)
    assert slope == pytest.approx(smooth("u", t=0.4, x=0.1, y=np.array([0.2, 0.3])).sum())
    doubled = jax.tree.map(lambda a: 2 * a, smooth)
    assert doubled.values["u"][0, 3, 4] == 2 * smooth.values["u"][0, 3, 4]


def test_double_precision_survives_outside_of_it(smooth):
    with jax.enable_x64(False):
        found = smooth("u", t=0.5, x=0.3, y=0.2)
    assert found.dtype == np.float64
