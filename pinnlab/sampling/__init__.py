"""Where the residual is asked for: points in the unit cube, drawn on the device."""

from pinnlab.sampling.points import Adaptive, Sampler, Sobol, Uniform

__all__ = ["Adaptive", "Sampler", "Sobol", "Uniform"]
