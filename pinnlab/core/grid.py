"""Grid: one scheme an axis, with the coordinates of its nodes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pinnlab.core.domain import Axis, Domain
from pinnlab.core.errors import PinnlabError, choose
from pinnlab.core.schemes import Chebyshev, FiniteDifference, Fourier, Scheme

__all__ = ["Chebyshev", "FiniteDifference", "Fourier", "Grid", "Scheme"]


@dataclass(frozen=True, init=False)
class Grid:
    """A tensor grid: ``Grid(domain, {"x": (Chebyshev(), 33), "y": (Fourier(), 64)})``.

    Every space axis needs its scheme and number of points; time may be an axis as well, for a
    reading in space and time. Without axes (an ordinary differential equation) the shape is ().
    Hashable, so static under ``jax.jit``.

    Raises:
        PinnlabError: an axis that is unknown or missing, or a scheme that does not fit it.
    """

    domain: Domain
    items: tuple[tuple[str, Scheme, int], ...]

    def __init__(self, domain: Domain, schemes: Mapping[str, tuple[Scheme, int]]):
        for name in schemes:
            choose("axis of the grid", name, domain.axes)
        missing = [name for name in domain.space if name not in schemes]
        if missing:
            raise PinnlabError(
                f"the grid gives no scheme for axis '{missing[0]}': add for example "
                f'{{"{missing[0]}": (FiniteDifference(4), 65)}}'
            )
        for name, (scheme, n) in schemes.items():
            scheme.check(name, domain[name], n)
        items = tuple((name, *schemes[name]) for name in domain.axes if name in schemes)
        object.__setattr__(self, "domain", domain)
        object.__setattr__(self, "items", items)

    @classmethod
    def from_fields(cls, domain: Domain, items: Iterable[tuple[str, Scheme, int]]) -> Grid:
        """What has these fields: the inverse of reading them."""
        return cls(domain, {name: (scheme, n) for name, scheme, n in items})

    @property
    def axes(self) -> tuple[str, ...]:
        """The axes of the grid, in the domain's order."""
        return tuple(name for name, _, _ in self.items)

    @property
    def shape(self) -> tuple[int, ...]:
        """The number of nodes of each axis."""
        return tuple(n for _, _, n in self.items)

    @property
    def nodes(self) -> dict[str, np.ndarray]:
        """The (n,) nodes of each axis."""
        return {name: scheme.nodes(self.domain[name], n) for name, scheme, n in self.items}

    @property
    def coordinates(self) -> dict[str, np.ndarray]:
        """The nodes in shapes that broadcast: (n, 1), (1, m)."""
        return {name: self.lay(name, nodes) for name, nodes in self.nodes.items()}

    @property
    def weights(self) -> np.ndarray:
        """The weights of a quadrature over the whole grid (coordinates' own volume)."""
        total = np.ones([1] * len(self.items))
        for name, scheme, n in self.items:
            total = total * self.lay(name, scheme.weights(self.domain[name], n))
        return total

    def __getitem__(self, name: str) -> tuple[Axis, Scheme, int]:
        """The axis called *name* with its scheme and number of points."""
        known = {axis: (scheme, n) for axis, scheme, n in self.items}
        return (self.domain[name], *known[choose("axis of the grid", name, known)])

    def dim(self, name: str) -> int:
        """The dimension of the arrays that belongs to axis *name*."""
        return self.axes.index(name)

    def lay(self, name: str, values: Any) -> Any:
        """A (n,) array of axis *name*, shaped to broadcast against the grid."""
        return values.reshape([-1 if axis == name else 1 for axis in self.axes])

    def refined(self, factor: float) -> Grid:
        """The same grid with *factor* times as many points (intervals, where both ends count)."""

        def more(name: str, n: int) -> int:
            open_end = self.domain[name].periodic
            return round(n * factor) if open_end else round((n - 1) * factor) + 1

        return Grid.from_fields(self.domain, [(a, s, more(a, n)) for a, s, n in self.items])
