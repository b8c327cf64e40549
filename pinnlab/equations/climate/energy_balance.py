"""North's one-dimensional energy balance model of the climate."""

import jax.numpy as jnp

from pinnlab.core import Coefficient, Domain, Initial, SineLatitude, Variables
from pinnlab.core.parameters import parameter, varies
from pinnlab.equations.base import Equation, equation
from pinnlab.equations.climate._budget import (
    LATITUDE,
    TEMPERATURE,
    TIME,
    ZERO_CELSIUS,
    legendre2,
    tendency,
)


@equation
class EnergyBalance(Equation):
    r"""Energy balance of latitude belts: sunlight, thermal radiation, diffusive transport.

    .. math:: C\,T_t = \frac{S_0}{4}\,(1 + s_2 P_2(x))(1 - a) - (A + B\,T_C)
        + \partial_x\bigl(D(1-x^2)\,\partial_x T\bigr), \quad T(0,x) = T_{start}

    ====== =========== ================================ =========================
    T      (t, x)      surface temperature, T_C in degC K
    x      axis        sine of latitude                 1; -1 to 1, poles included
    C      coefficient heat capacity (30 m of water)    J m-2 K-1; 1.25e8
    D      coefficient diffusivity                      W m-2 K-1; 0.55
    A, B   coefficient thermal radiation at 0 degC      W m-2; 210, W m-2 K-1; 2
    S0, s2 coefficient sunlight and its P2 part         W m-2; 1360, 1; -0.48
    a      coefficient albedo                           1; 0.3
    start  number      temperature at the start         K; 288.15
    ====== =========== ================================ =========================

    ``exact`` (all coefficients numbers): with n = 0, 2 the part of P_n relaxes at the rate
    (B + n(n+1) D)/C to the steady T_n = (absorbed_n - A_n)/(B + n(n+1) D). The metric makes the
    flux vanish at the poles; no condition is set there. Without a time axis, and with T of order
    0, it is the steady problem. Reference: North, *J. Atmos. Sci.* 32, 1975, 2033-2043.
    """

    C: Coefficient = parameter(1.25e8, "J m-2 K-1", bounds=(1e5, 1e11), long_name="heat capacity")
    D: Coefficient = parameter(0.55, "W m-2 K-1", bounds=(0.0, 10.0), long_name="diffusivity")
    A: Coefficient = parameter(210.0, "W m-2", long_name="thermal radiation at 0 degC")
    B: Coefficient = parameter(2.0, "W m-2 K-1", bounds=(0.1, 10.0), long_name="its slope per K")
    S0: Coefficient = parameter(1360.0, "W m-2", bounds=(0.0, 1e4), long_name="solar constant")
    s2: Coefficient = parameter(-0.48, "1", bounds=(-1.0, 1.0), long_name="P2 part of sunlight")
    albedo: Coefficient = parameter(0.3, "1", bounds=(0.0, 1.0), long_name="albedo")
    start: Coefficient = parameter(288.15, "K", bounds=(100.0, 400.0), long_name="T at the start")
    domain: Domain = Domain(metric=SineLatitude(), t=TIME, x=LATITUDE)
    variables: Variables = Variables(T=TEMPERATURE)

    def rhs(self, f):
        return {"T": tendency(self, f, f(self.albedo))}

    def conditions(self):
        return [Initial(T=self.start)] if self.domain.time else []

    def exact(self, x):
        if any(varies(getattr(self, name)) for name in self.parameters()):
            return None
        absorbed = 0.25 * self.S0 * (1.0 - self.albedo)
        steady = {0: (absorbed - self.A) / self.B, 2: absorbed * self.s2 / (self.B + 6.0 * self.D)}
        started = {0: self.start - ZERO_CELSIUS, 2: 0.0}
        parts = {}
        for n, end in steady.items():
            rate = (self.B + n * (n + 1) * self.D) / self.C
            left = jnp.exp(-rate * (x["t"] - self.domain["t"].lower)) if "t" in x else 0.0
            parts[n] = end + (started[n] - end) * left
        return {"T": ZERO_CELSIUS + parts[0] + parts[2] * legendre2(x["x"])}
