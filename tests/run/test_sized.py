"""Training without phases, and the cheapest classical way, from a configuration and from code."""

import json

import numpy as np
import pytest

import pinnlab
from pinnlab import equations
from pinnlab.core import PinnlabError
from pinnlab.models import Model
from pinnlab.networks import MLP, Waves
from pinnlab.optimizers import Gradient, LevenbergMarquardt, SketchedGaussNewton
from pinnlab.run.compose import composed
from pinnlab.run.experiment import run
from pinnlab.run.sized import sized_phases


def kinds(network, steps=None):
    return [type(p.optimizer) for p in sized_phases(Model(network), equations.Heat(), steps)]


def test_the_optimizer_follows_the_size():
    assert set(kinds(MLP(20, 3))) == {LevenbergMarquardt}
    assert kinds(MLP(64, 4)) == [SketchedGaussNewton]
    assert kinds(MLP(256, 4)) == [Gradient]
    (phase,) = sized_phases(Model(Waves(10)), equations.Heat())
    assert phase.optimizer.factorization == "qr" and phase.points >= 300


def test_steps_cut_the_phases():
    phases = sized_phases(Model(MLP(20, 3)), equations.Heat(), steps=130)
    assert [p.steps for p in phases] == [100, 30]


def test_a_configuration_without_phases_trains(tmp_path):
    changed = ("phases=[]", "network=mlp", "optimizer=levenberg_marquardt", "network.width=10")
    short = ("steps=30", "quiet=true", "figures=false", "gate=[]")
    cfg = composed(["experiment=heat", *changed, *short])
    assert run(cfg, tmp_path / "run")["norms"]["relative_l2"] < 1e-2


def test_auto_logs_its_rungs_and_reaches_its_tolerance(tmp_path):
    summary = run(
        composed(["experiment=burgers_auto", "equation.nu=0.05", "method=fast", "quiet=true"]),
        tmp_path / "run",
    )
    assert summary["method"] == "fast (Placed)"
    assert summary["norms"]["relative_l2"] < 1e-4
    records = [json.loads(line) for line in (tmp_path / "run/log.jsonl").read_text().splitlines()]
    assert max(records[-1]["change"].values()) <= 1e-4
    assert records[-1]["metrics"]["relative_l2"] == pytest.approx(summary["norms"]["relative_l2"])


def test_auto_in_code():
    solution = pinnlab.solve(equations.Poisson(), "fast")
    x = np.linspace(0, 1, 7)
    right = np.sin(np.pi * x) * np.sin(np.pi * 0.3)
    np.testing.assert_allclose(solution("u", x=x, y=0.3), right, atol=1e-9)


def test_what_is_learned_needs_a_network(tmp_path):
    with pytest.raises(PinnlabError, match="method=auto solves an equation that is wholly given"):
        run(composed(["experiment=heat_inverse", "method=auto", "quiet=true"]), tmp_path / "run")


def test_an_unknown_method_lists_what_there_is():
    with pytest.raises(PinnlabError, match="method"):
        pinnlab.solve(equations.Poisson(), "finite elements")
