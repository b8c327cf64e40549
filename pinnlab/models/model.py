"""Model: a network with scaled inputs and outputs and exact conditions, as a pure function."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from pinnlab.core.domain import Axis, Domain
from pinnlab.core.errors import choose
from pinnlab.core.field import Field
from pinnlab.core.pointfield import PointField
from pinnlab.equations.base import Equation
from pinnlab.models.exact import exact_scalar
from pinnlab.models.parity import Parity, averaged, signs
from pinnlab.models.separable import tensor_field
from pinnlab.networks.separable import Separable

Point = Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Model:
    """Variables as functions of the coordinates: ``apply(params, equation, point)``.

    Arguments:
        network: a Flax module from (d,) inputs to ``outputs`` numbers.
        exact: satisfy initial and boundary conditions exactly; otherwise they are soft rows.
        embed: put periodic axes on circles, so that periodicity is exact; otherwise soft rows.
        harmonics: number of sine and cosine pairs of that embedding.
        periods: further periods, in the axis's units, given to the network as sines and cosines
            (the day in a series of many days): ``{"t": [86400.0]}``.
        stretch: factors on the [-1, 1] inputs of axes along which the solution changes often.
        parity: axes of space about whose middle the solution is even or odd, exactly:
            ``{"x": "odd"}``, or by variable ``{"x": {"u": "odd", "p": "even"}}``
            (:mod:`pinnlab.models.parity`). The equation must have that symmetry.
        before: the model that this one corrects: its outputs are added to those of the network,
            which are multiplied by a size. Parameters then hold ``before`` and ``size`` as well.
    """

    network: nn.Module
    exact: bool = True
    embed: bool = True
    harmonics: int = 1
    periods: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    stretch: Mapping[str, float] = field(default_factory=dict)
    parity: Parity = field(default_factory=dict)
    before: Model | None = None

    def inputs(self, domain: Domain, point: Point) -> Any:
        """The (d,) network inputs of a point: axes in [-1, 1], periodic ones on circles."""
        for name in (*self.periods, *self.stretch):
            choose("axis (model.periods, model.stretch)", name, domain.axes)
        return jnp.concatenate([self.inputs_of(domain, name, point[name]) for name in domain.axes])

    def inputs_of(self, domain: Domain, name: str, value: Any) -> Any:
        """The network inputs of one axis at one of its coordinates."""
        axis: Axis = domain[name]
        value = jnp.asarray(value)
        rates = [2.0 * math.pi / period for period in self.periods.get(name, ())]
        turning = axis.periodic and self.embed
        if turning:
            rates += [2.0 * math.pi * k / axis.length for k in range(1, self.harmonics + 1)]
        angles = jnp.asarray(rates, value.dtype) * (value - axis.lower)
        turned = jnp.stack([jnp.cos(angles), jnp.sin(angles)], axis=1).ravel()
        if turning:
            return turned
        plain = self.stretch.get(name, 1.0) * axis.unit_interval(value)
        return jnp.concatenate([plain[None], turned])

    def init(self, key: Any, equation: Equation, dtype: Any = None) -> Any:
        """Random parameters; float64 where the run has it."""
        middle = {a: jnp.asarray(equation.domain[a].lower, dtype) for a in equation.domain.axes}
        return self._module(equation).init(key, self.inputs(equation.domain, middle))

    def apply(self, params: Any, equation: Equation, point: Point) -> dict[str, Any]:
        """The variables at one point, in SI."""
        conditions = equation.conditions() if self.exact else ()
        names, domain = equation.variables.names, equation.domain

        def raw(name: str) -> Callable[[Point], Any]:
            variable, i = equation.variables[name], names.index(name)

            def value(x: Point) -> Any:
                return variable.offset + variable.scale * self._outputs(params, equation, x)[i]

            return value

        return {name: exact_scalar(raw(name), name, conditions, domain)(point) for name in names}

    def _outputs(self, params: Any, equation: Equation, point: Point) -> Any:
        """The (k,) outputs of the network, and of those that it corrects."""
        own = {name: tree for name, tree in params.items() if name not in ("before", "size")}
        module, domain = self._module(equation), equation.domain

        def outputs(x: Point) -> Any:
            return module.apply(own, self.inputs(domain, x))

        turned = signs(self.parity, domain, equation.variables.names)
        made = averaged(outputs, turned, domain, point) if turned else outputs(point)
        if self.before is None:
            return made
        return self.before._outputs(params["before"], equation, point) + params["size"] * made

    @property
    def tensor(self) -> bool:
        """Whether it is evaluated on tensor products of points at a fraction of the cost."""
        return isinstance(self.network, Separable) and self.before is None and not self.parity

    def field(self, params: Any, equation: Equation, point: Point, slots: Any = ()) -> Field:
        """The field of the variables at one point; *slots* tells what will be asked.

        A ``tensor`` model also takes the coordinates of a tensor product of points, laid out as
        :class:`pinnlab.core.tensorfield.TensorField` has them.
        """
        if self.tensor and jnp.ndim(next(iter(point.values()))) > 0:
            conditions = equation.conditions() if self.exact else ()
            inputs = partial(self.inputs_of, equation.domain)
            network: Any = self._module(equation)
            return tensor_field(network, params, equation, conditions, inputs, point, slots)
        return PointField(
            lambda x: self.apply(params, equation, x),
            point,
            equation.domain,
            equation.variables.names,
            slots,
        )

    def evaluate(self, params: Any, equation: Equation, points: Point) -> dict[str, Any]:
        """The variables at (N,) arrays of coordinates."""
        return jax.vmap(lambda x: self.apply(params, equation, x))(dict(points))

    def _module(self, equation: Equation) -> nn.Module:
        made = self.network.clone(outputs=len(equation.variables))
        if not hasattr(made, "blocks"):  # networks that take their axes apart
            return made
        domain = equation.domain
        sizes = [len(self.inputs_of(domain, a, domain[a].lower)) for a in domain.axes]
        return made.clone(blocks=tuple(sizes))

    @cached_property
    def name(self) -> str:
        """The network's class name."""
        return type(self.network).__name__
