"""Gates: made from yaml, judged by value and by seconds."""

import pytest

from pinnlab.core.errors import PinnlabError
from pinnlab.run.gates import Gate, judge, make_gates

HISTORY = [
    {"seconds": 10.0, "metrics": {"relative_l2": 1e-2}},
    {"seconds": 50.0, "metrics": {"relative_l2": 1e-3}},
    {"seconds": 70.0},
    {"seconds": 90.0, "metrics": {"relative_l2": 1e-4}},
]


def verdict(gate: Gate, seconds: float = 100.0) -> dict:
    return judge([gate], {"relative_l2": 1e-5}, seconds, HISTORY)[0]


def test_without_a_limit_the_end_counts():
    found = verdict(Gate("relative_l2", 1e-5))
    assert (found["value"], found["seconds"], found["passed"]) == (1e-5, 100.0, True)
    assert not verdict(Gate("relative_l2", 0.9e-5))["passed"]


def test_a_limit_in_the_middle_counts_what_was_seen_before_it():
    found = verdict(Gate("relative_l2", 1e-3, within_seconds=60))
    assert (found["value"], found["seconds"], found["passed"]) == (1e-3, 50.0, True)
    assert not verdict(Gate("relative_l2", 1e-4, within_seconds=60))["passed"]
    assert verdict(Gate("relative_l2", 1e-5, within_seconds=100))["passed"]


def test_nothing_seen_in_time_is_not_passed():
    assert not verdict(Gate("relative_l2", 1.0, within_seconds=5))["passed"]


def test_not_a_number_is_not_passed():
    assert not judge([Gate("e", 1.0)], {"e": float("nan")}, 1.0, [])[0]["passed"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([3], r"gate\[0\]: give"),
        ([{"metric": "e"}], r"gate\[0\]: give \{metric: NAME, at_most: NUMBER\}"),
        ([{"metric": "e", "at_most": "low"}], r"gate\[0\].at_most: 'low' is no number"),
        ([{"metric": "e", "at_most": 1, "within": 3}], "'within'; did you mean 'within_seconds'"),
    ],
)
def test_a_mistake_names_the_place(given, said):
    with pytest.raises(PinnlabError, match=said):
        make_gates(given)
