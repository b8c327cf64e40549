"""Learned parameters: profiles along an axis with their 95 % interval, and numbers in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

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


def panel(ax: Axes, ds: xr.Dataset, name: str) -> None:
    """One profile: upright over depth or height, along the foot over any other axis."""
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
    title, short = contents.title(values), name.replace("_", " ")
    unit = contents.unit(values)
    field.frame(ax, along, title[:1].upper() + title[1:], short, unit, upright)
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
