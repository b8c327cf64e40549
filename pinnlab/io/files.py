"""Writing and reading: netCDF, Zarr, text, JSON. Every file is written whole or not at all."""

from __future__ import annotations

import hashlib
import json
import math
import os
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pinnlab.core.errors import PinnlabError
from pinnlab.io import atomic

if TYPE_CHECKING:
    import xarray as xr

_PORTABLE = ("units", "calendar", "dtype", "_FillValue", "coordinates")
StrPath = str | os.PathLike[str]


def write_bytes(path: StrPath, data: bytes | memoryview) -> None:
    """Write *data*; missing folders are made. Raises :class:`PinnlabError` naming the path."""
    atomic.write_file(Path(path), data)


def write_text(path: StrPath, text: str) -> None:
    """Write *text* as UTF-8, whole or not at all."""
    atomic.write_file(Path(path), text.encode())


def write_json(path: StrPath, obj: Any) -> None:
    """Write *obj* as JSON, whole or not at all.

    Arrays and numpy numbers become lists and numbers, paths become text. JSON has no NaN and no
    infinity: they become ``null``.
    """
    text = json.dumps(_plain(obj, "$"), indent=2, ensure_ascii=False, allow_nan=False)
    write_text(path, text + "\n")


def write_netcdf(ds: xr.Dataset, path: StrPath) -> None:
    """Write *ds* as netCDF-4, whole or not at all.

    The file is put together in memory (its compressed size) and then written in one go: a full
    disk is then an error with a name, while the HDF5 library only says "HDF error".
    """
    try:
        image = ds.to_netcdf(engine="netcdf4", format="NETCDF4")
    except (TypeError, ValueError, RuntimeError) as error:
        raise PinnlabError(f"cannot write '{path}': the dataset does not fit: {error}") from error
    atomic.write_file(Path(path), image)


def write_zarr(ds: xr.Dataset, path: StrPath) -> None:
    """Write *ds* as a Zarr v3 store, whole or not at all.

    A store that stands at *path* is replaced. If the process is killed between the two renames
    that this takes, the old store is found as ``.<name>.previous`` beside it, and the next
    :func:`read_dataset` or :func:`write_zarr` puts it back.

    Raises:
        PinnlabError: if zarr is not installed, if *path* is something other than a Zarr store, or
            if it cannot be written.
    """
    _need_zarr()
    target = Path(path)
    if os.path.lexists(target) and not _is_store(target):
        raise PinnlabError(f"cannot write '{path}': it is there already, and is no Zarr store")
    portable = ds.copy()
    for variable in portable.variables.values():
        kept = {k: v for k, v in variable.encoding.items() if k in _PORTABLE}
        variable.encoding = kept  # the rest is netCDF's own, or another store's codecs
    with atomic.staged(target) as temporary:
        atomic.recover(target)
        try:
            portable.to_zarr(temporary, mode="w-", zarr_format=3, consolidated=False)
        except (TypeError, ValueError) as error:
            message = f"cannot write '{path}': the dataset does not fit: {error}"
            raise PinnlabError(message) from error
        atomic.sync_tree(temporary)
        atomic.replace_folder(temporary, target)


def read_dataset(path: StrPath) -> xr.Dataset:
    """Read a netCDF file or a Zarr store into memory, with dates decoded, and close it.

    What :func:`pinnlab.io.dataset.build_dataset` made comes back identical
    (``xarray.testing.assert_identical``).

    Raises:
        PinnlabError: if there is nothing at *path*, or it cannot be read.
    """
    with open_dataset(path) as opened:
        try:
            return opened.load()
        except (OSError, RuntimeError, ValueError, KeyError) as error:
            raise _unreadable(path, error) from error


def open_dataset(path: StrPath) -> xr.Dataset:
    """The same without reading it; values come from the file when they are asked for.

    Raises:
        PinnlabError: as :func:`read_dataset`.
    """
    import xarray as xr

    source = Path(path)
    options: dict[str, Any] = {"engine": "netcdf4"}
    try:
        atomic.recover(source)
        if source.is_dir():
            _need_zarr()
            options = {"engine": "zarr", "consolidated": False}
        elif not source.exists():
            raise PinnlabError(f"cannot read '{path}': there is no such file or store")
        return xr.open_dataset(source, decode_timedelta=False, cache=False, **options)
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: StrPath, error: Exception) -> PinnlabError:
    return PinnlabError(
        f"cannot read '{path}': neither a netCDF file nor a Zarr store, or damaged ({error})"
    )


def check_writable(folder: StrPath, need_bytes: int = 0) -> Path:
    """Make *folder* if it is missing, prove that it takes a file, and return it resolved.

    Raises:
        PinnlabError: if it cannot be made or written to, or has less than *need_bytes* free.
    """
    place = Path(folder)
    probe = place / f".pinnlab-{os.getpid()}-{secrets.token_hex(4)}.probe"
    try:
        place.mkdir(parents=True, exist_ok=True)
        with open(probe, "xb") as file:
            file.write(bytes(4096))
            file.flush()
            os.fsync(file.fileno())
        free = shutil.disk_usage(place).free
    except OSError as error:
        raise PinnlabError(f"folder '{folder}' is not usable: {atomic.explain(error)}") from error
    finally:
        atomic.remove(probe)
    if free < need_bytes:
        raise PinnlabError(
            f"folder '{folder}' has {free / 1e6:.0f} MB free, but {need_bytes / 1e6:.0f} MB are "
            "needed; free some space or choose another folder"
        )
    return place.resolve()


def sha256_file(path: StrPath) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise PinnlabError(f"cannot read '{path}': {error.strerror}") from error


def _is_store(path: Path) -> bool:
    if not path.is_dir():
        return False
    marks = ("zarr.json", ".zgroup", ".zattrs")
    return any((path / mark).is_file() for mark in marks) or not any(path.iterdir())


def _need_zarr() -> None:
    try:
        import zarr
    except ImportError as error:
        raise PinnlabError("Zarr is not installed; run: pip install 'pinnlab[zarr]'") from error
    if int(zarr.__version__.split(".")[0]) < 3:
        raise PinnlabError(
            f"Zarr {zarr.__version__} is too old for the v3 format; run: "
            "pip install --upgrade 'pinnlab[zarr]'"
        )


def _plain(obj: Any, where: str) -> Any:
    if obj is None or isinstance(obj, (bool, str)):
        return obj
    if isinstance(obj, Mapping):
        return {str(k): _plain(v, f"{where}.{k}") for k, v in obj.items()}
    if isinstance(obj, (list, tuple)):
        return [_plain(v, f"{where}[{i}]") for i, v in enumerate(obj)]
    if isinstance(obj, os.PathLike):
        return os.fspath(obj)
    if hasattr(obj, "tolist"):  # numpy numbers and arrays, JAX arrays
        return _plain(obj.tolist(), where)
    if isinstance(obj, float):
        return obj if math.isfinite(obj) else None
    if isinstance(obj, int):
        return obj
    raise PinnlabError(f"JSON at {where}: a {type(obj).__name__} cannot be written as JSON")
