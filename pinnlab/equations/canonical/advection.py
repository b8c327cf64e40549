"""Linear advection equation."""

import jax.numpy as jnp

from pinnlab.core import Axis, Coefficient, Domain, Initial, Variable, Variables
from pinnlab.core.parameters import parameter, varies
from pinnlab.equations.base import Equation, equation


@equation
class Advection(Equation):
    r"""Linear advection of a sine wave on a periodic axis.

    .. math:: u_t + c\,u_x = 0, \quad u(0,x) = \sin\frac{2\pi(x-a)}{L}

    ===== =========== ================== ====================================
    u     (t, x)      transported wave   1
    c     coefficient speed              1; 1 is easy, 30 to 100 is hard
    a, L  numbers     start and length   of the axis x
    ===== =========== ================== ====================================

    ``exact`` is the travelling wave u(0, x - c t) where c is a number. Reference: Krishnapriyan
    et al., *Characterizing possible failure modes in physics-informed neural networks*, NeurIPS
    2021 (c = 30 and more).
    """

    c: Coefficient = parameter(1.0, "1", bounds=(-1e3, 1e3), long_name="speed")
    domain: Domain = Domain(
        t=Axis(0, 1, long_name="model time"),
        x=Axis(0, 2 * jnp.pi, periodic=True, long_name="x"),
    )
    variables: Variables = Variables(u=Variable("transported wave", name="wave"))

    def rhs(self, f):
        return {"u": -f(self.c) * f("u", x=1)}

    def conditions(self):
        return [Initial(u=lambda x: self.wave(x["x"]))]

    def wave(self, x):
        """The initial wave at positions *x*."""
        axis = self.domain["x"]
        return jnp.sin(2 * jnp.pi / axis.length * (x - axis.lower))

    def exact(self, x):
        if varies(self.c):
            return None
        return {"u": self.wave(x["x"] - self.c * (x["t"] - self.domain["t"].lower))}
