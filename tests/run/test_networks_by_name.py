"""Networks chosen by name: each takes an experiment's settings, or says whose they are."""

import jax
import numpy as np
import pytest

from pinnlab.core import PinnlabError
from pinnlab.models import NetworkReading
from pinnlab.models.storage import load_reading, save_reading
from pinnlab.run.build import build_equation, build_model
from pinnlab.run.compose import composed

NAMES = ("mlp", "modified_mlp", "piratenet", "siren", "kan", "fourier", "period")


def network(*overrides):
    return build_model(composed([*overrides])).network


@pytest.mark.parametrize("name", NAMES)
def test_every_network_has_a_width_and_a_depth(name, tmp_path):
    """It is built at the experiment's size, and a stored one gives the same values."""
    cfg = composed(["experiment=poisson", f"network={name}", "network.width=5", "network.depth=2"])
    eq, model = build_equation(cfg), build_model(cfg)
    inner = getattr(model.network, "network", model.network)
    assert (inner.width, inner.depth) == (5, 2)
    params = {"network": model.init(jax.random.key(0), eq), "equation": {}}
    reading = NetworkReading(eq, model, params)
    save_reading(reading, tmp_path / "solution", {})
    again, _ = load_reading(tmp_path / "solution")
    points = {"x": np.array([0.2, 0.7]), "y": np.array([0.1, 0.9])}
    found = again.model.evaluate(again.params["network"], again.equation, points)["u"]
    expected = model.evaluate(params["network"], eq, points)["u"]
    np.testing.assert_array_equal(found, expected)
    assert np.isfinite(found).all() and found[0] != found[1]


def test_settings_go_to_the_network_behind_unless_it_has_its_own():
    given = ("experiment=burgers", "network=fourier", "network.features=9", "network.width=7")
    found = network(*given, "network.network.width=8")
    assert (found.features, found.network.width, found.network.slope) == (9, 8, 4.0)
    assert network(*given).network.width == 7


def test_a_network_behind_two_others_gets_its_settings():
    twice = (
        "{_target_: pinnlab.networks.LearnedPeriod, network: {_target_: pinnlab.networks.Siren}}"
    )
    found = network(
        "experiment=ground_heat",
        "network=fourier",
        f"network.network={twice}",
        "network.periods=[3.0]",
    )
    assert tuple(found.network.periods) == (3.0,)
    assert (found.network.network.width, type(found.network.network).__name__) == (20, "Siren")


REFUSED = {
    "of another": (
        ["experiment=burgers", "network=siren"],
        r"Siren has no 'slope' \(of MLP, .*drop it with '~network.slope'. .* depth, omega_0, out",
    ),
    "two": (
        ["experiment=burgers", "network=kan", "+network.activation=sin"],
        r"Kan has no 'slope' .*, 'activation' .*with '~network.slope' '~network.activation'\.",
    ),
    "of another, behind": (
        ["experiment=heat", "network=fourier", "network.network.omega_0=3"],
        r"MLP has no 'omega_0' \(of Siren\).*'~network.network.omega_0'",
    ),
    "of none": (
        ["experiment=heat", "network=siren", "network.omega=3"],
        r"argument of network 'omega'; did you mean 'omega_0'",
    ),
    "of none, behind": (
        ["experiment=heat", "network=period", "network.widht=3"],
        r"argument of network 'widht'; did you mean 'width'.*periods",
    ),
    "type, behind": (
        ["experiment=heat", "network=period", "network.width=a"],
        r"network.network.width: 'a' is not of type int",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_settings_that_no_network_takes_are_refused(case):
    overrides, said = REFUSED[case]
    with pytest.raises(PinnlabError, match=said):
        network(*overrides)


def test_what_the_message_advises_works():
    found = network("experiment=burgers", "network=siren", "~network.slope")
    assert type(found).__name__ == "Siren"
