"""A dataset of many instances at the nodes of meshes: the best, the median and the worst one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pinnlab.core.simplices import simplices
from pinnlab.report import contents, coordinates, field, instances, ranking, style
from pinnlab.report.instances import Panel

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.tri import Triangulation

_BANDS = 100  # of colour
_FACES = "face_node_connectivity"  # the role that UGRID gives to triangles and polygons


def is_meshed(ds: xr.Dataset) -> bool:
    """Whether the variables of many instances are given at nodes, not on axes."""
    return bool(_places(ds, ranking.read(ds)))


def figures(ds: xr.Dataset) -> dict[str, Figure]:
    """By the name of its file: an overview of each variable, the first one's in front.

    It shows the instances with the least, the median and the greatest relative error; without a
    reference the first three. Nodes on a line that all instances share are drawn as an axis. Of
    meshes in space, and of lines of their own, there are no overviews.
    """
    held = ranking.read(ds)
    places = _places(ds, held)
    if len(places) == 1 and ds[places[0]].ndim == 1:
        return instances.figures(ds.swap_dims({ds[places[0]].dims[0]: places[0]}).sortby(places))
    if len(places) != 2:
        return {}
    names = ["overview", *(f"overview_{name}" for name in held.variables[1:])]
    pairs = zip(names, held.variables, strict=True)
    return {file: _overview(ds, held, variable, places) for file, variable in pairs}


def _places(ds: xr.Dataset, held: ranking.Held) -> list[str]:
    """The coordinates of the nodes, from the foot to the side; none for values on axes."""
    if not held.variables:
        return []
    dims = [d for d in ds[held.variables[0]].dims if d not in ds.variables]
    along = [str(c) for c in ds.coords if dims and dims[-1] in ds[c].dims]
    return sorted(along, key=lambda c: coordinates.upwardness(ds[c]))


def _overview(ds: xr.Dataset, held: ranking.Held, name: str, places: list[str]) -> Figure:
    """Rows of instances: inputs, reference, prediction and error."""
    picks = ranking.chosen(ds, name)
    here = ds.isel({ranking.DIM: [pick.index for pick in picks]})
    out = instances.outputs(here, name, held.time)
    _, cut = ranking.sections(here[name], held.time)
    node = out["prediction"][0].dims[0]
    given = [n for n in held.inputs if node in ds[n].dims]
    drawn, rest = given[: instances.MOST], given[instances.MOST :]
    columns = [instances.input_panel(here, one, held.time) for one in drawn]
    span = instances.value_range(out)
    for key, arrays in out.items():
        columns.append(Panel("error" if key == "error" else "values", key, ((arrays, {}),), span))
    lines = instances.heading(ds, name, cut, rest)
    panel = min((style.WIDTH - 1.6) / len(columns), instances.WIDEST)
    width = max(1.6 + panel * len(columns), 6.5)
    row = 0.35 + panel * _aspect(ds, places)
    made = style.new_figure(width, 1.2 + 0.22 * len(lines) + row * len(picks))
    axes = made.subplots(len(picks), len(columns), squeeze=False)
    shown = _fill(made, axes, here, places, columns)
    titles = [pick.title(ds, held) for pick in picks]
    instances.name_panels(axes, columns, titles)
    instances.bars(made, axes, columns, shown, contents.title(here[name]), panel)
    made.suptitle("\n".join(lines), fontsize=style.LABEL + 1, x=0.01, ha="left")
    return made


def _fill(
    made: Figure, axes: Any, here: xr.Dataset, places: list[str], columns: list[Panel]
) -> dict[int, Any]:
    """All panels; by column, what its bar can show."""
    shown = {}
    for i, line in enumerate(axes):
        triangles = _triangles(here, i, places)
        for j, (ax, column) in enumerate(zip(line, columns, strict=True)):
            shown[j] = _panel(made, ax, column, i, triangles)
            _frame(ax, here, places)
            if i + 1 < len(axes):
                style.hide_foot(ax)
            if j:
                ax.set_ylabel("")
                ax.tick_params(labelleft=False)
    return shown


def _triangles(here: xr.Dataset, i: int, places: list[str]) -> Triangulation:
    """The mesh of an instance: the file's, else that of Delaunay."""
    from matplotlib.tri import Triangulation

    def own(name: str) -> Any:
        array = here[name]
        return array.isel({ranking.DIM: i}) if ranking.DIM in array.dims else array

    points = [coordinates.numbers(own(place)) for place in places]
    known = np.isfinite(points[0])  # nodes that fill up stand behind the others
    x, y = (values[known] for values in points)
    faces = [str(n) for n in here.variables if here[n].attrs.get("cf_role") == _FACES]
    if not faces:
        return Triangulation(x, y)
    array = own(faces[0])
    cells = np.asarray(array.values, float) - float(array.attrs.get("start_index", 0))
    cells = np.where(np.isfinite(cells), cells, -1).astype(int)
    return Triangulation(x, y, simplices(cells, 2))


