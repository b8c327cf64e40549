"""Bad numbers: one line with place and remedy, an exit code, and what there was is kept."""

import re

import pytest
from commands import TINY, summary

CONTRADICTION = """\
from pinnlab import Dirichlet, Initial, equation
from pinnlab.equations import Heat


@equation
class Step(Heat):
    def conditions(self):
        return [Initial(u=1.0), Dirichlet("x", u=0.0)]


@equation
class Twice(Heat):
    def conditions(self):
        return [Initial(u=0.0), Dirichlet("x", u=0.0), Dirichlet("x", "lower", u=1.0)]


@equation
class Blind(Heat):
    def rhs(self, f):
        return {"u": f("u", t=1) + 1.0}
"""
SET = "{steps: 4, points: 40, set: {diffusivity: -1}}"


@pytest.fixture
def mine(tmp_path):
    (tmp_path / "faulty.py").write_text(CONTRADICTION)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("equation.diffusivity=-1", r"equation\.diffusivity: -1 is outside \[1e-06, 1000\]"),
        (
            f"phases=[{{steps: 4, points: 40}}, {SET}, {{steps: 4, points: 40}}]",
            r"phases\[1\]\.set\.diffusivity: -1 is outside \[1e-06, 1000\]",
        ),
        ("network.width=0", r"network: it cannot be built: .*sizes .* of at least 1"),
        ("+weights.values={residual: 0}", r"weights\.values: every term \(residual\) has weight 0"),
        ("+weights.values={residual: -1}", r"weights\.values\.residual: -1 is no number >= 0"),
        ("equation._target_=faulty.Twice", r"two conditions on 'u' at x lower; keep one of them"),
    ],
)
def test_a_bad_number_is_one_line(shell, mine, tmp_path, given, said):
    line = shell(*TINY, given, "hydra.run.dir=run").failed()
    assert re.search(said, line), line
    assert not list(tmp_path.rglob("summary.json"))


def test_a_bad_number_leaves_a_finished_run_as_it_was(shell, tmp_path):
    assert shell(*TINY, "certificate=false", "hydra.run.dir=run").code == 0
    before = {p: p.read_bytes() for p in (tmp_path / "run").iterdir() if p.is_file()}
    for bad in ("equation.diffusivity=-1", "+weights.values={residual: -1}"):
        shell(*TINY, "certificate=false", bad, "hydra.run.dir=run").failed()
    assert all(p.read_bytes() == content for p, content in before.items())


def test_the_truth_of_synthetic_observations_has_the_parameters_bounds(shell):
    said = shell("experiment=heat_inverse", "observations.truth.diffusivity=-1").failed()
    assert re.search(r"observations\.truth\.diffusivity: -1 is outside", said)


def test_rows_that_depend_on_nothing_are_said_and_not_nan(shell, mine):
    line = shell(*TINY, "equation._target_=faulty.Blind", "hydra.run.dir=run").failed()
    assert "the training cannot begin: the loss is" in line and "no row of residual" in line


@pytest.mark.filterwarnings("default")
def test_a_corner_with_two_values_is_one_warning_and_the_run_goes_on(shell, mine, tmp_path):
    called = shell(*TINY, "equation._target_=faulty.Step", "certificate=false", "hydra.run.dir=run")
    lines = called.err.strip().splitlines()
    assert called.code == 0 and summary(tmp_path / "run")["stopped"] == "steps"
    assert [line.startswith("pinnlab: warning: conditions: 'u'") for line in lines] == [True] * 2
    assert "t = 0, x = 0: 1 (initial) and 0 (x lower)" in lines[0], lines
    assert "x = 1: 1 (initial)" in lines[1]
