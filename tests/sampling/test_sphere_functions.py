"""Random functions on the sphere: their variance, and that no place is special."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pinnlab.core import Axis, PinnlabError
from pinnlab.core.harmonics import Harmonics
from pinnlab.sampling import HarmonicSeries

LAT, LON = Axis(-90, 90, "degrees_north"), Axis(0, 360, "degrees_east", True)
AT = {"lat": (LAT, np.array([-90.0, -30.0, 0.0, 60.0])), "lon": (LON, np.array([0.0, 100.0]))}


def test_mean_and_variance_are_the_same_everywhere():
    series = HarmonicSeries(degree=4, size=3.0, mean=10.0)
    keys = jax.random.split(jax.random.key(0), 4000)
    found = jax.vmap(lambda key: series(key, AT, "float64"))(keys)
    # five standard errors of a mean of 4000, and of a variance
    np.testing.assert_allclose(found.mean(0), 10.0, atol=5 * 3.0 / 4000**0.5)
    np.testing.assert_allclose(found.var(0), 9.0, rtol=5 * (2 / 4000) ** 0.5)


def test_each_degree_has_the_same_share():
    series, nodes = HarmonicSeries(degree=3, size=2.0), Harmonics(8, 16, 5)
    places = {"lat": (LAT, nodes.latitudes), "lon": (LON, nodes.longitudes)}
    keys = jax.random.split(jax.random.key(1), 2000)
    values = jax.vmap(lambda key: series(key, places, "float64"))(keys)
    power = nodes.power(nodes.analysis(values)).mean(0)
    np.testing.assert_allclose(power[1:4], 4 / 3, rtol=0.1)
    assert jnp.abs(power[4:]).max() < 1e-20 and power[0] < 1e-20


def test_a_key_is_one_function_at_any_nodes():
    series = HarmonicSeries(degree=5)
    whole = series(jax.random.key(2), AT, "float64")
    part = {"lat": (LAT, AT["lat"][1][1:2]), "lon": AT["lon"]}
    np.testing.assert_allclose(series(jax.random.key(2), part, "float64"), whole[1:2], atol=1e-13)


def test_other_axes_are_refused():
    with pytest.raises(PinnlabError, match="latitude"):
        HarmonicSeries()(jax.random.key(0), {"x": (Axis(0, 1), np.zeros(2)), "lon": AT["lon"]})
