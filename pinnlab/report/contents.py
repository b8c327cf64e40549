"""What a run's dataset holds, read from the names, dimensions and attributes alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pinnlab.report import coordinates, style

if TYPE_CHECKING:
    import xarray as xr

_COMPANIONS = (
    "reference",
    "error",
    "relative_error",
    "estimated_error",
    "residual",
    "spread",
    "observed",
    "held_out",
    "at_observations",
    "lower",
    "upper",
)
FLOORS = 3.0  # below so many floors of the reference, an error says nothing about the run
_DEFINING = ("reference", "error", "residual", "observed")


@dataclass(frozen=True)
class Contents:
    """Names of the variables (on all output axes) and of the learned parameters (on one, or none).

    ``time`` is the dimension of time, if there is one; ``space`` are all the others.
    """

    variables: tuple[str, ...]
    profiles: tuple[str, ...]
    scalars: tuple[str, ...]
    time: str | None
    space: tuple[str, ...]


def read(ds: xr.Dataset) -> Contents:
    """Tell variables, profiles and scalar parameters apart."""
    bounds = {v.attrs.get("bounds") for v in ds.variables.values()}
    own = [
        str(name)
        for name, array in ds.data_vars.items()
        if array.dtype.kind in "fiu"
        and name not in bounds
        and "flag_values" not in array.attrs
        and not is_companion(ds, str(name))
    ]
    variables = _variables(ds, own)
    dims = [str(d) for d in ds[variables[0]].dims] if variables else []
    time = next((d for d in dims if coordinates.is_time(ds[d])), None)
    return Contents(
        tuple(variables),
        tuple(n for n in own if n not in variables and ds[n].ndim == 1),
        tuple(n for n in own if ds[n].ndim == 0),
        time,
        tuple(d for d in dims if d != time),
    )


def _variables(ds: xr.Dataset, own: list[str]) -> list[str]:
    """Those on the output axes, which are the dimensions of the widest."""
    widest = max((ds[name].ndim for name in own), default=0)
    if widest == 0:
        return []
    wide = [n for n in own if ds[n].ndim == widest]
    compared = [n for n in wide if any(f"{n}_{c}" in ds for c in _DEFINING)]
    if widest == 1:  # a profile and a variable on one axis look alike, but for what goes with them
        wide = [n for n in wide if f"{n}_lower" not in ds] or wide
        compared = [n for n in compared if n in wide]
        wide = compared or wide
    dims = set(ds[(compared or wide)[0]].dims)
    return [n for n in wide if set(ds[n].dims) == dims]


def is_companion(ds: xr.Dataset, name: str) -> bool:
    """Whether *name* is ``V_reference`` and the like of a variable *V* that is there."""
    return any(
        name.endswith(f"_{c}") and name.removesuffix(f"_{c}") in ds.data_vars for c in _COMPANIONS
    )


def companion(ds: xr.Dataset, name: str, kind: str) -> xr.DataArray | None:
    """``V_reference`` and the like, on the same dimensions as *V*, or None."""
    found = ds.get(f"{name}_{kind}")
    if found is None or set(found.dims) != set(ds[name].dims):
        return None
    return found.transpose(*ds[name].dims)


def error(ds: xr.Dataset, name: str) -> xr.DataArray | None:
    """Prediction minus reference, or None where there is no reference."""
    reference = companion(ds, name, "reference")
    if reference is None:
        return companion(ds, name, "error")
    return (ds[name] - reference).assign_attrs(ds[name].attrs)


def section(array: xr.DataArray, time: str | None) -> tuple[xr.DataArray, str]:
    """One or two dimensions of *array*, and a note of where the others were cut.

    Time is cut at its end where there are two or more dimensions of space, which are cut in the
    middle, the first ones first.
    """
    longest = max(array.dims, key=lambda d: array.sizes[d])
    cuts = {d: 0 for d in array.dims if array.sizes[d] == 1 and d != longest}
    open_ = [d for d in array.dims if d not in cuts]
    if time in open_ and len(open_) > 2:
        cuts[time] = array.sizes[time] - 1
        open_.remove(time)
    for dim in open_[: max(0, len(open_) - 2)]:
        cuts[dim] = array.sizes[dim] // 2
    places = [coordinates.place(array[d].isel({d: i})) for d, i in cuts.items()]
    return array.isel(cuts), ", ".join(places)


def title(array: xr.DataArray) -> str:
    """What a person calls the variable."""
    return str(array.attrs.get("long_name") or array.name).replace("_", " ")


def unit(array: xr.DataArray) -> str:
    """Its unit, as the file writes it."""
    return str(array.attrs.get("units", "1"))


def error_words(ds: xr.Dataset, name: str, shown: xr.DataArray) -> list[str]:
    """The error that is *shown*, in words: its relative L2 norm, if known, and its maximum.

    The norm that the run measured stands in the attributes; it is taken where the whole field is
    shown, so that a figure never contradicts the table.
    """
    e = np.asarray(shown.values, dtype=float)
    finite = np.isfinite(e)
    if not finite.any():
        return ["no finite values"]
    words = [f"max {style.quantity(float(np.abs(e[finite]).max()), unit(shown))}"]
    measured = ds.attrs.get(f"relative_l2_{name}")
    reference = companion(ds, name, "reference")
    if measured is not None and shown.size == ds[name].size:
        words.insert(0, f"relative L2 {style.number(float(measured))}")
    elif reference is not None:
        r = np.asarray(section(reference, read(ds).time)[0].values, dtype=float)
        norm = float(np.linalg.norm(r[finite])) if r.shape == e.shape else 0.0
        if norm > 0:
            words.insert(0, f"relative L2 {style.number(float(np.linalg.norm(e[finite])) / norm)}")
    return words


def at_floor(ds: xr.Dataset, name: str) -> str:
    """The variable and the floor of its reference, if the error is there; else nothing.

    Such an error measures the reference as much as the run.
    """
    floor = ds.attrs.get(f"reference_floor_{name}", ds.attrs.get("reference_floor"))
    measured = ds.attrs.get(f"relative_l2_{name}")
    if not isinstance(floor, (int, float)) or not isinstance(measured, (int, float)):
        return ""
    return f"{title(ds[name])} ({style.number(floor)})" if measured < FLOORS * floor else ""
