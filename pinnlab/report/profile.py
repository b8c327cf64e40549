"""Learned parameters: profiles along an axis with their 95 % interval, and numbers in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pinnlab.report import contents, coordinates, field, style

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def figure(ds: xr.Dataset) -> Figure | None:
    """All profiles side by side, or None if there is none."""
    names = contents.read(ds).profiles
    if not names:
        return None
    columns = min(len(names), 3)
    rows = -(-len(names) // columns)
    made = style.new_figure(max(6.5, 4.5 * columns), 4.6 * rows)
    axes = list(made.subplots(rows, columns, squeeze=False).flat)
    for ax, name in zip(axes, names, strict=False):
        panel(ax, ds, name)
    for ax in axes[len(names) :]:
        ax.remove()
    return made


def beside(figure: Any, ds: xr.Dataset, names: Sequence[str]) -> None:
    """Draw a few profiles into a part of a figure, with short titles."""
    axes = list(figure.subplots(1, len(names), squeeze=False)[0])
    for ax, name in zip(axes, names, strict=True):
        panel(ax, ds, name, len(names) > 1)
    uprights = [coordinates.is_vertical(ds[ds[name].dims[0]]) for name in names]
    if all(uprights) and len({ds[name].dims for name in names}) == 1:
        for ax in axes[1:]:
            ax.set_ylabel("")
            ax.tick_params(labelleft=False)


def panel(ax: Axes, ds: xr.Dataset, name: str, short: bool = False) -> None:
    """One profile: upright over depth or height, along the foot over any other axis.

    *short* titles it by its name, not by its long name, which then needs no repeating.
    """
    values = ds[name]
    along = values[values.dims[0]]
    upright = coordinates.is_vertical(along)
    low, high = (contents.companion(ds, name, end) for end in ("lower", "upper"))
    if low is not None and high is not None:
        look = {"color": style.PREDICTION, "alpha": 0.25, "label": "95 % interval"}
        field.band(ax, along, low, high, upright, **look)
    marker = "o" if along.size < 12 else ""
    look = {"marker": marker, "label": "learned", **style.LEARNED_LINE}
    field.line(ax, along, values, upright, **look)
    reference = contents.companion(ds, name, "reference")
    if reference is not None:
        field.line(ax, along, reference, upright, label="reference", **style.REFERENCE_LINE)
    called = name.replace("_", " ")
    title, label = (called, "") if short else (contents.title(values), called)
    unit = contents.unit(values)
    field.frame(ax, along, title[:1].upper() + title[1:], label, unit, upright)
    style.legend(ax)


def scalars(ds: xr.Dataset) -> list[str]:
    """Each learned number in words: ``diffusivity 5.1×10⁻⁷ m² s⁻¹ (95 %: 4.9×10⁻⁷ to ...)``."""
    made = []
    for name in contents.read(ds).scalars:
        unit = contents.unit(ds[name])
        text = f"{contents.title(ds[name])} {style.quantity(float(ds[name]), unit, 4)}"
        ends = [contents.companion(ds, name, end) for end in ("lower", "upper")]
        if all(end is not None for end in ends):
            low, high = (style.number(float(end), 4) for end in ends if end is not None)
            text += f" (95 %: {low} to {high})"
        made.append(text)
    return made
