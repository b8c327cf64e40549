"""A dataset of many instances: what an operator makes of the best, the median and the worst one."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pinnlab.report import contents, coordinates, field, ranking, style

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INPUT_COLOURS = "cividis"  # not the map of the values, so that nobody reads one by the other's bar
MOST = 2  # inputs that are drawn; what is given over a plane has no place above lines
_HIGH = {"input": 1.5, "values": 2.3, "error": 1.5}  # inches of a row of lines
_SIDE = 17  # characters along such a row
WIDEST = 3.0  # inches of a panel over a plane
_LETTERS = 11  # in an inch of a label


@dataclass(frozen=True)
class Panel:
    """One column or row of panels, alike for all instances shown.

    ``lines`` are drawn over each other with their looks; over a plane there is one only. ``span``
    is the range of all instances shown, but for errors, which have a range each.
    """

    kind: str  # input, values or error
    name: str
    lines: tuple[tuple[list[xr.DataArray], dict[str, Any]], ...]
    span: tuple[float, float]

    @property
    def first(self) -> xr.DataArray:
        """What is drawn for the first instance; the others are like it."""
        return self.lines[0][0][0]


def is_many(ds: xr.Dataset) -> bool:
    """Whether the dataset holds many instances rather than one field."""
    return ranking.DIM in ds.dims


def figures(ds: xr.Dataset) -> dict[str, Figure]:
    """By the name of its file: an overview of each variable, the first one's in front.

    Each shows the instances with the least, the median and the greatest relative error. Without a
    reference these are the first three.
    """
    held = ranking.read(ds)
    names = ["overview", *(f"overview_{name}" for name in held.variables[1:])]
    pairs = zip(names, held.variables, strict=False)  # names has one more where there is nothing
    return {file: _overview(ds, held, variable) for file, variable in pairs}


def _overview(ds: xr.Dataset, held: ranking.Held, name: str) -> Figure:
    picks = ranking.chosen(ds, name)
    here = ds.isel({ranking.DIM: [pick.index for pick in picks]})
    values, cut = ranking.sections(here[name], held.time)
    titles = [pick.title(ds, held) for pick in picks]
    deep = values[0].ndim
    fits = [n for n in held.inputs if ranking.sections(here[n], held.time)[0][0].ndim <= deep]
    drawn = fits[:MOST]
    lines = heading(ds, name, cut, [n for n in held.inputs if n not in drawn])
    inputs = [input_panel(here, one, held.time) for one in drawn]
    draw = _planes if deep == 2 else _lines
    made = draw(here, name, held.time, inputs, titles, 0.22 * len(lines))
    made.suptitle("\n".join(lines), fontsize=style.LABEL + 1, x=0.01, ha="left")
    return made


def heading(ds: xr.Dataset, name: str, cut: str, rest: list[str]) -> list[str]:
    attrs = ds.attrs
    lines = textwrap.wrap(str(attrs.get("title") or attrs.get("experiment") or ""), 90)
    told = [(key, attrs.get(key)) for key in ("method", "reference")]
    many = ds.sizes[ranking.DIM]
    facts = [f"{contents.title(ds[name])} of {many} instance{'s' if many > 1 else ''}"]
    facts[0] = facts[0][:1].upper() + facts[0][1:]
    facts += [f"{key}: {value}" for key, value in told if value and value != "none"]
    facts += [f"shown at {cut}"] if cut else []
    others = [contents.title(ds[one]) for one in rest]
    facts += [f"inputs not shown: {', '.join(others)}"] if others else []
    return lines + textwrap.wrap("; ".join(facts), 110)


def input_panel(here: xr.Dataset, name: str, time: str | None) -> Panel:
    arrays, _ = ranking.sections(here[name], time)
    look = {"color": style.CYCLE[0]}
    return Panel("input", contents.title(here[name]), ((arrays, look),), field.limits(*arrays))


def outputs(here: xr.Dataset, name: str, time: str | None) -> dict[str, list[xr.DataArray]]:
    found = {
        "reference": contents.companion(here, name, "reference"),
        "prediction": here[name],
        "error": contents.error(here, name),
    }
    return {k: ranking.sections(a, time)[0] for k, a in found.items() if a is not None}


def value_range(out: dict[str, list[xr.DataArray]]) -> tuple[float, float]:
    """The range of reference and prediction.

    It has three times the width of the reference's at most: a prediction that blew up leaves the
    panel rather than flattening all the others.
    """
    truth = out.get("reference", [])
    low, high = field.limits(*truth, *out["prediction"])
    if any(field.finite(array).count() for array in truth):
        a, b = field.limits(*truth)
        low, high = max(low, 2 * a - b), min(high, 2 * b - a)
    return low, high


# ---------------------------------------------------------------- over one axis


def _lines(
    here: xr.Dataset,
    name: str,
    time: str | None,
    inputs: list[Panel],
    titles: list[list[str]],
    above: float,
) -> Figure:
    """Columns of instances: inputs, reference and prediction, and the error below."""
    out = outputs(here, name, time)
    looks = {"prediction": style.LEARNED_LINE, "reference": style.REFERENCE_LINE}
    both = tuple((out[k], {"label": k, **look}) for k, look in looks.items() if k in out)
    span = value_range(out)
    rows = [*inputs, Panel("values", contents.title(here[name]), both, span)]
    if "error" in out:
        look = {"color": style.HELD_OUT, "linewidth": 1.2}
        rows.append(Panel("error", "error", ((out["error"], look),), span))
    heights = [_HIGH[row.kind] for row in rows]
    made = style.new_figure(style.WIDTH, 1.1 + above + sum(heights))
    axes = made.subplots(len(rows), len(titles), squeeze=False, height_ratios=heights)
    for i, (row, line) in enumerate(zip(rows, axes, strict=True)):
        for j, ax in enumerate(line):
            _curves(ax, row, j)
            if i + 1 < len(rows) and row.first.dims == rows[i + 1].first.dims:
                style.hide_foot(ax)
    for ax, title in zip(axes[0], titles, strict=True):
        ax.set_title("\n".join(title), fontsize=style.LABEL + 1, loc="left")
    shown = axes[len(inputs)][0].get_legend_handles_labels()
    made.legend(*shown, loc="outside lower center", ncols=2, fontsize=style.TICK, frameon=False)
    return made


def _curves(ax: Axes, row: Panel, j: int) -> None:
    """The lines of one instance; inputs and values in one range for all of them."""
    along = row.first[row.first.dims[0]]
    for arrays, look in row.lines:
        field.line(ax, along, arrays[j], **look)
        if not field.finite(arrays[j]).count():
            called = str(look.get("label", row.name))
            ax.text(0.5, 0.9, f"{called} not finite", transform=ax.transAxes, ha="center", va="top")
        elif row.kind == "error":
            ax.axhline(0, color="0.6", linewidth=0.8, zorder=1)
    field.frame(ax, along, "", "" if j else row.name, contents.unit(row.first))
    if along.size > 1:
        ax.set_xlim(*coordinates.numbers(along)[[0, -1]])
    if row.kind == "error":
        return
    low, high = row.span
    pad = 0.05 * (high - low)
    ax.set_ylim(low - pad, high + pad)
    ax.tick_params(labelleft=not j)
    label = style.scale_axis(ax.yaxis, row.name, contents.unit(row.first), low, high)
    style.set_label(ax.yaxis, "" if j else label, _SIDE)


# ---------------------------------------------------------------- over a plane


def _planes(
    here: xr.Dataset,
    name: str,
    time: str | None,
    inputs: list[Panel],
    titles: list[list[str]],
    above: float,
) -> Figure:
    """Rows of instances: inputs, reference, prediction and error."""
    out = outputs(here, name, time)
    columns, span = list(inputs), value_range(out)
    for key, arrays in out.items():
        kind = "error" if key == "error" else "values"
        columns.append(Panel(kind, key, ((arrays, {}),), span))
    narrow = [0.6 if one.first.ndim == 1 else 1.0 for one in columns]
    panel = min((style.WIDTH - 1.6) / sum(narrow), WIDEST)
    height = panel * (field.aspect(out["prediction"][0]) or 0.8)
    width = max(1.6 + panel * sum(narrow), 6.5)
    made = style.new_figure(width, 1.2 + above + (0.35 + height) * len(titles))
    axes = made.subplots(len(titles), len(columns), squeeze=False, width_ratios=narrow)
    upright = str(field.oriented(out["prediction"][0]).dims[0])
    meshes: dict[int, Any] = {}
    for j, column in enumerate(columns):
        for i, ax in enumerate(axes[:, j]):
            if column.first.ndim == 1:
                _beside(ax, column, i, upright)
            else:
                meshes[j] = _image(made, ax, here, column, i)
            _leave_out(ax, columns, j, i + 1 == len(titles))
    bars(made, axes, columns, meshes, contents.title(here[name]), panel)
    name_panels(axes, columns, titles)
    return made


def _image(made: Figure, ax: Axes, ds: xr.Dataset, column: Panel, i: int) -> Any:
    array = column.lines[0][0][i]
    low, high = column.span
    colours: dict[str, Any] = {"cmap": INPUT_COLOURS if column.kind == "input" else style.VALUES}
    if column.kind == "error":
        low, high = field.limits(array, symmetric=True)
        colours = {"cmap": style.SIGNED}
    mesh = field.plane(ax, ds, array, "", **colours, vmin=low, vmax=high)
    if column.kind == "error":
        field.colour_bar(made, mesh, [ax], "", contents.unit(column.first))
    return mesh


def _beside(ax: Axes, column: Panel, i: int, upright: str) -> None:
    """An input over one axis, which stands on the side if the images beside it have it there."""
    arrays, look = column.lines[0]
    array = arrays[i]
    along = array[array.dims[0]]
    stands = str(along.name) == upright
    field.line(ax, along, array, stands, **look)
    field.frame(ax, along, "", column.name, contents.unit(array), stands)
    low, high = column.span
    pad = 0.05 * (high - low)
    (ax.set_xlim if stands else ax.set_ylim)(low - pad, high + pad)
    if stands and coordinates.is_down(along) and not ax.yaxis_inverted():
        ax.invert_yaxis()


def _leave_out(ax: Axes, columns: list[Panel], j: int, last: bool) -> None:
    """Labels that a neighbour has as well."""
    if not last:
        style.hide_foot(ax)
    if j and columns[j].first.dims[-1] == columns[j - 1].first.dims[-1]:
        ax.set_ylabel("")
        ax.tick_params(labelleft=False)


def bars(
    made: Figure, axes: Any, columns: list[Panel], meshes: dict[int, Any], title: str, panel: float
) -> None:
    """One bar below each input, and one below reference and prediction together."""
    from matplotlib.ticker import MaxNLocator

    below = {j: [j] for j in meshes if columns[j].kind == "input"}
    values = [j for j in meshes if columns[j].kind == "values"]
    below[values[0]] = values
    for j, together in below.items():
        look: dict[str, Any] = {"pad": 0.02, "aspect": 15 * len(together)}
        look["fraction"] = 0.15 / len(axes)  # as thick below one row as below three
        where = list(axes[:, together].flat)
        bar = made.colorbar(meshes[j], ax=where, location="bottom", **look)
        bar.locator = MaxNLocator(4 * len(together))
        bar.update_ticks()
        bar.ax.tick_params(labelsize=style.TICK)
        name = title if columns[j].kind == "values" else columns[j].name
        unit = contents.unit(columns[j].first)
        label = style.scale_axis(bar.ax.xaxis, name, unit, *meshes[j].get_clim())
        style.set_label(bar.ax.xaxis, label, int(_LETTERS * panel * len(together)))


def name_panels(axes: Any, columns: list[Panel], titles: list[list[str]]) -> None:
    """Each row's title above its first panel, and in the first row the columns' below it."""
    size = style.LABEL + 1
    for j, column in enumerate(columns):
        called = "input" if column.kind == "input" else column.name
        axes[0, j].set_title(f"\n{called.capitalize()}", fontsize=size, loc="left")
    for i, title in enumerate(titles):
        if i:
            axes[i, 0].set_title(" ", fontsize=size, loc="left")  # keeps the place
        # No title itself: a long one would push the next column away.
        axes[i, 0].annotate(
            ", ".join(title),
            (0.0, 1.0),
            (0.0, 6.0 if i else 6.0 + 1.25 * size),
            xycoords="axes fraction",
            textcoords="offset points",
            fontsize=size,
            in_layout=False,
        )
