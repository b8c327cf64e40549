"""Terms: what a training asks of a model, as named residual rows of order one."""

from pinnlab.terms.base import Term
from pinnlab.terms.boundary import BoundaryTerm, InitialTerm, PeriodicTerm
from pinnlab.terms.data import DataTerm
from pinnlab.terms.prior import Prior, PriorTerm
from pinnlab.terms.problem import Problem, default_terms
from pinnlab.terms.residual import ResidualTerm

__all__ = [
    "BoundaryTerm",
    "DataTerm",
    "InitialTerm",
    "PeriodicTerm",
    "Prior",
    "PriorTerm",
    "Problem",
    "ResidualTerm",
    "Term",
    "default_terms",
]
