r"""TensorField: sums of products of functions of one axis, on a tensor product of points.

.. math:: u(x_1,\dots,x_d) = g(x) + \sum_{r=1}^{R}\prod_{i=1}^{d} F_i^r(x_i)

A derivative of the sum is the sum of products of derivatives of the factors, each along its own
axis. These are tables of :math:`N_i\times R` numbers; only their products, which are matrix
products, cost anything on all :math:`\prod N_i` points. *g* carries what is given (values at a
wall), and holds no network.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from pinnlab.core.domain import Domain
from pinnlab.core.errors import PinnlabError
from pinnlab.core.field import Field, Orders
from pinnlab.core.pointfield import Model, PointField
from pinnlab.core.trace import Slot

Factor = Callable[[Any], Mapping[str, Any]]  # a coordinate -> for each variable its (R,) factors


def is_mesh(columns: Sequence[Any]) -> bool:
    """Whether arrays, one an axis, are laid out as a tensor product: each along its dimension."""
    d = len(columns)
    return all(
        c.shape == tuple(c.size if j == i else 1 for j in range(d)) for i, c in enumerate(columns)
    )


class TensorField(Field):
    """The field of separable variables on the tensor product of points of every axis.

    The derivative of a function of the field is taken with a tangent along the column of its
    axis, on which no other value of the tensor depends.

    Arguments:
        factors: for each axis the factors of all variables, as functions of that axis.
        mesh: the coordinates; those of the i-th axis have length one along all dimensions but i.
        domain, names: the axes and the variables' symbols.
        given: g as a function of the coordinates, which takes a mesh; None where there is none.
        slots: what will be asked (from :func:`pinnlab.core.trace.record`), so that each factor
            is differentiated once.

    Raises:
        PinnlabError: coordinates that are not such a mesh.

    Reference: Cho et al., *Separable physics-informed neural networks*, arXiv:2306.15969, 2023.
    """

    def __init__(
        self,
        factors: Mapping[str, Factor],
        mesh: Mapping[str, Any],
        domain: Domain,
        names: tuple[str, ...],
        given: Model | None = None,
        slots: Iterable[Slot] = (),
    ):
        self.domain, self.names = domain, names
        self._factors, self._model, self._slots = factors, given, tuple(slots)
        self._mesh = {axis: jnp.asarray(mesh[axis]) for axis in domain.axes}
        if not is_mesh(list(self._mesh.values())):
            shapes = ", ".join(f"{axis} {column.shape}" for axis, column in self._mesh.items())
            raise PinnlabError(
                "a tensor product of points: the coordinates of the i-th axis must have length 1 "
                f"along all dimensions but the i-th of {len(self._mesh)}; their shapes are {shapes}"
            )
        self._tables: dict[str, list[Any]] = {}
        self._halves: dict[tuple[str, Orders], Any] = {}
        self._known: dict[Slot, Any] = {}

    @property
    def coordinates(self) -> Mapping[str, Any]:
        return self._mesh

    @property
    def shape(self) -> tuple[int, ...]:
        """The number of points along each axis."""
        return tuple(column.size for column in self._mesh.values())

    def derivative(self, name: str, orders: Orders) -> Any:
        slot = (name, orders)
        if slot not in self._known:
            axes = self.domain.axes
            middle = (len(axes) + 1) // 2
            left, right = (
                self._half(name, part, orders) for part in (axes[:middle], axes[middle:])
            )
            value = (left @ right.T).reshape(self.shape)
            self._known[slot] = value if self._model is None else value + self._given_at(slot)
        return self._known[slot]

    def differentiate(self, what: Callable[[Field], Any], orders: Orders) -> Any:
        def at(mesh: Mapping[str, Any]) -> Any:
            return what(TensorField(self._factors, mesh, self.domain, self.names, self._model))

        return self._turned(at, orders)

    def _half(self, name: str, part: tuple[str, ...], orders: Orders) -> Any:
        """(M, R) products of the derived factors of some axes at all M points of their tensor."""
        own = tuple((axis, order) for axis, order in orders if axis in part)
        key = (f"{name}/{'/'.join(part)}", own)
        if key not in self._halves:
            found = jnp.ones((1, 1), next(iter(self._mesh.values())).dtype)
            for axis in part:
                table = self._table(axis, dict(own).get(axis, 0))[self.names.index(name)]
                found = (found[:, None, :] * table[None, :, :]).reshape(-1, table.shape[-1])
            self._halves[key] = found
        return self._halves[key]

    def _table(self, axis: str, order: int) -> Any:
        """(variables, N, R) derivatives of the factors of an axis."""
        if order >= len(self._tables.get(axis, ())):
            asked = [dict(orders).get(axis, 0) for _, orders in self._slots]
            self._tables[axis] = self._ladder(axis, max(order, *asked, 0))
        return self._tables[axis][order]

    def _ladder(self, axis: str, order: int) -> list[Any]:
        """The factors of an axis and their derivatives up to *order*, at its own points."""
        alone = Domain(metric=None, time=None, **{axis: self.domain[axis]})
        highest = ((axis, order),) if order else ()

        def at(place: Any) -> list[Any]:
            field = PointField(
                lambda x: self._factors[axis](x[axis]),
                {axis: place},
                alone,
                self.names,
                [(self.names[0], highest)],
            )
            ranks = [((axis, k),) if k else () for k in range(order + 1)]
            return [jnp.stack([field.derivative(n, rank) for n in self.names]) for rank in ranks]

        return jax.vmap(at, out_axes=1)(self._mesh[axis].reshape(-1))

    def _given_at(self, slot: Slot) -> Any:
        """A derivative of the given part, which costs little as long as it is not spread out."""
        given, (name, orders) = self._model, slot
        assert given is not None
        return self._turned(lambda mesh: given(mesh)[name], orders)

    def _turned(self, function: Callable[[Mapping[str, Any]], Any], orders: Orders) -> Any:
        """A derivative of a function of the mesh that gives each point a value of its own."""

        def full(mesh: Mapping[str, Any]) -> Any:
            return jnp.broadcast_to(jnp.asarray(function(mesh)), self.shape)

        derived: Callable[[Any], Any] = full
        for axis, order in orders:
            for _ in range(order):
                derived = _along(derived, axis)
        return derived(self._mesh)


def _along(function: Callable[[Any], Any], axis: str) -> Callable[[Any], Any]:
    """The derivative of a function of a mesh along one of its axes."""

    def turned(mesh: Mapping[str, Any]) -> Any:
        tangents = {a: (jnp.ones_like if a == axis else jnp.zeros_like)(c) for a, c in mesh.items()}
        return jax.jvp(function, (dict(mesh),), (tangents,))[1]

    return turned
