"""Clouds from points: whom each node hears, coarser levels, and weights of a quadrature."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from pinnlab.core import neighbours as near
from pinnlab.core.cloud import Cloud, Level, Recipe, box_of
from pinnlab.core.domain import Domain
from pinnlab.core.errors import PinnlabError
from pinnlab.core.metric import Cartesian


def make_cloud(
    domain: Domain,
    points: Any,
    recipe: Recipe | None = None,
    *,
    faces: Any = None,
    edges: Any = None,
    weights: Any = None,
) -> Cloud:
    """The cloud of (N, d) *points*.

    Arguments:
        domain: its space axes are the columns of *points*, in their order and units.
        recipe: whom nodes hear.
        faces: (F, d + 1) nodes of the simplices (segments, triangles, tetrahedra) of a mesh,
            from which the weights follow.
        edges: (E, 2) nodes that hear each other, in place of the nearest.
        weights: (N,) of a quadrature; equal ones where there are neither these nor faces, which
            is right for points drawn evenly.

    Raises:
        PinnlabError: points that do not fit the domain or the recipe, or connections that do not
            fit the points.
    """
    points, recipe = np.asarray(points, np.float64), recipe or Recipe()
    _check(domain, points)
    n = len(points)
    if weights is None:
        weights = np.full(n, 1.0 / n) if faces is None else simplex_weights(points, faces)
    weights = np.asarray(weights, np.float64)
    if weights.shape != (n,) or not np.all(weights > 0):
        raise PinnlabError(
            f"cloud: each of the {n} nodes needs a positive weight; nodes that belong to no face "
            "have none, drop them"
        )
    counts = (
        recipe.coarse if recipe.coarse is not None else tuple(m for m in (n // 4, n // 16) if m)
    )
    if any(b >= a or b < 1 for a, b in zip((n, *counts), counts, strict=False)):
        raise PinnlabError(
            f"cloud: the levels {counts} (coarse) must have fewer and fewer nodes than {n}"
        )
    recipe, box = replace(recipe, coarse=counts), box_of(domain)
    lists = _heard(points, recipe, box) if edges is None else near.linked(n, _pairs(edges, n))
    within = near.table(lists, points, points, weights, box, recipe.radius)
    return Cloud(domain, points, weights, within, _levels(points, weights, recipe, box), recipe)


def simplex_weights(points: np.ndarray, faces: Any) -> np.ndarray:
    """(N,) weights that integrate what is linear on each simplex: its volume, shared among its
    corners."""
    faces = np.asarray(faces)
    d = points.shape[1]
    if faces.ndim != 2 or faces.shape[1] != d + 1 or faces.min() < 0 or faces.max() >= len(points):
        raise PinnlabError(
            f"cloud: faces of shape {faces.shape} must be (F, {d + 1}) numbers of the "
            f"{len(points)} nodes, from 0"
        )
    sides = points[faces[:, 1:]] - points[faces[:, :1]]
    volumes = np.abs(np.linalg.det(sides)) / np.prod(np.arange(1, d + 1))
    return np.bincount(faces.ravel(), np.repeat(volumes / (d + 1), d + 1), len(points))


def _levels(
    points: np.ndarray, weights: np.ndarray, recipe: Recipe, box: np.ndarray
) -> tuple[Level, ...]:
    made: list[Level] = []
    counts = recipe.coarse or ()
    for m in counts:
        chosen = points[near.farthest(points, m, box)]
        cell = near.nearest(points, chosen, 1, box)[:, 0]
        held = np.bincount(cell, weights, m)
        ends = np.cumsum(np.bincount(cell, minlength=m))[:-1]
        order = np.split(np.argsort(cell, kind="stable"), ends)
        k = m if m == counts[-1] else min(m, recipe.neighbours + 1)
        among = near.nearest(chosen, chosen, k, box)
        heard = near.nearest(points, chosen, min(m, points.shape[1] + 1), box)
        made.append(
            Level(
                near.table(among, chosen, chosen, held, box),
                near.table(order, chosen, points, weights, box),
                near.table(heard, points, chosen, held, box),
            )
        )
        points, weights = chosen, held
    return tuple(made)


def _heard(points: np.ndarray, recipe: Recipe, box: np.ndarray) -> Any:
    if recipe.radius is None:
        if recipe.neighbours >= len(points):
            raise PinnlabError(
                f"cloud: {len(points)} nodes cannot have {recipe.neighbours} neighbours each"
            )
        return near.nearest(points, points, recipe.neighbours + 1, box)
    lists = near.within(points, points, recipe.radius, box)
    alone = sum(len(own) < 2 for own in lists)
    if alone:
        raise PinnlabError(
            f"cloud: {alone} of {len(points)} nodes have no other within the radius "
            f"{recipe.radius:g}; give a larger one"
        )
    return lists


def _pairs(edges: Any, n: int) -> np.ndarray:
    edges = np.asarray(edges)
    if edges.ndim != 2 or edges.shape[1] != 2 or edges.min() < 0 or edges.max() >= n:
        raise PinnlabError(
            f"cloud: edges of shape {edges.shape} must be (E, 2) numbers of the {n} nodes, from 0"
        )
    return edges


def _check(domain: Domain, points: np.ndarray) -> None:
    axes = {name: domain[name] for name in domain.space}
    if points.ndim != 2 or points.shape[1] != len(axes) or not np.isfinite(points).all():
        raise PinnlabError(
            f"cloud: points of shape {points.shape} must be (N, {len(axes)}) finite coordinates, "
            f"of {', '.join(axes)}"
        )
    if not isinstance(domain.metric, Cartesian) or len({a.units for a in axes.values()}) > 1:
        raise PinnlabError(
            "cloud: distances need Cartesian coordinates, all in the same units; project "
            "others first"
        )
    for column, (name, axis) in zip(points.T, axes.items(), strict=True):
        room = 1e-6 * axis.length
        if column.min() < axis.lower - room or column.max() > axis.upper + room:
            raise PinnlabError(
                f"cloud: '{name}' goes from {column.min():g} to {column.max():g}, beyond the axis "
                f"from {axis.lower:g} to {axis.upper:g}; set equation.domain.{name}"
            )
