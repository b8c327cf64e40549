"""What is held likely of a learned parameter before the data, as rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from pinnlab.core.errors import PinnlabError
from pinnlab.equations.base import Equation
from pinnlab.models.model import Model
from pinnlab.terms.base import Batch, Term


@dataclass(frozen=True)
class Prior:
    """A prior on the logarithm of a positive parameter.

    Arguments:
        centre: what its (geometric) mean over a profile is thought to be, in the parameter's
            units.
        width: standard deviation of the logarithm of that mean; 0.7 is a factor of two.
        smooth: standard deviation of the change of the logarithm between neighbouring knots of
            a profile; None for none.

    Raises:
        PinnlabError: a number that is not positive.
    """

    centre: float
    width: float = 1.0
    smooth: float | None = None

    def __post_init__(self) -> None:
        if not (self.centre > 0 and self.width > 0 and (self.smooth is None or self.smooth > 0)):
            raise PinnlabError(f"priors: centre, width and smooth must be positive, got {self}")


@dataclass(frozen=True, eq=False)
class PriorTerm(Term):
    """(mean log p - log centre) / width, and the steps of log p over *smooth*."""

    parameter: str
    prior: Prior

    @property
    def name(self) -> str:  # type: ignore[override]
        return f"prior_{self.parameter}"

    @property
    def fixed(self) -> Batch:
        return {"_": jnp.zeros(1, jnp.result_type(float))}  # one row set, at no point

    def row(self, model: Model, params: Any, equation: Equation, point: Batch) -> Any:
        leaf = jax.tree.leaves(getattr(equation, self.parameter))[0]
        log = jnp.log(jnp.atleast_1d(leaf))
        rows = [(jnp.mean(log, keepdims=True) - jnp.log(self.prior.centre)) / self.prior.width]
        if self.prior.smooth is not None and log.size > 1:
            rows.append(jnp.diff(log) / self.prior.smooth)
        return jnp.concatenate(rows)
