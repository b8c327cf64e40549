"""Korteweg-de Vries equation."""

import jax.numpy as jnp

from pinnlab.core import Axis, Coefficient, Domain, Initial, Variable, Variables
from pinnlab.core.parameters import parameter, varies
from pinnlab.equations.base import Equation, equation


@equation
class KortewegDeVries(Equation):
    r"""Korteweg-de Vries equation: a cosine breaks up into solitons.

    .. math:: u_t + u\,u_x + \mu^2 u_{xxx} = 0, \quad u(0,x) = \cos\pi x,
        \quad x \in [-1, 1] \text{ periodic}

    ===== =========== ================== =========================================
    u     (t, x)      wave height        1
    mu    coefficient dispersion         1; 0.022, good values 0.01 to 1
    ===== =========== ================== =========================================

    The cosine steepens until t = 1/pi; then solitons of width about mu separate. The mean of u
    and of u^2 are conserved. Reference: Zabusky & Kruskal, *Phys. Rev. Lett.* 15, 1965, 240-243
    (the same set-up, there on [0, 2]).
    """

    mu: Coefficient = parameter(0.022, "1", bounds=(1e-4, 10.0), long_name="dispersion")
    domain: Domain = Domain(
        t=Axis(0, 1, long_name="model time"),
        x=Axis(-1, 1, periodic=True, long_name="x"),
    )
    variables: Variables = Variables(u=Variable("wave height", scale=2.0, name="wave_height"))

    def rhs(self, f):
        return {"u": -f("u") * f("u", x=1) - f(self.mu) ** 2 * f("u", x=3)}

    def conditions(self):
        return [Initial(u=lambda x: jnp.cos(jnp.pi * x["x"]))]

    def conserved(self):
        return () if varies(self.mu) else ("u",)
