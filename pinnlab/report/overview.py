"""The figure to look at first: every variable, and what an inverse problem has to show."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pinnlab.report import contents, field, observed, profile, series, style, variables

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

Block = tuple[float, Callable[[Any], None]]  # inches high, and what draws it
# Inches, for a row of one, two or three panels: its width, and the width of a panel in it.
_ROWS = ((7.0, 5.4), (style.WIDTH, 3.8), (style.WIDTH, 2.5))
_SHAPES = (0.65, 0.75, 1.0)  # height over width of a panel that is no map


def figure(ds: xr.Dataset) -> Figure | None:
    """Prediction, reference and error of each variable, or None for a dataset without one.

    Where something was observed over time, the place with the most held out stands below, and
    beside it the first two of the learned profiles.
    """
    held = contents.read(ds)
    if not held.variables:
        return None
    if variables.is_line(ds, held.variables[0], held.time):
        width, blocks = _lines(ds, held)
    else:
        width, blocks = _panels(ds, held)
    evidence = _evidence(ds, held)
    heading = _heading(ds, held)
    blocks += evidence
    heights = [height for height, _ in blocks]
    size = (style.WIDTH if evidence else width, sum(heights) + 0.22 * len(heading))
    made = style.new_figure(*size)
    parts = made.subfigures(len(blocks), 1, height_ratios=heights, squeeze=False)[:, 0]
    for part, (_, drawer) in zip(parts, blocks, strict=True):
        drawer(part)
    made.suptitle("\n".join(heading), fontsize=style.LABEL + 1, x=0.01, ha="left")
    return made


def _lines(ds: xr.Dataset, held: contents.Contents) -> tuple[float, list[Block]]:
    """Variables over one axis, two beside each other."""
    pairs = [held.variables[i : i + 2] for i in range(0, len(held.variables), 2)]
    two = len(held.variables) > 1

    def drawer(names: tuple[str, ...]) -> Callable[[Any], None]:
        def draw(part: Any) -> None:
            sides = part.subfigures(1, 1 + two, squeeze=False)[0]
            for side, name in zip(sides, names, strict=False):
                variables.lines(side, ds, name, held.time)

        return draw

    return (style.WIDTH if two else 8.0), [(4.6, drawer(names)) for names in pairs]


def _panels(ds: xr.Dataset, held: contents.Contents) -> tuple[float, list[Block]]:
    """Variables over a plane, a row of panels for each, or wide panels below each other."""
    counts = {name: variables.count(ds, name) for name in held.variables}
    columns = max(counts.values())
    shown = contents.section(ds[held.variables[0]], held.time)[0]
    wide = variables.is_wide(ds, held.variables[0], held.time)
    width, panel = _ROWS[columns - 1]
    height = 0.75 + panel * (field.aspect(shown) or _SHAPES[columns - 1])

    def drawer(name: str) -> Callable[[Any], None]:
        return lambda part: variables.panels(part, ds, name, held.time, columns)

    heights = {name: 0.6 + 1.9 * counts[name] if wide else height for name in counts}
    return (style.WIDTH if wide else width), [(heights[n], drawer(n)) for n in counts]


def _evidence(ds: xr.Dataset, held: contents.Contents) -> list[Block]:
    """The series that tells most about an inverse problem, beside the learned profile."""
    found = []
    for name in held.variables:
        if not variables.is_line(ds, name, held.time):  # lines show their observations themselves
            found += [(name, place) for place in observed.places(ds, name, held.time)]
    most = max(found, key=lambda pair: int(pair[1].held_out.sum()), default=None)
    if most is None and not held.profiles:
        return []

    profiles = held.profiles[:2]

    def draw(part: Any) -> None:
        sides = [part]
        if most is not None and profiles:
            sides = part.subfigures(1, 2, width_ratios=[2.3 if len(profiles) < 2 else 1.5, 1])
        if most is not None:
            series.beside(sides[0], ds[most[0]], most[1])
        if profiles:
            profile.beside(sides[-1], ds, profiles)

    return [(3.4, draw)]


def _heading(ds: xr.Dataset, held: contents.Contents) -> list[str]:
    """Title, how it was made, where it is cut and what was learned: a few short lines."""
    attrs = ds.attrs
    lines = textwrap.wrap(str(attrs.get("title") or attrs.get("experiment") or ""), 90)
    told = [(key, attrs.get(key)) for key in ("method", "reference")]
    facts = [f"{key}: {value}" for key, value in told if value and value != "none"]
    low = [text for name in held.variables if (text := contents.at_floor(ds, name))]
    facts += [f"error at the reference's floor: {', '.join(low)}"] if low else []
    cut = contents.section(ds[held.variables[0]], held.time)[1]
    facts += [f"shown at {cut}"] if cut else []
    lines += textwrap.wrap("; ".join(facts), 110)
    for text in profile.scalars(ds):
        lines += textwrap.wrap(text, 110)
    return lines
