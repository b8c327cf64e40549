"""What a user meets: help, lists, and one line for each mistake, with exit code 2."""

import re
import resource
import subprocess

import pytest
from commands import COMMAND, TINY, started

from pinnlab.run.catalogue import experiments

HEAT = "experiment=heat"

MISTAKES = {
    "experiment": (["experiment=heet"], "unknown experiment 'heet'; did you mean 'heat'"),
    "key": ([HEAT, "sed=3"], "unknown key 'sed'; did you mean 'seed'.*optimizer"),
    "added key": ([HEAT, "+foo=1"], "unknown key 'foo'.*seed"),
    "group": ([HEAT, "netwrok=mlp"], "unknown key 'netwrok'; did you mean 'network'"),
    "choice": ([HEAT, "optimizer=adamw"], "unknown optimizer 'adamw'; did you mean 'adam'.*lbfgs"),
    "type": ([HEAT, "seed=abc"], "seed: Value 'abc'.*Integer"),
    "list": ([HEAT, "phases=3"], "phases: .*int is not a ListConfig"),
    "syntax": ([HEAT, "seed=[1,"], r"'seed=\[1,' cannot be read"),
    "no experiment": (["seed=3"], "no experiment is named.*experiment=NAME"),
    "command": (["lst"], "unknown command 'lst'; did you mean 'list'.*resume"),
    "bare experiment": (["heat"], "run it with: pinnlab experiment=heat"),
    "parameter": ([HEAT, "equation.diffusivty=1"], "'diffusivty'; did you mean 'diffusivity'"),
    "unit": ([HEAT, "equation.diffusivity='3 kg'"], "equation.diffusivity: the unit 'kg'"),
    "bounds": ([HEAT, "equation.diffusivity=-4"], r"equation.diffusivity: -4 .*\[1e-06, 1000\]"),
    "equation": ([HEAT, "equation._target_=no.X"], "equation._target_: cannot import 'no.X'"),
    "axis": ([HEAT, "equation.domain.q.upper=3"], "axis 'q'.*t, x"),
    "axis bound": ([HEAT, "equation.domain.x.uper=3"], "'uper'; did you mean 'upper'"),
    "network": ([HEAT, "network.widht=3"], "network 'widht'; did you mean 'width'"),
    "network type": ([HEAT, "network.width=abc"], "network.width: 'abc' is not of type int"),
    "network size": ([HEAT, "network.width=-1"], "network: "),
    "optimizer": ([HEAT, "optimizer=adam", "optimizer.lr=1"], "optimizer 'lr'.*learning_rate"),
    "optax type": ([HEAT, "optimizer=adam", "optimizer.learning_rate=a"], "learning_rate: 'a'"),
    "phase": ([HEAT, "phases=[{step: 3}]"], r"phases\[0\] 'step'; did you mean 'steps'"),
    "phase type": ([HEAT, "phases=[{steps: x}]"], r"phases\[0\].steps: 'x' is not of type int"),
    "gate": ([HEAT, "gate=[{metric: relative_l2}]"], r"gate\[0\]: give \{metric"),
    "metric": ([HEAT, "classical=null", "gate=[{metric: l2, at_most: 1}]"], "'l2'.*max_error"),
    "budget": ([HEAT, "budget='3 m'"], "budget: the unit 'm'"),
    "method": ([HEAT, "method=fem"], "unknown method 'fem'.*fast, operator, pinn"),
    "no solver": ([HEAT, "method=classical", "classical=null"], "method=classical"),
    "format": ([HEAT, "format=csv"], "unknown format 'csv'.*netcdf, zarr"),
    "precision": ([HEAT, "precision=half"], "unknown precision 'half'"),
    "output": ([HEAT, "output.q=3"], r"axis \(output\) 'q'"),
    "inference": ([HEAT, "infer=[diffusivty]"], "did you mean 'diffusivity'"),
    "data": (["experiment=soil_heat", "observations.file=no.nc"], "observations.file.*'no.nc'"),
    "sweep choice": (["-m", "experiment=heat,heet"], "unknown experiment 'heet'"),
    "sweep key": (["-m", HEAT, "sed=1,2"], "unknown key 'sed'; did you mean 'seed'"),
    "run": (["resume", "nowhere"], "'nowhere' is no run folder"),
    "plot": (["plot", "nowhere"], "'nowhere' holds no dataset"),
    "verify": (["verify", "heet"], "unknown experiment 'heet'; did you mean 'heat'"),
    "verify what": (["verify"], "name experiments, or give --all"),
    "show": (["show", "heet"], "unknown experiment 'heet'; did you mean 'heat'"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line_that_names_it(shell, tmp_path, mistake):
    arguments, said = MISTAKES[mistake]
    called = shell(*arguments)
    assert re.search(said, called.failed()), called.err
    assert not list(tmp_path.rglob("summary.json"))


def test_an_unexpected_error_keeps_its_traceback(shell, tmp_path):
    (tmp_path / "broken.py").write_text(
        "from pinnlab.equations.canonical.heat import Heat, equation\n"
        "@equation\nclass Broken(Heat):\n    def rhs(self, f):\n        raise KeyError('mine')\n"
    )
    with pytest.raises(KeyError, match="mine"):
        shell(*TINY, "equation._target_=broken.Broken")


def test_a_folder_that_cannot_be_made_is_said_before_the_training(shell, tmp_path):
    (tmp_path / "file").write_text("")
    assert "file" in shell(*TINY, "hydra.run.dir=file/run").failed()


def test_another_configuration_in_the_same_folder_is_refused_and_harms_nothing(shell, tmp_path):
    assert shell(*TINY, "hydra.run.dir=run").code == 0
    before = {p: p.read_bytes() for p in (tmp_path / "run").iterdir()}
    said = shell(*TINY, "hydra.run.dir=run", "seed=7", "network.width=5").failed()
    assert "seed" in said and "network" in said
    assert before == {p: p.read_bytes() for p in (tmp_path / "run").iterdir()}


def test_the_folder_is_said_first_and_all_is_in_it(shell, tmp_path):
    called = shell(*TINY, "hydra.run.dir=run", "seeds=2", "precision=float32")
    assert called.code == 0
    assert called.out.splitlines()[0] == f"run folder: {tmp_path / 'run'}"
    there = {p.name for p in (tmp_path / "run").iterdir()}
    assert there == {
        "config.yaml",
        "log.jsonl",
        "checkpoint.safetensors",
        "solution.safetensors",
        "dataset.nc",
        "summary.json",
    }


def test_runs_side_by_side_and_figures_anew(shell, tmp_path):
    for seed in (0, 1):
        assert shell(*TINY, f"seed={seed}", f"hydra.run.dir=run{seed}").code == 0
    table = shell("compare", "run0", "run1")
    assert table.code == 0 and "seed" in table.out
    drawn = shell("plot", "run0")
    assert drawn.code == 0
    paths = drawn.out.split()
    assert paths and all((tmp_path / path).read_bytes()[:4] == b"\x89PNG" for path in paths)


def test_a_sweep_goes_on_after_a_failed_job(shell, tmp_path):
    called = shell("-m", *TINY, "network.width=-1,5", "hydra.sweep.dir=sweep")
    assert called.code == 2
    assert not (tmp_path / "sweep/0/summary.json").exists()
    assert (tmp_path / "sweep/1/summary.json").exists()
    assert f"failed: {tmp_path}/sweep/0: network" in called.err


@pytest.mark.parametrize("arguments", [(), ("--help",), ("list",)])
def test_help_and_list_are_quick(tmp_path, arguments):
    """In seconds of the processor, which do not depend on what else runs."""

    def spent() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([COMMAND, *arguments], cwd=tmp_path, check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    assert min(spent() for _ in range(3)) < 0.6


def test_list_and_show_name_every_experiment(shell):
    listed = shell("list").out
    for name in experiments():
        assert name in listed
        shown = shell("show", name)
        assert shown.code == 0
        for part in ("variables:", "conditions:", "settings:"):
            assert part in shown.out


def test_the_command_itself_says_errors_on_stderr(tmp_path):
    process = started("experiment=heet", folder=tmp_path)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (2, "")
    assert err.startswith("pinnlab: unknown experiment 'heet'") and err.count("\n") == 1
