"""Where the residual is asked for: points in the unit cube; and random functions, what neural
operators are given. Both are drawn on the device."""

from pinnlab.sampling.functions import (
    Exponential,
    Places,
    RandomFunction,
    Range,
    TwoPhase,
)
from pinnlab.sampling.gaussian import GaussianField, KernelField
from pinnlab.sampling.points import Adaptive, Sampler, Sobol, Uniform
from pinnlab.sampling.quadrature import Quadrature
from pinnlab.sampling.r3 import R3
from pinnlab.sampling.series import FourierSeries
from pinnlab.sampling.sphere import HarmonicSeries

__all__ = [
    "R3",
    "Adaptive",
    "Exponential",
    "FourierSeries",
    "GaussianField",
    "HarmonicSeries",
    "KernelField",
    "Places",
    "Quadrature",
    "RandomFunction",
    "Range",
    "Sampler",
    "Sobol",
    "TwoPhase",
    "Uniform",
]
