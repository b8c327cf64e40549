"""A run in a process of its own: what it left and what it cost."""

from __future__ import annotations

from pinnlab.run.apart import run_apart


def test_a_run_leaves_its_summary_and_its_cost():
    done = run_apart("energy_balance", ["seed=3", "steps=4", "certificate=false"])
    assert done.summary is not None, done.said
    assert done.summary["seed"] == 3 and done.summary["steps"] == 4
    assert done.processor_seconds > done.summary["seconds"]["total"] > 0


def test_a_run_that_fails_has_said_why():
    done = run_apart("energy_balance", ["sed=3"])
    assert done.summary is None and "sed" in done.said
