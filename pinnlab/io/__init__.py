"""From plain numbers with units to CF files: datasets, provenance, whole-or-not-at-all writing.

Nothing is imported until it is asked for, so that writing a text file does not wait for xarray.
"""

from __future__ import annotations

from pinnlab._lazy import lazy

_HOME = {
    "Coordinate": "schema",
    "Quantity": "schema",
    "Site": "schema",
    "build_dataset": "dataset",
    "check_writable": "files",
    "midpoint_bounds": "bounds",
    "open_dataset": "files",
    "read_dataset": "files",
    "sha256_file": "files",
    "write_bytes": "files",
    "write_json": "files",
    "write_netcdf": "files",
    "write_text": "files",
    "write_zarr": "files",
}
__getattr__, __dir__, __all__ = lazy(__name__, _HOME)
