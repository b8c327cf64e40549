"""The energy balance model with ice-albedo feedback."""

import jax.numpy as jnp

from pinnlab.core import Coefficient, Domain, Initial, SineLatitude, Variables
from pinnlab.core.parameters import parameter
from pinnlab.equations.base import Equation, equation
from pinnlab.equations.climate._budget import LATITUDE, TEMPERATURE, TIME, legendre2, tendency


@equation
class IceAlbedo(Equation):
    r"""Energy balance of latitude belts where ice, once it is cold enough, reflects the sun.

    .. math:: C\,T_t = \frac{S_0}{4}\,(1 + s_2 P_2)(1 - a) - (A + B\,T_C)
        + \partial_x\bigl(D(1-x^2)\,\partial_x T\bigr), \quad
        a = a_i + (a_0 + a_2 P_2 - a_i)\,\tfrac12\Bigl(1 + \tanh\frac{T - T_i}{\delta}\Bigr)

    ========== =========== ================================= ========================
    T          (t, x)      surface temperature, T_C in degC  K
    a0, a2     coefficient albedo without ice: mean, P2 part 1; 0.3, 0.078
    ai         coefficient albedo of ice                     1; 0.62
    Ti         coefficient temperature of the ice line       K; 263.15
    width      coefficient :math:`\delta` of the step        K; 1, good values 0.2 to 5
    start      number      temperature at the start          K; 288.15 warm, 240 snowball
    C ... s2   coefficient as in ``EnergyBalance``
    ========== =========== ================================= ========================

    There is no closed form; the ice line of the defaults settles at 70 degrees. Over some range of
    S0 a warm climate and an ice-covered one are both stable, and ``start`` chooses; the step is
    smooth so that the ice line moves smoothly over a grid. Reference: North, *J. Atmos. Sci.* 32,
    1975, 2033-2043.
    """

    C: Coefficient = parameter(1.25e8, "J m-2 K-1", bounds=(1e5, 1e11), long_name="heat capacity")
    D: Coefficient = parameter(0.55, "W m-2 K-1", bounds=(0.0, 10.0), long_name="diffusivity")
    A: Coefficient = parameter(210.0, "W m-2", long_name="thermal radiation at 0 degC")
    B: Coefficient = parameter(2.0, "W m-2 K-1", bounds=(0.1, 10.0), long_name="its slope per K")
    S0: Coefficient = parameter(1360.0, "W m-2", bounds=(0.0, 1e4), long_name="solar constant")
    s2: Coefficient = parameter(-0.48, "1", bounds=(-1.0, 1.0), long_name="P2 part of sunlight")
    a0: Coefficient = parameter(0.3, "1", bounds=(0.0, 1.0), long_name="albedo without ice")
    a2: Coefficient = parameter(0.078, "1", bounds=(-1.0, 1.0), long_name="P2 part of a0")
    ai: Coefficient = parameter(0.62, "1", bounds=(0.0, 1.0), long_name="albedo of ice")
    Ti: Coefficient = parameter(263.15, "K", bounds=(200.0, 300.0), long_name="ice line")
    width: Coefficient = parameter(1.0, "K", bounds=(0.01, 50.0), long_name="width of the step")
    start: Coefficient = parameter(288.15, "K", bounds=(100.0, 400.0), long_name="T at the start")
    domain: Domain = Domain(metric=SineLatitude(), t=TIME, x=LATITUDE)
    variables: Variables = Variables(T=TEMPERATURE)

    def rhs(self, f):
        warm = 0.5 * (1.0 + jnp.tanh((f("T") - f(self.Ti)) / f(self.width)))
        land = f(self.a0) + f(self.a2) * legendre2(f.coordinates["x"])
        return {"T": tendency(self, f, f(self.ai) + (land - f(self.ai)) * warm)}

    def conditions(self):
        return [Initial(T=self.start)] if self.domain.time else []
