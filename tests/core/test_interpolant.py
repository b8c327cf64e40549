"""Spectral interpolants: exact for their own functions, with every derivative, in every mode."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental import jet

from pinnlab.core import Axis, PinnlabError
from pinnlab.core.interpolant import Basis, interpolate, nodes

X, Z = Axis(-1, 2), Axis(0.5, 3, periodic=True)
TURN = 2 * np.pi / Z.length
AXES = (("x", Basis.of(X, 24)), ("z", Basis.of(Z, 32)))


def wavy(x, z):
    return jnp.exp(0.3 * x) * jnp.cos(TURN * z + x) + jnp.sin(2 * TURN * z)


@pytest.fixture(scope="module")
def made():
    with jax.enable_x64(True):
        place = nodes(AXES)
        values = jax.vmap(wavy)(jnp.asarray(place["x"]), jnp.asarray(place["z"]))
        return interpolate(AXES, values)


def ladder(function, axis):
    """The function and its first four derivatives along an axis."""
    rungs = [function]
    for _ in range(4):
        rungs.append(jax.jacfwd(rungs[-1], axis))
    return jax.jit(lambda *point: [rung(*point) for rung in rungs])


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("point", [(0.3, 1.1), (-1.0, 0.5), (2.0, 3.0)])  # inside and at corners
def test_a_smooth_function_is_reproduced_with_its_derivatives(made, axis, point):
    found, truth = lambda x, z: made.at({"x": x, "z": z}), wavy
    # An error of a polynomial's coefficients is raised by n^2 for each derivative at the ends
    bounds = (1e-13, 1e-12, 1e-10, 1e-8, 1e-6) if axis == 0 else (1e-13, 1e-12, 1e-11, 1e-10, 1e-9)
    found, truth = (np.asarray(ladder(f, axis)(*point)) for f in (found, truth))
    assert np.all(np.abs(found - truth) < bounds * np.maximum(1.0, np.abs(truth)))


@pytest.mark.parametrize("name", ["x", "z"])
def test_taylor_mode_gives_what_nested_tangents_give(made, name):
    def line(s):
        return made.at({"x": jnp.float64(0.3), "z": jnp.float64(1.1), name: s})

    at, series = jnp.float64(0.7), [jnp.ones(()), *[jnp.zeros(())] * 3]
    _, found = jax.jit(lambda s: jet.jet(line, (s,), (series,)))(at)
    np.testing.assert_allclose(found, ladder(line, 0)(at)[1:], rtol=1e-10)


def test_the_functions_of_an_axis_are_those_of_the_books():
    x = 0.37
    k = np.arange(24)
    unit = X.unit_interval(x)
    np.testing.assert_allclose(AXES[0][1](jnp.float64(x)), np.cos(k * np.arccos(unit)), atol=1e-14)
    angle = TURN * (x - Z.lower) * np.arange(1, 17)
    expected = np.concatenate([[1.0], np.cos(angle), np.sin(angle)])
    np.testing.assert_allclose(AXES[1][1](jnp.float64(x)), expected, atol=1e-13)
    for name, basis in AXES:  # analysis undoes synthesis
        made = jax.vmap(basis)(jnp.asarray(basis.nodes()))
        np.testing.assert_allclose(basis.analysis() @ made, np.eye(basis.n), atol=1e-13)
        assert basis.n == len(nodes([(name, basis)])[name])


def test_rounding_is_no_part_of_the_function():
    axes = (("x", Basis.of(X, 40)),)
    values = jnp.exp(jnp.asarray(axes[0][1].nodes()))
    made = np.asarray(interpolate(axes, values).coefficients)
    assert np.count_nonzero(made) < 22 and np.all(made[25:] == 0)


def test_without_axes_it_is_a_number():
    assert float(interpolate((), jnp.asarray([2.5])).at({"t": jnp.zeros(())})) == 2.5


@pytest.mark.parametrize("n", [2, 8])
def test_too_few_nodes(n):
    with pytest.raises(PinnlabError, match="at least 3 nodes an axis, and an odd number"):
        Basis(0.0, 1.0, n, periodic=True)
