"""Functions of many members in a dataset: read, checked, and in the units of the equation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from pinnlab.core.domain import Domain
from pinnlab.core.errors import PinnlabError, choose
from pinnlab.core.grid import Grid
from pinnlab.core.units import convert

Axes = Mapping[str, str]  # the dataset's dimension for each axis, where it has another name


def read_function(
    ds: Any, name: str, units: str, domain: Domain, axes: Axes, where: str
) -> tuple[np.ndarray, tuple[str, ...]]:
    """(N, *n) values of the variable *name* in *units*, and the axes of n in the domain's order.

    The one dimension that is no axis counts the members; without it there is one member.

    Arguments:
        where: what an error names as the place.

    Raises:
        PinnlabError: no such variable, dimensions that are no axes, a unit that does not convert,
            or values that are missing or not finite.
    """
    choose(f"variable ({where})", name, ds.data_vars)
    array, dims = ds[name], {axes.get(a, a): a for a in domain.axes}
    rest = [dim for dim in array.dims if dim not in dims]
    if len(rest) > 1:
        raise PinnlabError(
            f"{where}: '{name}' has the dimensions {', '.join(map(str, array.dims))}; one of them "
            f"may count the members, the others must be axes of the equation, which are "
            f"{', '.join(dims)}"
        )
    found = [a for a in domain.axes if axes.get(a, a) in array.dims]
    array = array.transpose(*rest, *(axes.get(a, a) for a in found))
    own = str(array.attrs.get("units", units))
    offset = convert(0.0, own, units, f"{where}, '{name}'")
    factor = convert(1.0, own, units, f"{where}, '{name}'") - offset
    values = np.asarray(array.values, float) * factor + offset
    wrong = ~np.isfinite(values)
    if wrong.any():
        first = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise PinnlabError(
            f"{where}: '{name}' has {int(wrong.sum())} values that are missing or not finite, the "
            f"first at index {first} of {tuple(map(str, array.dims))}; fill or drop them"
        )
    return (values if rest else values[None]), tuple(found)


def check_nodes(ds: Any, grid: Grid, axes: Axes, where: str) -> None:
    """Raise :class:`PinnlabError` where coordinates in *ds* are not the nodes of *grid*.

    Dimensions without coordinates are taken to be the nodes.
    """
    for axis, scheme, n in grid.items:
        dim = axes.get(axis, axis)
        if dim not in ds.coords:
            continue
        span, column = grid.domain[axis], ds[dim]
        own = str(column.attrs.get("units", span.units))
        found = np.asarray(column.values, float) * convert(1.0, own, span.units, where)
        _check_column(found, scheme.nodes(span, n), dim, type(scheme).__name__, where)


def _check_column(found: np.ndarray, nodes: np.ndarray, dim: str, scheme: str, where: str) -> None:
    spacing = np.diff(nodes).min() if nodes.size > 1 else 1.0
    if found.shape == nodes.shape and np.allclose(found, nodes, rtol=0, atol=1e-3 * spacing):
        return
    raise PinnlabError(
        f"{where}: '{dim}' has {found.size} values from {found.min():g} to {found.max():g}, but "
        f"{scheme} takes {nodes.size} nodes from {nodes.min():g} to "
        f"{nodes.max():g}; set equation.domain.{dim}, or a scheme with such nodes"
    )
