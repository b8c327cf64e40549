"""Domains, variables, parameters, conditions and fields: the words that equations are made of."""

from pinnlab.core.conditions import Dirichlet, Initial, Neumann, Observations, Robin
from pinnlab.core.domain import Axis, Domain, Shown
from pinnlab.core.errors import PinnlabError
from pinnlab.core.field import Field
from pinnlab.core.metric import Cartesian, SineLatitude, Sphere
from pinnlab.core.parameters import Coefficient, Function, Profile, parameter
from pinnlab.core.pointfield import PointField
from pinnlab.core.variables import Variable, Variables

__all__ = [
    "Axis",
    "Cartesian",
    "Coefficient",
    "Dirichlet",
    "Domain",
    "Field",
    "Function",
    "Initial",
    "Neumann",
    "Observations",
    "PinnlabError",
    "PointField",
    "Profile",
    "Robin",
    "Shown",
    "SineLatitude",
    "Sphere",
    "Variable",
    "Variables",
    "parameter",
]
