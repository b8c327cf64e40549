"""From plain numbers with units to CF files: datasets, provenance, whole-or-not-at-all writing.

Nothing is imported until it is asked for, so that writing a text file does not wait for xarray.
"""

from __future__ import annotations

import importlib
from typing import Any

_HOME = {
    "Coordinate": "schema",
    "Quantity": "schema",
    "Site": "schema",
    "build_dataset": "dataset",
    "check_writable": "files",
    "midpoint_bounds": "bounds",
    "read_dataset": "files",
    "sha256_file": "files",
    "write_bytes": "files",
    "write_json": "files",
    "write_netcdf": "files",
    "write_text": "files",
    "write_zarr": "files",
}
__all__ = list(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'pinnlab.io' has no attribute '{name}'")
    return getattr(importlib.import_module(f"pinnlab.io.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
