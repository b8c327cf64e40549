"""Terms: what a training asks of a model, as named residual rows of order one."""

from pinnlab.terms.base import Term
from pinnlab.terms.boundary import BoundaryTerm, InitialTerm, PeriodicTerm
from pinnlab.terms.data import DataTerm
from pinnlab.terms.problem import Problem, default_terms
from pinnlab.terms.residual import ResidualTerm

__all__ = [
    "BoundaryTerm",
    "DataTerm",
    "InitialTerm",
    "PeriodicTerm",
    "Problem",
    "ResidualTerm",
    "Term",
    "default_terms",
]
