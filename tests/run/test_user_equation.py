"""A user's own equation: one module and one yaml in the working directory, nothing else."""

import re

import pytest
from commands import TINY, summary

MODULE = '''\
import jax.numpy as jnp

from pinnlab import Axis, Dirichlet, Domain, Equation, Initial, Variable, Variables
from pinnlab import equation, parameter


@equation
class Fisher(Equation):
    """Fisher-KPP: u_t = D u_xx + r u (1 - u), a front at the speed 5 sqrt(r D / 6)."""

    diffusivity: float = parameter(1.0, "m2 s-1", bounds=(1e-6, 1e6))
    rate: float = parameter(1.0, "s-1", bounds=(1e-6, 1e6))
    domain: Domain = Domain(t=Axis(0, 1, "s"), x=Axis(-5, 5, "m"))
    variables: Variables = Variables(u=Variable("share of the capacity", "1", name="share"))

    def rhs(self, f):
        u = f("u")
        return {"u": f(self.diffusivity) * f("u", x=2) + f(self.rate) * u * (1 - u)}

    def wave(self, x):
        k = jnp.sqrt(self.rate / (6 * self.diffusivity))
        return (1 + jnp.exp(k * x["x"] - 5 * self.rate * x["t"] / 6)) ** -2

    def conditions(self):
        return [Initial(u=self.wave), Dirichlet("x", u=self.wave)]

    def exact(self, x):
        return {"u": self.wave(x)}
'''
YAML = """\
# @package _global_
name: fisher
title: Fisher-KPP front
equation: {_target_: fisher.Fisher}
network: {width: 10, depth: 1}
phases:
  - {steps: 30, points: 150}
output: {t: 11, x: 41}
gate:
  - {metric: relative_l2, at_most: 1e-2}
"""


@pytest.fixture
def fisher(tmp_path):
    (tmp_path / "fisher.py").write_text(MODULE)
    folder = tmp_path / "configs/experiment"
    folder.mkdir(parents=True)
    (folder / "fisher.yaml").write_text(YAML)
    return folder / "fisher.yaml"


def test_module_and_yaml_are_all_it_takes(shell, fisher, tmp_path):
    assert len([line for line in MODULE.splitlines() if line.strip()]) <= 40
    assert re.search(r"fisher +Fisher-KPP front\n", shell("list").out)
    assert "5 sqrt(r D / 6)" in shell("show", "fisher").out
    called = shell("experiment=fisher", "quiet=true", "figures=false", "hydra.run.dir=run")
    assert called.code == 0, called.err
    assert summary(tmp_path / "run")["norms"]["relative_l2_share"] < 1e-2
    assert summary(tmp_path / "run")["passed"]


def test_verify_judges_it_and_writes_the_table(shell, fisher, tmp_path):
    short = YAML.replace("steps: 30, points: 150", "steps: 2, points: 20").replace("1e-2", "1e-9")
    fisher.write_text(short)
    missed = shell("verify", "fisher", "--table", "out/gates.csv", "--runs", "kept")
    assert "gates missed: fisher (relative_l2)" in missed.failed(code=4)
    head, row = (line.split(",") for line in (tmp_path / "out/gates.csv").read_text().splitlines())
    found = dict(zip(head, row, strict=True))
    assert (found["experiment"], found["at_most"], found["passed"]) == ("fisher", "1e-09", "no")
    assert float(found["value"]) == pytest.approx(
        summary(tmp_path / "kept/fisher")["norms"]["relative_l2"], rel=0.01
    )
    table = tmp_path / "out/gates.csv"
    table.write_text(table.read_text() + ",".join(["another", *row[1:]]) + "\n")
    fisher.write_text(short.replace("1e-9", "10"))
    # the gate is no part of the run; a table keeps the rows of what is not run again
    assert shell("verify", "fisher", "--table", "out/gates.csv", "--runs", "kept").code == 0
    lines = [line.split(",") for line in table.read_text().splitlines()]
    assert [(line[0], line[3], line[7]) for line in lines[1:]] == [
        ("another", "1e-09", "no"),
        ("fisher", "10", "yes"),
    ]
    (tmp_path / "mine.csv").write_text("a,b\n1,2\n")
    refused = shell("verify", "fisher", "--table", "mine.csv").failed()
    assert "'mine.csv' is not a table of gates" in refused
    assert (tmp_path / "mine.csv").read_text() == "a,b\n1,2\n"
    fisher.write_text(short.replace("relative_l2", "relative_12"))
    assert "unknown metric (gate) 'relative_12'" in shell("verify", "fisher").out


def test_a_mistake_in_the_yaml_is_one_line(shell, fisher):
    fisher.write_text(YAML.replace("title", "titel"))
    assert "unknown key 'titel'; did you mean 'title'" in shell("experiment=fisher").failed()
    fisher.write_text(YAML.replace("name: fisher\n", ""))
    assert "'name: NAME'" in shell("experiment=fisher").failed()
    fisher.write_text("a: [")
    assert "fisher.yaml" in shell("experiment=fisher").failed()
    assert "fisher.yaml cannot be read" in shell("list").out


def test_a_mistake_in_the_module_is_one_line(shell, fisher, tmp_path):
    (tmp_path / "half.py").write_text("class Half(:\n")
    said = shell("experiment=fisher", "equation._target_=half.Half").failed()
    assert "cannot import 'half.Half'" in said and "half.py, line 1" in said
    (tmp_path / "plain.py").write_text(MODULE.replace("@equation\n", ""))
    said = shell("experiment=fisher", "equation._target_=plain.Fisher").failed()
    assert "decorate the class Fisher with @equation" in said


def test_a_class_in_the_place_of_pinnlabs_own(shell, tmp_path):
    (tmp_path / "mine.py").write_text(
        "from pinnlab.equations.canonical.heat import Heat, equation\n"
        "@equation\nclass MyHeat(Heat):\n    pass\n"
    )
    called = shell(*TINY, "equation._target_=mine.MyHeat", "hydra.run.dir=run")
    assert called.code == 0, called.err
    assert summary(tmp_path / "run")["equation"] == "MyHeat"
