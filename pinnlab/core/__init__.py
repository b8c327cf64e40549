"""Domains, variables, parameters, conditions and fields: the words that equations are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pinnlab._lazy import lazy

if TYPE_CHECKING:
    from pinnlab.core.conditions import Dirichlet, Initial, Neumann, Observations, Robin
    from pinnlab.core.domain import Axis, Domain, Shown
    from pinnlab.core.errors import PinnlabError
    from pinnlab.core.field import Field
    from pinnlab.core.metric import Cartesian, SineLatitude, Sphere
    from pinnlab.core.parameters import Coefficient, Function, Profile, parameter
    from pinnlab.core.pointfield import PointField
    from pinnlab.core.variables import Variable, Variables

_HOME = {
    "Axis": "domain",
    "Cartesian": "metric",
    "Coefficient": "parameters",
    "Dirichlet": "conditions",
    "Domain": "domain",
    "Field": "field",
    "Function": "parameters",
    "Initial": "conditions",
    "Neumann": "conditions",
    "Observations": "conditions",
    "PinnlabError": "errors",
    "PointField": "pointfield",
    "Profile": "parameters",
    "Robin": "conditions",
    "Shown": "domain",
    "SineLatitude": "metric",
    "Sphere": "metric",
    "Variable": "variables",
    "Variables": "variables",
    "parameter": "parameters",
}
__getattr__, __dir__, __all__ = lazy(__name__, _HOME)
