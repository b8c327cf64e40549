"""Random functions: the inputs of neural operators, drawn by a key and read at any nodes."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from pinnlab.core.domain import Axis
from pinnlab.core.errors import PinnlabError

Places = Mapping[str, tuple[Axis, np.ndarray]]  # by name, an axis and its (n,) nodes in its units


class RandomFunction(ABC):
    """Draws functions of some axes; frozen and hashable.

    A pure function of the key: the same key gives the same function at any nodes and, within
    rounding, in any dtype, since what is random is drawn in single precision whatever the dtype.
    The nodes are static under ``jax.jit``; ``jax.vmap`` over keys gives many functions at once.
    """

    @abstractmethod
    def __call__(self, key: Any, places: Places, dtype: Any = None) -> Any:
        """The values at the tensor product of the nodes: (n_1, ..., n_d), in the order of *places*.

        Arguments:
            key: of ``jax.random``.
            places: by name, each axis with its (n,) nodes in its units; at least one.
            dtype: float32 or float64; JAX's own float if None.

        Raises:
            PinnlabError: axes that do not fit, naming them.
        """


@dataclass(frozen=True)
class TwoPhase(RandomFunction):
    r"""A material of two phases: *above* where the field is at least *at*, else *below*.

    With a field of mean *at* either phase takes half the domain on average. The defaults are the
    Darcy flow of Li et al., *Fourier neural operator for parametric partial differential
    equations*, ICLR 2021, whose field is ``GaussianField(sigma=1, tau=3, alpha=2,
    boundary="neumann")``.

    Raises:
        PinnlabError: a *field* that is no random function, or values that are not finite.
    """

    field: RandomFunction
    above: float = 12.0
    below: float = 3.0
    at: float = 0.0

    def __post_init__(self) -> None:
        random_function("TwoPhase.field", self.field)
        for name in ("above", "below", "at"):
            finite(f"TwoPhase.{name}", getattr(self, name))

    def __call__(self, key: Any, places: Places, dtype: Any = None) -> Any:
        values = self.field(key, places, dtype)
        above, below = (jnp.asarray(v, values.dtype) for v in (self.above, self.below))
        return jnp.where(values >= self.at, above, below)


@dataclass(frozen=True)
class Exponential(RandomFunction):
    r"""A positive coefficient, :math:`a = c\,e^{g}`: log-normal where *field* is Gaussian.

    Of a Gaussian field of mean zero and variance s\ :sup:`2`, the median is c = *scale* and the
    mean :math:`c\,e^{s^2/2}`. After Charrier, SIAM J. Numer. Anal. 50, 2012, 216-246.

    Raises:
        PinnlabError: a *field* that is no random function, or a *scale* that is not positive.
    """

    field: RandomFunction
    scale: float = 1.0

    def __post_init__(self) -> None:
        random_function("Exponential.field", self.field)
        finite("Exponential.scale", self.scale, above=0.0)

    def __call__(self, key: Any, places: Places, dtype: Any = None) -> Any:
        return self.scale * jnp.exp(self.field(key, places, dtype))


@dataclass(frozen=True)
class Range(RandomFunction):
    """A random number of shape (), uniform in [*lower*, *upper*]; the nodes do not matter.

    Arguments:
        lower, upper: the bounds.
        logarithmic: uniform in the logarithm, for a parameter that varies by factors.

    Raises:
        PinnlabError: bounds that do not increase, or not positive ones with *logarithmic*.
    """

    lower: float
    upper: float
    logarithmic: bool = False

    def __post_init__(self) -> None:
        finite("Range.lower", self.lower, above=0.0 if self.logarithmic else -math.inf)
        finite("Range.upper", self.upper, above=self.lower)

    def __call__(self, key: Any, places: Places, dtype: Any = None) -> Any:
        share = uniform(key, (), dtype)
        if self.logarithmic:
            value = self.lower * jnp.exp(math.log(self.upper / self.lower) * share)
        else:
            value = self.lower + (self.upper - self.lower) * share
        return jnp.clip(value, self.lower, self.upper)  # rounding may leave the range


def normal(key: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    """Standard normal numbers that do not depend on *dtype*."""
    return jax.random.normal(key, shape, jnp.float32).astype(_float(dtype))


def uniform(key: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    """Uniform numbers in [0, 1) that do not depend on *dtype*."""
    return jax.random.uniform(key, shape, jnp.float32).astype(_float(dtype))


def _float(dtype: Any) -> Any:
    return jnp.result_type(float) if dtype is None else dtype


def expand(coefficients: Any, modes: list[np.ndarray]) -> Any:
    """The sum over tensor products of modes: (m_1, ..., m_d) coefficients, (n_i, m_i) values of
    the modes at the nodes of each axis -> (n_1, ..., n_d)."""
    for matrix in modes:  # the first dimension goes, and comes back as the last
        coefficients = jnp.tensordot(
            coefficients, jnp.asarray(matrix, coefficients.dtype), axes=(0, 1)
        )
    return coefficients


def on_unit_interval(places: Places, kind: str) -> dict[str, np.ndarray]:
    """The nodes of each axis, mapped to [0, 1].

    Raises:
        PinnlabError: there are no axes, so that *kind* would be a number.
    """
    if not places:
        raise PinnlabError(
            f"{kind} is a function of at least one axis, but the grid has none: for a random "
            "number take Range"
        )
    return {
        name: (np.asarray(nodes, float) - axis.lower) / axis.length
        for name, (axis, nodes) in places.items()
    }


def finite(what: str, value: Any, above: float = -math.inf) -> None:
    """Raise :class:`PinnlabError` unless *value* is a finite number larger than *above*."""
    number = isinstance(value, Real) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or value <= above:
        bound = "" if math.isinf(above) else f" above {above:g}"
        raise PinnlabError(f"{what} must be a finite number{bound}, got {value!r}")


def whole(what: str, value: Any) -> None:
    """Raise :class:`PinnlabError` unless *value* is a whole number of at least one."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise PinnlabError(f"{what} must be a whole number of at least 1, got {value!r}")


def random_function(what: str, value: Any) -> None:
    """Raise :class:`PinnlabError` unless *value* is a random function."""
    if not isinstance(value, RandomFunction):
        raise PinnlabError(f"{what} must be a random function such as GaussianField, got {value!r}")