def _panel(made: Figure, ax: Axes, column: Panel, i: int, triangles: Triangulation) -> Any:
    """Bands of equal values, as the values are linear on each triangle; what a bar can show."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize
    from matplotlib.tri import Triangulation

    array = column.lines[0][0][i]
    low, high = column.span
    colours = instances.INPUT_COLOURS if column.kind == "input" else style.VALUES
    if column.kind == "error":
        (low, high), colours = field.limits(array, symmetric=True), style.SIGNED
    values = np.asarray(array.values, float)[: triangles.x.size]
    wrong = ~np.isfinite(values)
    missing = wrong[triangles.triangles].any(axis=1)
    shown = ScalarMappable(Normalize(low, high), colours)
    if not missing.all():
        whole = Triangulation(triangles.x, triangles.y, triangles.triangles, missing)
        levels = np.linspace(low, high, _BANDS + 1)
        look: Any = {"norm": shown.norm, "cmap": shown.cmap, "extend": "both"}
        ax.tricontourf(whole, np.where(wrong, low, values), levels, **look)
    if wrong.any():
        ax.set_facecolor(style.MISSING)
    if column.kind == "error":
        _bar(made, ax, shown, contents.unit(column.first))
    return shown


def _bar(made: Figure, ax: Axes, drawn: Any, unit: str) -> None:
    """A bar beside a panel that stays as large as the others."""
    bar = made.colorbar(drawn, cax=ax.inset_axes((1.04, 0.0, 0.06, 1.0)))
    bar.ax.tick_params(labelsize=style.TICK)
    style.set_label(bar.ax.yaxis, style.scale_axis(bar.ax.yaxis, "", unit, *drawn.get_clim()))


def _frame(ax: Axes, here: xr.Dataset, places: list[str]) -> None:
    style.dress(ax, grid=False)
    for axis, place in zip((ax.xaxis, ax.yaxis), places, strict=True):
        flat = here[place].stack(ends=here[place].dims)
        ends = [int(np.nanargmin(flat.values)), int(np.nanargmax(flat.values))]
        flat = flat.isel(ends=ends)
        coordinates.format_axis(axis, flat.reset_index("ends", drop=True))
    ax.set_xlim(*_span(here, places[0]))
    ax.set_ylim(*_span(here, places[1]))
    if _map(here, places):
        ax.set_aspect("equal", anchor="S")  # panels with and without a bar below stay in line
    if coordinates.is_down(here[places[1]]):
        ax.invert_yaxis()


def _span(here: xr.Dataset, place: str) -> tuple[float, float]:
    low, high = field.limits(coordinates.numbers(here[place]))
    return low - 0.02 * (high - low), high + 0.02 * (high - low)


def _map(ds: xr.Dataset, places: list[str]) -> bool:
    """Whether both coordinates are in one unit, and neither much longer, so that shapes matter."""
    if len({ds[p].attrs.get("units") for p in places}) > 1:
        return False
    wide, high = (np.ptp(_span(ds, p)) for p in places)
    return bool(1 / 3 <= high / wide <= 3)


def _aspect(ds: xr.Dataset, places: list[str]) -> float:
    """Height over width of a panel."""
    wide, high = (np.ptp(_span(ds, p)) for p in places)
    return float(high / wide) if _map(ds, places) else 0.8
