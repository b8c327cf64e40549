"""Swing equation of a synchronous machine."""

import math

import jax.numpy as jnp

from pinnlab.core import Axis, Coefficient, Domain, Initial, Variable, Variables
from pinnlab.core.parameters import parameter
from pinnlab.equations.base import Equation, equation


@equation
class Swing(Equation):
    r"""A synchronous machine on an infinite bus, swinging after a disturbance.

    .. math:: M\,\delta'' + D\,\delta' = P_m - P_{max}\sin\delta, \quad
        \delta(0) = \delta_0, \quad \delta'(0) = 0

    ===== =========== ================= ==============================================
    delta (t)         rotor angle       rad
    M     coefficient inertia           s2; 2H/omega_0, H = 2 to 10 s, omega_0 = 2 pi 60 s-1
    D     coefficient damping           s; K_D/omega_0, K_D = 0 to 20
    Pm    coefficient mechanical power  1 (per unit)
    Pmax  coefficient largest electric  1 (per unit)
    start number      delta_0           rad
    ===== =========== ================= ==============================================

    Powers are per unit of the machine's rating, the angle in rad, so that M and D keep seconds.
    At rest sin(delta) = Pm/Pmax; small swings have the frequency
    sqrt(Pmax cos(delta)/M), and for D = 0 the energy M delta'^2/2 - Pm delta - Pmax cos(delta) is
    conserved. The defaults are H = 3.5 s, K_D = 10 at 60 Hz of Kundur, *Power System Stability and
    Control*, 1994, example 12.2: 6.39 rad/s about 49.9 degrees.
    """

    M: Coefficient = parameter(7 / (120 * math.pi), "s2", bounds=(1e-4, 10.0), long_name="inertia")
    D: Coefficient = parameter(10 / (120 * math.pi), "s", bounds=(0.0, 10.0), long_name="damping")
    Pm: Coefficient = parameter(0.9, "1", bounds=(-10.0, 10.0), long_name="mechanical power")
    Pmax: Coefficient = parameter(1.176, "1", bounds=(0.0, 100.0), long_name="largest power")
    start: Coefficient = parameter(1.4, "rad", bounds=(-10.0, 10.0), long_name="angle at t = 0")
    domain: Domain = Domain(t=Axis(0, 10, "s", scale=0.16, long_name="model time"))
    variables: Variables = Variables(
        delta=Variable("rotor angle", "rad", order=2, scale=0.5, offset=0.87, name="rotor_angle")
    )

    def rhs(self, f):
        power = f(self.Pm) - f(self.Pmax) * jnp.sin(f("delta"))
        return {"delta": (power - f(self.D) * f("delta", t=1)) / f(self.M)}

    def conditions(self):
        return [Initial(delta=self.start), Initial(1, delta=0.0)]
