"""The error of a trained network, estimated without the reference, beside the measured one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from omegaconf import DictConfig

from pinnlab.core.errors import PinnlabError
from pinnlab.core.precision import precision
from pinnlab.equations.base import Equation
from pinnlab.models import NetworkReading
from pinnlab.models.learned import equation_with
from pinnlab.run.methods import Outcome
from pinnlab.run.outputs import readable
from pinnlab.run.reference import relative_l2
from pinnlab.solvers.certificate import Certificate, certify

Said = dict[str, Any]


def estimate(
    cfg: DictConfig, outcome: Outcome, coordinates: Mapping[str, np.ndarray]
) -> Certificate | str | None:
    """The estimated error of a training, why there is none, or None where none is asked for.

    It is the distance from the solution of the equation with the learned parameters. A run never
    fails for it.
    """
    if not cfg.certificate or not isinstance(outcome.reading, NetworkReading):
        return None
    if type(outcome.reading) is not NetworkReading:
        return "the solution is made of several networks"
    if outcome.signal is not None:
        return "the training was stopped"
    try:
        with precision("float64"):
            return certify_network(outcome.equation, outcome.reading, coordinates)
    except PinnlabError as error:
        return str(error).rstrip(".")
    except Exception as error:  # an equation may do on a point what it cannot do on a grid
        return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"


def certify_network(
    equation: Equation, reading: NetworkReading, coordinates: Mapping[str, np.ndarray]
) -> Certificate:
    """Certify the mean over seeds of a reading; raises what :func:`certify` raises."""
    model, domain = reading.model, equation.domain
    if not model.embed and any(domain[a].periodic for a in domain.axes):
        raise PinnlabError("the network is not exactly periodic (model.embed=false)")
    dtype = jnp.result_type(float)
    params = jax.tree.map(lambda a: jnp.asarray(a, dtype), reading.params)

    def one(params: Any, x: Mapping[str, Any]) -> dict[str, Any]:
        learned = equation_with(reading.equation, params["equation"])
        return model.apply(params["network"], learned, x)

    def mean(params: Any, x: Mapping[str, Any]) -> dict[str, Any]:
        if reading.seeds == 1:
            return one(params, x)
        return jax.tree.map(lambda a: a.mean(axis=0), jax.vmap(one, (0, None))(params, x))

    return certify(equation, mean, params, coordinates)


def said(
    found: Certificate | str | None, outcome: Outcome, norms: Mapping[str, float]
) -> Said | None:
    """What the summary says of it.

    ``relative_l2`` is over the estimated solution, ``honesty`` the estimated error over the
    measured one, where there is a reference for the same parameters.
    """
    if found is None or isinstance(found, str):
        return None if found is None else {"reason": found}
    relative, honesty = {}, {}
    for symbol, error in found.error.items():
        name = readable(symbol, outcome.equation.variables[symbol])
        values = outcome.values[symbol]
        relative[name] = relative_l2(values, values - error)
        measured = norms.get(f"relative_l2_{name}")
        if measured and not outcome.learned:
            honesty[name] = relative[name] / measured
    return {
        "relative_l2": relative,
        "honesty": honesty,
        "points": found.points,
        "misfit": found.misfit,
        "seconds": round(found.seconds, 3),
    }
