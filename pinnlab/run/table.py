"""Table: members of a family in a file, read a few at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from pinnlab.core.errors import PinnlabError, choose
from pinnlab.core.grid import Grid
from pinnlab.equations.base import Equation
from pinnlab.io import open_dataset
from pinnlab.run.members import make_grid
from pinnlab.run.observed import data_file
from pinnlab.run.tabled import check_nodes, read_function

_AT_ONCE = 1 << 24  # values that are looked at together when a file is checked


@dataclass(frozen=True, eq=False)
class Table:
    """A dataset with columns of members; arrays of it are in the equation's units.

    Arguments:
        path: of the file.
        equation: whose axes it has.
        columns: by the name of a column, the variable in the file and the wanted units.
        axes: for axes whose dimension has another name, that name.
        schemes: of its grids, by axis, as ``operator.schemes`` gives them.
        where: the yaml key that named it.
    """

    path: str
    equation: Equation
    columns: Mapping[str, tuple[str, str]]
    axes: Mapping[str, str]
    schemes: Mapping[str, Any]
    where: str

    @cached_property
    def dataset(self) -> Any:
        """Opened, not read."""
        return open_dataset(data_file(self.path, self.where))

    @property
    def count(self) -> int:
        """How many members."""
        sizes = {self._lengths(column) for column in self.columns}
        if len(sizes) > 1:
            raise PinnlabError(
                f"{self.where}: the variables of '{self.path}' have different numbers of members "
                f"({', '.join(map(str, sorted(sizes)))})"
            )
        return sizes.pop()

    def read(self, columns: Sequence[str], index: np.ndarray) -> dict[str, np.ndarray]:
        """(n, *grid) of each column, for the members *index*."""
        return {column: self._read(column, index) for column in columns}

    def shape_of(self, column: str) -> tuple[int, ...]:
        """Of one member."""
        array = self._array(column)
        sizes = {dim: n for dim, n in array.sizes.items() if dim != self._member(column)}
        return tuple(sizes[self.axes.get(a, a)] for a in self._along(column))

    def grid_of(self, columns: Sequence[str]) -> Grid:
        """The grid on which the functions among *columns* lie.

        Raises:
            PinnlabError: they lie on different ones, or the file's coordinates are not its nodes.
        """
        sizes: dict[str, int] = {}
        for column in columns:
            own = dict(zip(self._along(column), self.shape_of(column), strict=True))
            if sizes and own and own != sizes:
                raise PinnlabError(
                    f"{self.where}: '{self.columns[column][0]}' of '{self.path}' has the axes "
                    f"{own}, others have {sizes}; put them on one grid"
                )
            sizes = own or sizes
        grid = make_grid(self.equation, sizes, self.schemes, self.where)
        check_nodes(self.dataset, grid, self.axes, f"{self.where}, '{self.path}'")
        return grid

    def check(self) -> None:
        """Read everything once, a part at a time.

        Raises:
            PinnlabError: a variable that is missing, with other dimensions or units, or with
                values that are not finite.
        """
        count = self.count
        for column in self.columns:
            step = max(1, _AT_ONCE // max(1, int(np.prod(self.shape_of(column)))))
            for first in range(0, count, step):
                self._read(column, np.arange(first, min(first + step, count)))

    def _read(self, column: str, index: np.ndarray) -> np.ndarray:
        name, units = self.columns[column]
        member = self._member(column)
        ds = self.dataset[[name]]
        if member is not None:  # files are read fastest in the order in which they lie
            some, back = np.unique(index, return_inverse=True)
            step = np.diff(some)
            rows: Any = slice(some[0], some[-1] + 1) if np.all(step == 1) else some
            ds = ds.isel({member: rows})
        where = f"{self.where}, '{self.path}'"
        values, _ = read_function(ds, name, units, self.equation.domain, self.axes, where)
        return values if member is None else values[back]

    def _array(self, column: str) -> Any:
        name = self.columns[column][0]
        choose(f"variable ({self.where}, '{self.path}')", name, self.dataset.data_vars)
        return self.dataset[name]

    def _along(self, column: str) -> tuple[str, ...]:
        dims = self._array(column).dims
        return tuple(a for a in self.equation.domain.axes if self.axes.get(a, a) in dims)

    def _member(self, column: str) -> str | None:
        """The dimension that counts the members."""
        known = {self.axes.get(a, a) for a in self.equation.domain.axes}
        rest = [dim for dim in self._array(column).dims if dim not in known]
        return rest[0] if rest else None

    def _lengths(self, column: str) -> int:
        member = self._member(column)
        return 1 if member is None else int(self.dataset.sizes[member])
