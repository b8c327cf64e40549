"""pinnlab: an equation written once; trained, solved classically, and given out as a CF dataset.

Nothing heavy is imported until it is used, and importing changes no global setting.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pinnlab._lazy import lazy
from pinnlab._version import __version__ as __version__

if TYPE_CHECKING:
    from pinnlab.core.conditions import Dirichlet, Initial, Neumann, Observations, Robin
    from pinnlab.core.domain import Axis, Domain
    from pinnlab.core.errors import DivergenceError, PinnlabError
    from pinnlab.core.parameters import Function, Profile, parameter
    from pinnlab.core.precision import precision
    from pinnlab.core.variables import Variable, Variables
    from pinnlab.equations.base import Equation, equation
    from pinnlab.run.solution import Solution, load
    from pinnlab.run.solve import solve
    from pinnlab.solvers.classical import Etdrk4, Features, Lines, Steady

_HOME = {
    "Axis": "core.domain",
    "Dirichlet": "core.conditions",
    "DivergenceError": "core.errors",
    "Domain": "core.domain",
    "Equation": "equations.base",
    "Etdrk4": "solvers.classical",
    "Features": "solvers.classical",
    "Function": "core.parameters",
    "Initial": "core.conditions",
    "Lines": "solvers.classical",
    "Neumann": "core.conditions",
    "Observations": "core.conditions",
    "PinnlabError": "core.errors",
    "Profile": "core.parameters",
    "Robin": "core.conditions",
    "Solution": "run.solution",
    "Steady": "solvers.classical",
    "Variable": "core.variables",
    "Variables": "core.variables",
    "equation": "equations.base",
    "load": "run.solution",
    "parameter": "core.parameters",
    "precision": "core.precision",
    "solve": "run.solve",
}
__getattr__, __dir__, __all__ = lazy(__name__, _HOME)
