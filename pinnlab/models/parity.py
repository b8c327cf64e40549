r"""Parity: solutions that are even or odd about the middle of an axis, exactly.

.. math:: u(m + s) = \pm\,u(m - s), \qquad m = \tfrac12(x_{\min} + x_{\max})

The network's outputs are averaged over the mirror images of a point. What is left to learn is half
of the domain, and each point of a batch serves both halves.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from pinnlab.core.compiling import program
from pinnlab.core.domain import Domain
from pinnlab.core.errors import PinnlabError, choose
from pinnlab.core.precision import precision
from pinnlab.equations.base import Equation

if TYPE_CHECKING:
    from pinnlab.models.model import Model

KINDS = {"even": 1.0, "odd": -1.0}
Parity = Mapping[str, str | Mapping[str, str]]  # by axis, of all variables or by variable
Point = Mapping[str, Any]

_PROBES = 5  # places at which the symmetry is tried
_TOLERANCE = 1e-8  # of sides, relative to the largest


def signs(parity: Parity, domain: Domain, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """By axis, the sign by which each variable changes under its reflection.

    Raises:
        PinnlabError: an axis, a variable or a kind that does not exist, or no kind of a variable.
    """
    made = {}
    for axis, given in parity.items():
        choose("axis (model.parity)", axis, domain.space)
        kinds = dict.fromkeys(names, given) if isinstance(given, str) else dict(given)
        for name, kind in kinds.items():
            choose(f"variable (model.parity.{axis})", name, names)
            choose(f"parity (model.parity.{axis})", kind, KINDS)
        missing = [name for name in names if name not in kinds]
        if missing:
            raise PinnlabError(f"model.parity.{axis}: say whether {missing[0]} is even or odd")
        made[axis] = np.asarray([KINDS[kinds[name]] for name in names])
    return made


def averaged(
    outputs: Callable[[Point], Any], turned: Mapping[str, np.ndarray], domain: Domain, point: Point
) -> Any:
    """The (k,) *outputs* of a point, made even or odd about the middle of the axes in *turned*."""
    images, factors = [], []
    for chosen in itertools.product((False, True), repeat=len(turned)):
        mirrored = [axis for axis, flip in zip(turned, chosen, strict=True) if flip]
        images.append(_mirrored(point, mirrored, domain))
        factors.append(np.prod([turned[axis] for axis in mirrored], axis=0))
    stacked = {axis: jnp.stack([jnp.asarray(p[axis]) for p in images]) for axis in point}
    found = jax.vmap(outputs)(stacked)
    ones = np.ones(found.shape[1])
    return jnp.mean(jnp.asarray([ones * f for f in factors], found.dtype) * found, axis=0)


def _mirrored(point: Point, axes: list[str], domain: Domain) -> dict[str, Any]:
    ends = {axis: domain[axis].lower + domain[axis].upper for axis in axes}
    return {a: ends[a] - value if a in ends else value for a, value in point.items()}


def check_parity(model: Model, equation: Equation) -> None:
    """Try whether the equation and its conditions have the parity that *model* has.

    The right-hand sides of a network with random parameters must be even or odd as its variables
    are; so must these, which its exact conditions would break if they were not.

    Raises:
        PinnlabError: they have not, and on which axis.
    """
    if not model.parity:
        return
    names, domain = equation.variables.names, equation.domain
    turned, random = signs(model.parity, domain, names), np.random.default_rng(0)
    model = replace(model, exact=True)  # so that the values know the conditions
    with precision("float64"):
        # none is zero: biases that are would make many networks odd, and even parts vanish
        like = jax.eval_shape(lambda: model.init(jax.random.key(0), equation))
        params = jax.tree.map(lambda leaf: _of_order_one(random, leaf.shape), like)
        unit = random.uniform(0.1, 0.9, (len(domain.axes), _PROBES))
        spans = zip(domain.axes, unit, strict=True)
        places = {a: domain[a].lower + domain[a].length * u for a, u in spans}

        @jax.vmap
        def both(point: Point) -> Any:
            field = model.field(params, equation, point)
            residual = equation.residual(field)
            return jnp.stack([jnp.stack([field(n), residual[n]]) for n in names])

        sides = program(both, places, often=False)
        here = np.asarray(sides(places))
        for axis, sign in turned.items():
            there = _mirrored(places, [axis], domain)
            apart = np.max(np.abs(np.asarray(sides(there)) - sign[:, None] * here), axis=0)
            if not np.all(apart <= _TOLERANCE * np.max(np.abs(here), axis=0)):
                raise PinnlabError(
                    f"model.parity.{axis}: {type(equation).__name__} or its conditions are not "
                    f"symmetric so about the middle of '{axis}'; leave out model.parity.{axis}"
                )


def _of_order_one(random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Parameters by which a layer's outputs are about as large as its inputs."""
    return random.normal(size=shape) / np.sqrt(shape[0] if shape else 1)
