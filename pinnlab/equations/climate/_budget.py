"""What the energy balance models share: the axis of latitude, the variable and the budget."""

import numpy as np

from pinnlab.core import Axis, Shown, Variable

ZERO_CELSIUS = 273.15  # K; the outgoing radiation is A + B T with T in degrees Celsius
YEAR = 365.25 * 86400.0  # s


def degrees_north(x):
    """Latitude in degrees north of its sine *x*."""
    return np.rad2deg(np.arcsin(x))


def legendre2(x):
    """The Legendre polynomial P2 of *x*."""
    return 1.5 * x**2 - 0.5


def tendency(model, f, albedo):
    """T_t of the *model* (its C, D, A, B, S0 and s2) under an *albedo*, in K s-1."""
    sun = 0.25 * f(model.S0) * (1.0 + f(model.s2) * legendre2(f.coordinates["x"]))
    thermal = f(model.A) + f(model.B) * (f("T") - ZERO_CELSIUS)
    return (sun * (1.0 - albedo) - thermal + f.laplacian("T", model.D)) / f(model.C)


TIME = Axis(0, 10 * YEAR, "s", scale=2 * YEAR, long_name="model time")
LATITUDE = Axis(
    -1,
    1,
    long_name="sine of latitude",
    shown=Shown("lat", "degrees_north", "latitude", degrees_north),
)
TEMPERATURE = Variable(
    "surface temperature",
    "K",
    scale=20.0,
    offset=285.0,
    residual_scale=20.0 / (2 * YEAR),  # of the steady problem: the same as of the evolution
    standard_name="surface_temperature",
    temperature="on_scale",
    name="surface_temperature",
)
