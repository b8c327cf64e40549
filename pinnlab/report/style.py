"""One look for every figure: sizes, colours, numbers and units as people write them."""

from __future__ import annotations

import math
import re
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pinnlab.core.errors import PinnlabError
from pinnlab.core.files import replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DPI = 160
WIDTH = 10.0  # inches: 1600 pixels
_SIDE = 24  # characters along the side of a panel
TITLE, LABEL, TICK = 12, 10, 9  # points

VALUES, SIGNED, POSITIVE = "viridis", "RdBu_r", "magma"  # colour maps
MISSING = "0.8"  # a value that is not finite
PREDICTION, REFERENCE, OBSERVED, HELD_OUT = "#0072B2", "black", "0.45", "#D55E00"
# Okabe and Ito's colours, which most colour-blind readers can tell apart.
CYCLE: tuple[str, ...] = (
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
    "#D55E00",
    "#8C6D31",
    "#7F7F7F",
)

LEARNED_LINE: dict[str, Any] = {"color": PREDICTION, "linewidth": 2.2}
REFERENCE_LINE: dict[str, Any] = {
    "color": REFERENCE,
    "linewidth": 1.2,
    "linestyle": (0, (4, 3)),
}

_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_POWER = re.compile(r"(?<=[A-Za-zµ])(?:\^|\*\*)?(-?\d+)")
_WORDS = {
    "1": "",
    "degrees_north": "°N",
    "degrees_east": "°E",
    "degree": "°",
    "degrees": "°",
    "degC": "°C",
}


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of so many inches; nothing global is touched."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=DPI, layout="constrained", facecolor="white")


def save(figure: Figure, path: Path) -> Path:
    """Write *figure* as PNG, whole or not at all.

    Raises:
        PinnlabError: the folder cannot be made or written, or the disk is full.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PinnlabError(
            f"cannot make the folder '{path.parent}' for figures: {error.strerror}"
        ) from error
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=DPI, metadata={"Software": None})
    return path


def units(text: str) -> str:
    """``m2 s-1`` as ``m² s⁻¹``; a number without dimension has no unit."""
    text = _WORDS.get(text.strip(), text.strip())
    return _POWER.sub(lambda m: m.group(1).translate(_SUPERSCRIPT), text)


def bracketed(name: str, unit: str) -> str:
    """``velocity [m s⁻¹]``."""
    shown = units(unit)
    return f"{name} [{shown}]" if shown else name


def number(value: float, digits: int = 2) -> str:
    """*value* to so many significant digits: ``0.021``, ``3.1×10⁻⁵``."""
    if not math.isfinite(value) or value == 0.0:
        return f"{value:g}"
    if 1e-3 <= abs(value) < 1e5:
        rounded = f"{value:#.{digits}g}".rstrip(".")
        return f"{float(rounded):.0f}" if "e" in rounded else rounded
    mantissa, power = f"{value:.{digits - 1}e}".split("e")
    return f"{mantissa}×10{str(int(power)).translate(_SUPERSCRIPT)}"


def quantity(value: float, unit: str, digits: int = 2) -> str:
    """A number with its unit."""
    return f"{number(value, digits)} {units(unit)}".rstrip()


def scale_axis(axis: Any, name: str, unit: str, low: float, high: float) -> str:
    """Set plain ticks for a range and return the label, which takes up any power of ten.

    ``error [10⁻⁴ m s⁻¹]`` with ticks of a few digits can neither collide with a title nor be
    overlooked, as the multiplier beside an axis can.
    """
    from matplotlib.ticker import ScalarFormatter

    largest = max(abs(low), abs(high))
    power = 0
    if math.isfinite(largest) and largest > 0 and not 1e-2 <= largest < 1e4:
        power = math.floor(math.log10(largest))
    formatter = ScalarFormatter(useOffset=False)
    if power:
        formatter.set_powerlimits((power, power))
    else:
        formatter.set_scientific(False)  # limits of (0, 0) would mean any power
    axis.set_major_formatter(formatter)
    axis.get_offset_text().set_visible(False)
    factor = f"10{str(power).translate(_SUPERSCRIPT)}" if power else ""
    shown = f"{factor} {units(unit)}".strip()
    return f"{name} [{shown}]".strip() if shown else name


def set_label(axis: Any, label: str, most: int | None = None) -> None:
    """Name an axis in lines of at most so many characters, of which the units stay whole.

    Without *most*, only the side of a panel limits them.
    """
    most = _SIDE if most is None and axis.axis_name == "y" else most
    if most is not None:
        name, bracket, unit = label.partition("[")
        whole = (bracket + unit).replace(" ", "\N{NO-BREAK SPACE}")
        label = textwrap.fill(name + whole, most)
    axis.set_label_text(label, fontsize=LABEL)


def dress(ax: Axes, title: str = "", grid: bool = True) -> None:
    """Title, sizes and a light grid."""
    ax.set_title(title, fontsize=LABEL + 1, loc="left")
    ax.tick_params(labelsize=TICK)
    if grid:
        ax.grid(True, color="0.9", linewidth=0.8)
        ax.set_axisbelow(True)
        ax.spines[["top", "right"]].set_visible(False)


def hide_foot(ax: Axes) -> None:
    """Leave ticks and label of the foot to the panel below, which has the same."""
    ax.set_xlabel("")
    ax.tick_params(labelbottom=False)
    ax.xaxis.get_offset_text().set_visible(False)


def legend(ax: Axes, above: bool = False, **options: Any) -> None:
    """A legend, if there is anything to name: where it hides least, or *above* the panel."""
    if not ax.get_legend_handles_labels()[0]:
        return
    if above:
        place = {"loc": "lower right", "bbox_to_anchor": (1.0, 1.0), "ncols": 4}
        close = {"borderaxespad": 0.2, "columnspacing": 1.2, "handlelength": 1.4}
        options = {**place, **close, "frameon": False, "markerscale": 2, **options}
    ax.legend(**{"fontsize": TICK, "framealpha": 0.85, **options})
