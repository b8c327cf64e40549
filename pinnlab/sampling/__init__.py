"""Where the residual is asked for: points in the unit cube, drawn on the device."""

from pinnlab.sampling.points import Adaptive, Sampler, Sobol, Uniform
from pinnlab.sampling.quadrature import Quadrature
from pinnlab.sampling.r3 import R3

__all__ = ["R3", "Adaptive", "Quadrature", "Sampler", "Sobol", "Uniform"]
