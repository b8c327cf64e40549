"""Placed features: derivatives by hand, interpolation, and where they gather."""

import jax.numpy as jnp
import numpy as np
import pytest

from pinnlab.core import Axis, Domain, PinnlabError
from pinnlab.core.grid import Grid
from pinnlab.core.placed import PlacedFeatures, place

AXIS = Axis(-1.0, 3.0)
X = np.linspace(-1.0, 3.0, 401)


def layer(x, width=0.02, at=0.5):
    return np.tanh((x - at) / width)


def placed(density=9.0, profile=layer):
    return place(AXIS, X, profile(X)[None], density)


def test_features_and_nodes_gather_where_the_profile_bends():
    layout = placed()
    for places in (np.asarray(layout.centres), np.asarray(layout.places)):
        near = np.sum(np.abs(places - 0.5) < 0.1)
        assert near / len(places) > 3 * 0.05  # that is the share of the axis
    slopes = np.asarray(layout.slopes)
    nearest = np.argmin(np.abs(np.asarray(layout.centres) - 0.5))
    assert slopes[nearest] > 20 * slopes[0]


def test_a_straight_profile_is_placed_evenly():
    gaps = np.diff(place(AXIS, X, X[None], 9.0).centres)
    assert np.ptp(gaps) < 1e-9 * gaps[0]


def test_the_measure_integrates():
    layout = placed()
    x, measure = np.asarray(layout.places), np.asarray(layout.measure)
    assert abs(np.sum(measure * np.cos(x)) - (np.sin(3.0) + np.sin(1.0))) < 1e-3
    assert abs(np.sum(measure) - 4.0) < 1e-3


@pytest.mark.parametrize("order", range(4))
def test_derivatives_of_a_layer_in_closed_form(order):
    layout, width = placed(19.0), 0.02
    n, th = len(layout.places), layer(np.asarray(layout.places))
    s = 1 - th**2
    right = (th, s, -2 * th * s, s * (6 * th**2 - 2))[order] / width**order
    found = layout.matrix(AXIS, n, order) @ th
    assert np.max(np.abs(found - right)) < 10.0 ** (3 * order - 9) * np.max(np.abs(right))


def test_interpolation_between_the_nodes_converges():
    errors = []
    for density in (6.0, 9.0, 13.0):
        layout = placed(density)
        found = layout.interpolate(AXIS, len(layout.places), X) @ layer(np.asarray(layout.places))
        errors.append(np.max(np.abs(found - layer(X))))
    assert errors[1] < 0.1 * errors[0]
    assert errors[2] < 1e-8


def test_features_of_a_point_are_the_table_of_the_scheme():
    layout = placed()
    domain = Domain(t=Axis(0, 1), x=AXIS)
    features = PlacedFeatures(domain, layout)
    found = features({"t": jnp.asarray(0.0), "x": jnp.asarray(0.4)})
    right = np.tanh(np.asarray(layout.slopes) * (0.4 - np.asarray(layout.centres)))
    np.testing.assert_allclose(found, right, rtol=1e-13)
    assert features.count == len(layout.centres)


def test_another_number_of_nodes_or_a_periodic_axis_is_refused():
    layout = placed()
    with pytest.raises(PinnlabError, match=r"axis 'x': placed features have \d+ nodes"):
        Grid(Domain(x=AXIS), {"x": (layout, 10)})
    with pytest.raises(PinnlabError, match="two ends"):
        circle = Domain(x=Axis(-1, 3, periodic=True))
        Grid(circle, {"x": (layout, len(layout.places))})
