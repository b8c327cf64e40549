"""The damped heat wave that a periodic surface temperature sends into the ground."""

import jax.numpy as jnp

from pinnlab.core import Axis, Coefficient, Dirichlet, Domain, Initial, Variable, Variables
from pinnlab.core.parameters import parameter
from pinnlab.equations.base import Equation, equation


@equation
class GroundHeat(Equation):
    r"""Heat wave in uniform ground below a surface whose temperature follows a sine.

    .. math:: T_t = \kappa\,T_{zz}, \quad T = T_0 + A\,e^{-z/d}\sin(\omega t - z/d), \quad
        d = \sqrt{2\kappa/\omega}, \quad \omega = 2\pi/P

    =========== =========== ========================= ======================================
    T           (t, depth)  soil temperature          K
    depth       axis        z, positive down          m; 0 to 0.5
    diffusivity number      :math:`\kappa`            m2 s-1; 1e-7 (peat) to 1e-6 (wet sand)
    mean        number      T_0                       K; 288.15
    amplitude   number      A                         K; 10
    period      number      P                         s; 86400 (a day) or 3.16e7 (a year)
    =========== =========== ========================= ======================================

    The first and last depth and the start are given by the wave itself, ``exact``: a bottom at
    finite depth has no other condition that the wave of the half-space meets. Reference: Carslaw &
    Jaeger, *Conduction of Heat in Solids*, 2nd ed., 1959, section 2.6.
    """

    diffusivity: Coefficient = parameter(
        5e-7, "m2 s-1", bounds=(5e-8, 5e-6), long_name="thermal diffusivity of soil"
    )
    mean: Coefficient = parameter(288.15, "K", bounds=(200.0, 400.0), long_name="mean T")
    amplitude: Coefficient = parameter(10.0, "K", bounds=(0.0, 100.0), long_name="amplitude")
    period: Coefficient = parameter(86400.0, "s", bounds=(1.0, 1e12), long_name="period")
    domain: Domain = Domain(
        t=Axis(0, 3 * 86400.0, "s", scale=14400.0, long_name="model time"),
        depth=Axis(0, 0.5, "m", long_name="depth in soil", standard_name="depth", positive="down"),
    )
    variables: Variables = Variables(
        T=Variable(
            "soil temperature",
            "K",
            scale=10.0,
            offset=288.15,
            standard_name="soil_temperature",
            temperature="on_scale",
            name="soil_temperature",
        )
    )

    def rhs(self, f):
        return {"T": f(self.diffusivity) * f("T", depth=2)}

    def conditions(self):
        return [Initial(T=self.wave), Dirichlet("depth", T=self.wave)]

    def wave(self, x):
        """The temperature of the wave at coordinates *x*."""
        omega = 2 * jnp.pi / self.period
        lag = x["depth"] / (2 * self.diffusivity / omega) ** 0.5
        return self.mean + self.amplitude * jnp.exp(-lag) * jnp.sin(omega * x["t"] - lag)

    def exact(self, x):
        return {"T": self.wave(x)}
