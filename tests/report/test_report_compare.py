"""The table over runs: what differs, what is best, and what cannot be ranked."""

import io
import json

import pytest
import yaml
from rich.console import Console

from pinnlab.core.errors import PinnlabError
from pinnlab.report.compare import compare, rows


@pytest.fixture
def make_run(tmp_path):
    def make(name, config=None, **summary):
        folder = tmp_path / name
        folder.mkdir(parents=True)
        given = {
            "experiment": "burgers",
            "equation": "Burgers",
            "method": "network",
            "norms": {"relative_l2_velocity": 1e-4, "max_error_velocity": 1e-3},
            "floor": {"velocity": 1e-9},
            "seconds": {"compile": 2.0, "compute": 10.0, "total": 12.0},
            "passed": True,
        }
        (folder / "summary.json").write_text(json.dumps(given | summary))
        own = {"run_dir": str(folder), "seed": 0, "network": {"width": 64, "depth": 4}}
        own["log_path"] = f"{folder}/log.jsonl"
        own["hydra"] = {"job": {"num": name}}
        (folder / "config.yaml").write_text(yaml.safe_dump(own | (config or {})))
        return folder

    return make


def printed(table, width=140):
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(table)
    return console.export_text()


def norms(value):
    return {"relative_l2_velocity": value, "max_error_velocity": 10 * value}


def test_only_the_settings_that_differ_are_listed(make_run):
    a = make_run("a", {"phases": [{"steps": 5}, {"steps": 7}], "layers": [1, 2]})
    b = make_run("b", {"phases": [{"steps": 5}, {"steps": 9}], "layers": [1, 3], "seed": 1})
    c = make_run("c", {"phases": [{"steps": 5}], "layers": [1, 2], "extra": None})
    assert [row["settings"] for row in rows([a, b, c])] == [
        {"phases.1.steps": 7, "layers": [1, 2], "seed": 0},
        {"phases.1.steps": 9, "layers": [1, 3], "seed": 1},
        {"layers": [1, 2], "seed": 0, "extra": None},
    ]
    text = printed(compare([a, b, c]))
    assert "phases.1.steps=9" in text and "layers=[1, 3]" in text
    for hidden in ("network", "run_dir", "log_path", "hydra", "phases.0"):
        assert f"{hidden}=" not in text and f"{hidden}." not in text


def test_settings_are_compared_among_runs_of_one_equation(make_run):
    a = make_run("a", {"title": "one", "seed": 3}, experiment="burgers_fast")
    b = make_run("b", {"title": "two"})
    c = make_run("c", {"steps": 9}, experiment="swing", equation="Swing")
    assert [row["settings"] for row in rows([a, b, c])] == [{"seed": 3}, {"seed": 0}, {}]


def test_a_single_run_differs_in_nothing_and_is_not_ranked(make_run):
    (row,) = rows([make_run("a")])
    assert row["settings"] == {}
    assert row["marks"] == {"relative_l2_velocity": "", "max_error_velocity": ""}


def test_the_lowest_error_of_an_experiment_is_marked(make_run):
    runs = [
        make_run("a", norms=norms(2e-4)),
        make_run("b", norms=norms(1e-4)),
        make_run("c", experiment="other", norms=norms(5e-5)),
    ]
    marks = [row["marks"]["relative_l2_velocity"] for row in rows(runs)]
    assert marks == ["", "best", ""]
    starred = [line.split() for line in printed(compare(runs)).splitlines() if "*" in line]
    assert starred[0][:5] == ["b", "burgers", "velocity", "0.0001*", "0.001*"]
    assert " ".join(starred[1]) == "* lowest among the runs of its experiment"


def test_below_three_floors_nothing_is_ranked(make_run, tmp_path):
    floor = {"velocity": 1e-9}
    runs = [
        make_run("a", norms=norms(2.9e-9), floor=floor),
        make_run("b", norms=norms(1e-9), floor=floor),
        make_run("c", norms=norms(1e-6), floor=floor),
    ]
    for metric in ("relative_l2_velocity", "max_error_velocity"):
        assert [row["marks"][metric] for row in rows(runs)] == ["at floor", "at floor", ""]
    text = printed(compare(runs))
    assert text.count("1e-09, at floor") == 2 and "not ranked" in text and "*" not in text
    over_all = {"relative_l2": 1e-9, **norms(1e-9)}
    (row,) = rows([make_run("all", norms=over_all, floor=floor)])
    assert set(row["marks"].values()) == {"at floor"}
    text = printed(compare([tmp_path / "all"]))
    assert "velocity" in text and " all " not in text  # that of its only variable says the same
    above = [make_run("d", norms=norms(3.1e-9), floor=floor), runs[2]]
    assert [row["marks"]["relative_l2_velocity"] for row in rows(above)] == ["best", ""]


def test_a_floor_counts_for_its_own_variable(make_run):
    found = {"relative_l2_angle": 2e-9, "relative_l2_speed": 1e-4, "rmse_held_out": 0.2}
    run = make_run("a", norms=found, floor={"angle": 1e-9, "speed": 1e-9})
    (row,) = rows([run])
    assert row["marks"] == {
        "relative_l2_angle": "at floor",
        "relative_l2_speed": "",
        "rmse_held_out": "",
    }


def test_all_columns_are_printed(make_run):
    a = make_run("sweep/[0]", norms=norms(3.1e-5), passed=False)
    b = make_run("sweep/[1]", norms={"relative_l2_velocity": None}, floor={}, passed=None)
    table = compare([a, b])
    assert table.title == f"burgers, network, runs in {a.parent}"  # once, for both
    text = printed(table)
    (first,) = [line.split() for line in text.splitlines() if "[0]" in line]
    assert first == ["[0]", "velocity", "3.1e-05", "0.00031", "1e-09", "12", "no", "-"]
    (second,) = [line.split() for line in text.splitlines() if "[1]" in line]
    assert second == ["[1]", "all", "-", "-", "-", "12", "-", "-"]


def test_each_variable_has_a_line_of_its_own(make_run):
    found = {"relative_l2_angle": 2e-9, "relative_l2_speed": 1e-4, "max_error_speed": 0.3}
    run = make_run("a", norms=found, floor={"angle": 1e-9, "speed": 1e-9})
    words = " ".join(printed(compare([run]), width=250).split())
    assert "angle 2e-09 - 1e-09, at floor 12 yes" in words
    assert "speed 0.0001 0.3 1e-09" in words


@pytest.mark.parametrize(
    "damage, message",
    [
        (lambda run: (run / "summary.json").unlink(), "pinnlab resume"),
        (lambda run: (run / "summary.json").write_text('{"norms": '), "pinnlab resume"),
        (lambda run: (run / "summary.json").write_text("[1]"), "pinnlab resume"),
        (lambda run: (run / "config.yaml").unlink(), "config.yaml"),
        (lambda run: (run / "config.yaml").write_text("a: [1"), "config.yaml"),
        (lambda run: (run / "config.yaml").write_text("5"), "config.yaml"),
    ],
)
def test_a_damaged_run_is_named_with_a_remedy(make_run, damage, message):
    good, bad = make_run("good"), make_run("bad")
    damage(bad)
    with pytest.raises(PinnlabError) as caught:
        compare([good, bad])
    assert str(bad) in str(caught.value) and message in str(caught.value)


def test_a_folder_that_is_none_is_named(tmp_path):
    with pytest.raises(PinnlabError, match="nowhere"):
        rows([tmp_path / "nowhere"])
    with pytest.raises(PinnlabError, match="run folder"):
        rows([])
