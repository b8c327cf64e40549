"""Synthetic observations, and a parameter learned from them with its interval."""

import numpy as np
import pytest

from pinnlab.core.errors import PinnlabError
from pinnlab.equations import AllenCahn, Heat
from pinnlab.run.compose import composed
from pinnlab.run.experiment import run
from pinnlab.run.synthetic import make_observed

GIVEN = {"truth": {"diffusivity": 0.2}, "variable": "u", "places": {"t": 4, "x": [0.25, 0.5, 0.9]}}


def test_values_are_those_of_the_truth_at_the_places_inside():
    seen = make_observed(Heat(), GIVEN)
    np.testing.assert_allclose(seen.coordinates["t"], [0.2, 0.4, 0.6, 0.8])
    t, x = np.meshgrid(*seen.coordinates.values(), indexing="ij")
    true = np.sin(np.pi * x) * np.exp(-0.2 * np.pi**2 * t)
    np.testing.assert_allclose(seen.values, true, rtol=1e-12)
    assert not seen.held_out.any() and seen.truth == {"diffusivity": 0.2}


def test_noise_is_a_share_of_the_values_and_follows_its_seed():
    many = {**GIVEN, "places": {"t": 60, "x": 60}}
    clean = make_observed(Heat(), many).values
    noisy = make_observed(Heat(), {**many, "noise": 0.05})
    size = np.sqrt(np.mean(clean**2))
    assert np.std(noisy.values - clean) == pytest.approx(0.05 * size, rel=0.05)
    assert noisy.sigma == pytest.approx(0.05 * size)
    again, other = (make_observed(Heat(), {**many, "noise": 0.05, "seed": s}) for s in (0, 1))
    np.testing.assert_array_equal(again.values, noisy.values)
    assert (
        abs(np.corrcoef((other.values - clean).ravel(), (again.values - clean).ravel())[0, 1]) < 0.1
    )
    assert "5 %" in noisy.source and "diffusivity = 0.2" in noisy.source


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"truth": {}}, "observations.truth: name a parameter"),
        ({"truth": {"kappa": 1.0}}, r"observations.truth.*'kappa'.*diffusivity"),
        ({"truth": {"diffusivity": "1 m"}}, "observations.truth.diffusivity.*'m'"),
        ({"variable": "T"}, "observations.variable.*'T'"),
        ({"places": {"t": 4}}, "observations.places: give each axis"),
        ({"places": {"t": 4, "x": [1.5]}}, "observations.places.x: give places from 0 to 1"),
        ({"places": {"t": 0, "x": 3}}, "observations.places.t: 0 places"),
        ({"noise": -0.1}, "observations.noise"),
        ({"file": "a.nc"}, "key of observations 'file'"),
    ],
)
def test_a_mistake_names_the_key(change, said):
    with pytest.raises(PinnlabError, match=said):
        make_observed(Heat(), {**GIVEN, **change})


def test_what_is_missing_and_what_has_no_closed_form_is_said():
    with pytest.raises(PinnlabError, match=r"observations.places: it is missing"):
        make_observed(Heat(), {"truth": {}, "variable": "u"})
    with pytest.raises(PinnlabError, match=r"observations.axes: it is missing"):
        make_observed(Heat(), {"file": "a.nc", "variable": "u", "name": "u", "sigma": 1.0})
    with pytest.raises(PinnlabError, match="AllenCahn has no closed form"):
        make_observed(AllenCahn(), {**GIVEN, "truth": {"d": 1e-3}})


def test_the_parameter_comes_back_and_its_interval_holds_it(tmp_path):
    """The truth is the reference; the estimate of the error is of the learned equation."""
    small = ["network.width=8", "network.depth=1", "output={t: 6, x: 6}", "observations.noise=0.01"]
    plain = ["quiet=true", "figures=false", "steps=40", "budget=null"]
    cfg = composed(["experiment=heat_inverse", *small, *plain])
    cfg.phases[0].points = 200
    summary = run(cfg, tmp_path)
    found = summary["learned"]["diffusivity"]
    assert found["truth"] == 0.1 and found["lower"] < 0.1 < found["upper"]
    assert summary["norms"]["parameter_diffusivity"] == pytest.approx(abs(found["value"] / 0.1 - 1))
    half = 0.5 * (found["upper"] - found["lower"])
    assert 1e-4 < half < 1e-3, "one per cent of noise at 200 places"
    assert summary["norms"]["relative_l2_temperature"] < 0.01
    assert summary["estimated_error"]["honesty"] == {}
