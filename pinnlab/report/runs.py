"""What a run folder says of itself: its errors, its seconds and its settings."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pinnlab.core.errors import PinnlabError

_PLACES = ("folder", "dir", "cwd")  # settings that say where files lie
# Settings that say what people read of an experiment, and change nothing of it.
_PROSE = ("name", "title", "summary", "keywords", "references", "license", "comment")


def read_run(folder: Path) -> dict[str, Any]:
    """Read ``summary.json`` and ``config.yaml`` of a run.

    Returns the keys of :func:`pinnlab.report.compare.rows`, with all settings and no marks.

    Raises:
        PinnlabError: naming the folder or file that is missing or damaged, and what to do.
    """
    summary = _summary(folder)
    seconds = summary.get("seconds") or {}
    return {
        "run": str(folder),
        "equation": str(summary.get("equation") or summary.get("experiment") or "-"),
        "experiment": str(summary.get("experiment") or "-"),
        "method": str(summary.get("method") or "-"),
        "norms": _finite(summary.get("norms")),
        "marks": {},
        "floor": _finite(summary.get("floor")),
        "seconds": seconds.get("total") if isinstance(seconds, Mapping) else seconds,
        "passed": summary.get("passed"),
        "settings": _settings(folder),
    }


def _finite(values: Any) -> dict[str, float]:
    """The numbers of a mapping; a run that diverged has an error of none."""
    found = values.items() if isinstance(values, Mapping) else ()
    return {k: v for k, v in found if isinstance(v, (int, float)) and math.isfinite(v)}


def _summary(folder: Path) -> dict[str, Any]:
    path = folder / "summary.json"
    remedy = f"continue the run with: pinnlab resume {folder}"
    if not folder.is_dir():
        raise PinnlabError(f"run folder '{folder}' does not exist; give the folder of a run")
    if not path.is_file():
        raise PinnlabError(
            f"run folder '{folder}' has no summary.json: the run has not ended; {remedy}"
        )
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise PinnlabError(f"cannot read '{path}' ({error}); {remedy}") from error
    if not isinstance(found, dict):
        raise PinnlabError(f"'{path}' holds no JSON object; {remedy}")
    return found


def _settings(folder: Path) -> dict[str, Any]:
    import yaml

    path = folder / "config.yaml"
    try:
        config = yaml.safe_load(path.read_text())
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise PinnlabError(
            f"cannot read '{path}' ({error}); put the run's configuration back, or run it again"
        ) from error
    if not isinstance(config, dict):
        raise PinnlabError(f"'{path}' holds no settings (key: value); run the experiment again")
    inside = str(folder.resolve())
    return {
        key: value
        for key, value in _flat(config, "")
        if not _is_place(key, value, inside) and key.split(".")[0] not in ("hydra", *_PROSE)
    }


def _flat(value: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _flat(inner, f"{prefix}.{key}" if prefix else str(key))
    elif isinstance(value, list) and any(isinstance(v, (dict, list)) for v in value):
        for index, inner in enumerate(value):
            yield from _flat(inner, f"{prefix}.{index}")
    else:
        yield prefix, value


def _is_place(key: str, value: Any, folder: str) -> bool:
    last = key.rsplit(".", 1)[-1]
    named = last in _PLACES or last.endswith(tuple(f"_{p}" for p in _PLACES))
    return named or (isinstance(value, str) and folder in value)
