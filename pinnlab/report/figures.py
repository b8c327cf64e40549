"""What a run's kind needs to be seen, decided from its dataset, and written as PNG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pinnlab.report import history as losses
from pinnlab.report import instances, meshes, overview, profile, quality, ranking, series, style

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure


def draw(ds: xr.Dataset, history: Sequence[Mapping[str, Any]], folder: str | Path) -> list[Path]:
    """Draw a run and return the files, the one to look at first in front.

    - ``overview.png``: every variable (prediction, reference, error); for an inverse problem also
      the observations that were held out, and the learned profile.
    - ``series.png``: time series at all observed places, with the error where held out.
    - ``profile.png``: learned parameters along an axis, with their 95 % interval.
    - ``quality.png``: residual of the equation, and spread over seeds.
    - ``history.png``: the losses of the training.

    A dataset with a dimension ``instance`` is not one field but many. It has, beside the history:

    - ``overview.png``: the instances with the least, the median and the greatest relative error;
      for each further variable *V* also ``overview_V.png``.
    - ``errors.png``: the relative errors of all instances, and how they grow over time.

    Only what the dataset and the log hold is drawn. Each file appears whole or not at all.

    Arguments:
        ds: the dataset of a run, with dates decoded.
        history: the records of the training's log: ``step``, ``phase``, ``seconds``, ``loss``,
            ``fresh_loss``, ``terms``.
        folder: where to write; made if it is missing.

    Raises:
        PinnlabError: the folder cannot be written.
    """
    made = _of_many(ds) if instances.is_many(ds) else _of_one(ds)
    made["history"] = losses.figure(history)
    return [
        style.save(figure, Path(folder) / f"{name}.png")
        for name, figure in made.items()
        if figure is not None
    ]


def _of_one(ds: xr.Dataset) -> dict[str, Figure | None]:
    return {
        "overview": overview.figure(ds),
        "series": series.figure(ds),
        "profile": profile.figure(ds),
        "quality": quality.figure(ds),
    }


def _of_many(ds: xr.Dataset) -> dict[str, Figure | None]:
    drawn = meshes.figures(ds) if meshes.is_meshed(ds) else instances.figures(ds)
    return {**drawn, "errors": ranking.figure(ds)}
