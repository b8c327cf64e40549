"""Gates: what an experiment must reach, declared in its yaml."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from pinnlab.core.errors import PinnlabError, choose


@dataclass(frozen=True)
class Gate:
    """*metric* must be *at_most* a value, within *within_seconds* of training if that is given."""

    metric: str
    at_most: float
    within_seconds: float | None = None


def make_gates(given: Sequence[Any]) -> list[Gate]:
    """The gates of a configuration.

    Raises:
        PinnlabError: an entry that is no mapping, lacks a key, has another, or no number in it.
    """
    made = []
    for i, entry in enumerate(given):
        where = f"gate[{i}]"
        if not isinstance(entry, Mapping) or not {"metric", "at_most"} <= set(entry):
            raise PinnlabError(f"{where}: give {{metric: NAME, at_most: NUMBER}}, got {entry}")
        for key, value in entry.items():
            choose(f"key of {where}", str(key), [f.name for f in fields(Gate)])
            if key != "metric" and not isinstance(value, (int, float)) and value is not None:
                raise PinnlabError(f"{where}.{key}: {value!r} is no number")
        made.append(Gate(**entry))  # type: ignore[arg-type]
    return made


def judge(
    gates: Sequence[Gate],
    metrics: Mapping[str, float],
    seconds: float,
    history: Sequence[Mapping[str, Any]],
) -> list[dict[str, Any]]:
    """Each gate with the value reached and whether it passed.

    A gate that a longer run should have met earlier is judged by the last value that the run
    recorded within the gate's seconds.
    """
    verdicts = []
    for gate in gates:
        value, at = metrics[gate.metric], seconds
        limit = gate.within_seconds
        if limit is not None and seconds > limit:
            seen = [
                (r["seconds"], r["metrics"][gate.metric])
                for r in history
                if gate.metric in r.get("metrics", {}) and r["seconds"] <= limit
            ]
            at, value = seen[-1] if seen else (seconds, value)
        passed = bool(value <= gate.at_most and (limit is None or at <= limit))
        verdicts.append({**asdict(gate), "value": float(value), "seconds": at, "passed": passed})
    return verdicts
