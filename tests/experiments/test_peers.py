"""The comparison with other packages: the tasks are pinnlab's own, and the judging is right."""

import importlib
import sys
from pathlib import Path
from types import ModuleType

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pinnlab.core.rows import read_rows
from pinnlab.run.build import build_equation
from pinnlab.run.compose import composed

FOLDER = Path(__file__).parents[2] / "experiments" / "peers"
NAMES = ("burgers", "heat", "poisson", "helmholtz", "wave")


@pytest.fixture
def modules(monkeypatch) -> tuple[ModuleType, ModuleType]:
    """``tasks`` and ``compare``, as the scripts see them."""
    monkeypatch.syspath_prepend(str(FOLDER))
    for name in ("tasks", "compare"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    found = importlib.import_module("tasks"), importlib.import_module("compare")
    yield found
    for name in ("tasks", "compare"):
        del sys.modules[name]


def task_of(name, modules, folder):
    tasks, compare = modules
    return tasks.Task.read(compare.write_task(name, folder))


@pytest.mark.parametrize("name", NAMES)
def test_the_output_satisfies_the_conditions_whatever_the_network_says(name, modules, tmp_path):
    task = task_of(name, modules, tmp_path)
    x = dict(zip(task.axes, task.points.T, strict=True))
    held = np.zeros(len(task.truth), bool)
    for axis, lower, upper in zip(task.axes, task.lower, task.upper, strict=True):
        held |= x[axis] == lower
        if axis != "t":
            held |= x[axis] == upper
    assert held.sum() > 100
    noise = np.random.default_rng(0).normal(size=held.shape)
    made = task.satisfying(x, noise, np.sin)
    np.testing.assert_allclose(made[held], task.truth[held], atol=1e-12)
    assert np.abs(made - task.truth)[~held].max() > 0.1


def test_the_wave_starts_at_rest(modules, tmp_path):
    task = task_of("wave", modules, tmp_path)
    with jax.enable_x64(True):
        x = jnp.linspace(0.0, 1.0, 11)
        slope = jax.jvp(
            lambda t: task.satisfying({"t": t, "x": x}, jnp.cos(3 * t + x), jnp.sin),
            (jnp.zeros(11),),
            (jnp.ones(11),),
        )[1]
    np.testing.assert_allclose(slope, 0.0, atol=1e-14)


@pytest.mark.parametrize("name", ("poisson", "helmholtz"))
def test_the_source_is_that_of_the_exact_solution(name, modules, tmp_path):
    task = task_of(name, modules, tmp_path)
    equation = build_equation(composed([f"experiment={name}"]))

    def u(point):
        return equation.exact({"x": point[0], "y": point[1]})["u"]

    with jax.enable_x64(True):
        points = jnp.asarray(task.points[::97])
        laplacian = jax.vmap(lambda p: jnp.trace(jax.hessian(u)(p)))(points)
        source = task.source({"x": points[:, 0], "y": points[:, 1]}, jnp.sin)
        rest = task.coefficient * laplacian + source
        if name == "helmholtz":
            rest = laplacian + task.coefficient**2 * jax.vmap(u)(points) - source
    np.testing.assert_allclose(rest, 0.0, atol=1e-10)


def test_looking_is_not_counted(modules, tmp_path):
    tasks, _ = modules
    task = task_of("heat", modules, tmp_path)
    recorder = tasks.Recorder(task, tmp_path / "out.csv", ("a", "1", "b"), 60.0)

    def slow():
        values = task.truth
        for _ in range(300):
            values = np.sort(np.random.default_rng(0).normal(size=task.truth.shape))
        return 0.0 * values

    before = recorder.seconds
    recorder.look(slow, always=True)
    assert recorder.seconds - before < 0.02
    recorder.look(lambda: 1.01 * task.truth, always=True)
    rows = read_rows(tmp_path / "out.csv")
    errors = [float(row["relative_l2"]) for row in rows]
    np.testing.assert_allclose(errors, [1.0, 0.01], rtol=1e-5)


def test_the_side_of_pinnlab_runs(modules, tmp_path):
    _, compare = modules
    side = next(side for side in compare.SIDES if side.package == "pinnlab")
    rows = compare.run(side, compare.write_task("heat", tmp_path), sys.executable, 0.1)
    assert {(row["task"], row["package"]) for row in rows} == {("heat", "pinnlab")}
    assert float(rows[-1]["processor_seconds"]) > 0 and 0 < float(rows[-1]["relative_l2"]) < 10


def curve(*pairs):
    return np.array(pairs, float)


def test_a_package_is_judged_in_its_best_configuration_at_its_best_error(modules):
    _, compare = modules
    sides = {"a": curve((10, 1e-2), (100, 1e-3)), "b": curve((10, 1e-1), (100, 2e-3))}
    ours = curve((2, 1e-2), (4, 9e-4), (50, 1e-7), (150, 1e-9))
    row = compare.judged("heat", "DeepXDE", sides, ours, curve((1, 1e-4)))
    assert row["configuration"] == "a"
    assert (float(row["after_seconds"]), float(row["pinnlab_after_seconds"])) == (100, 4)
    assert (float(row["times_sooner"]), float(row["times_lower"])) == (25, 1e4)  # not 1e-9: later
    assert row["passed"] == "yes" and float(row["times_sooner_again"]) == 100
    late = compare.judged("heat", "DeepXDE", sides, curve((2, 1e-2), (6, 9e-4), (50, 1e-7)))
    assert late["passed"] == "no"  # 16.7 times sooner


def test_an_error_that_is_never_reached_fails(modules):
    _, compare = modules
    row = compare.judged("heat", "jinns", {"a": curve((9, 1e-6))}, curve((1, 1e-3), (9, 1e-5)))
    assert (float(row["times_sooner"]), row["passed"]) == (0, "no")


def test_the_lowest_error_so_far_counts_and_an_error_that_is_not_finite_does_not(modules):
    _, compare = modules
    rows = [
        {"processor_seconds": s, "relative_l2": e}
        for s, e in (("3", "0.1"), ("1", "nan"), ("2", "0.01"))
    ]
    assert compare.curve(rows)[:, 1].tolist() == [np.inf, 0.01, 0.01]


def test_a_rerun_replaces_its_own_rows_alone(modules, tmp_path, monkeypatch):
    tasks, compare = modules
    monkeypatch.setattr(compare, "RESULTS", tmp_path / "results.csv")

    def row(task, package, configuration, error):
        values = (task, package, "1", configuration, "1.0", "2.0", error)
        return dict(zip(tasks.COLUMNS, values, strict=True))

    peer = row("heat", "PINA", "Adam then L-BFGS", "1e-3")
    compare.merged([row("heat", "pinnlab", "as its experiment", "1e-4")])
    compare.merged([peer])
    compare.merged([row("heat", "pinnlab", "as its experiment", "1e-9")])
    assert [r["relative_l2"] for r in read_rows(compare.RESULTS)] == ["1e-3", "1e-9"]
