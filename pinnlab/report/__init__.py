"""What a run looks like: figures drawn from its dataset and its log, and a table over runs.

Nothing is imported until it is asked for, so that a table does not wait for matplotlib.
"""

from __future__ import annotations

import importlib
from typing import Any

_HOME = {"compare": "comparison", "draw": "figures", "rows": "comparison"}
__all__ = list(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'pinnlab.report' has no attribute '{name}'")
    return getattr(importlib.import_module(f"pinnlab.report.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
