"""Wave equation."""

import jax.numpy as jnp

from pinnlab.core import Axis, Coefficient, Dirichlet, Domain, Initial, Variable, Variables
from pinnlab.core.parameters import parameter, varies
from pinnlab.equations.base import Equation, equation


@equation
class Wave(Equation):
    r"""Wave equation on a string with fixed ends, released at rest.

    .. math:: u_{tt} = c^2 u_{xx}, \quad u(0,x) = \sum_n a_n \sin k_n(x - x_0),
        \quad u_t(0,x) = 0, \quad u = 0 \text{ at both ends}

    ===== =========== ===================== ========================================
    u     (t, x)      displacement          1
    c     coefficient speed                 1; 2, good values 0.5 to 10
    modes pairs       (n, a_n)              (1, 1) and (4, 1/2)
    k_n   number      n pi / length         of the axis x, which starts at x_0
    ===== =========== ===================== ========================================

    ``exact`` is the sum of standing waves, each with the factor cos(c k_n t), where c is a number.
    Reference: Wang, Yu & Perdikaris, *When and why PINNs fail to train: a neural tangent kernel
    perspective*, J. Comput. Phys. 449, 2022, 110768.
    """

    c: Coefficient = parameter(2.0, "1", bounds=(1e-3, 1e3), long_name="speed")
    modes: tuple[tuple[int, float], ...] = ((1, 1.0), (4, 0.5))
    domain: Domain = Domain(
        t=Axis(0, 1, scale=0.3, long_name="model time"), x=Axis(0, 1, long_name="x")
    )
    variables: Variables = Variables(u=Variable("displacement", order=2, name="displacement"))

    def rhs(self, f):
        return {"u": f(self.c) ** 2 * f("u", x=2)}

    def conditions(self):
        return [
            Initial(u=lambda x: self.standing(x["x"], 0.0)),
            Initial(1, u=0.0),
            Dirichlet("x", u=0.0),
        ]

    def standing(self, x, path):
        """The standing waves at *x* after each crest has run the distance *path* = c t."""
        axis = self.domain["x"]
        waves = [(n * jnp.pi / axis.length, a) for n, a in self.modes]
        return sum(a * jnp.sin(k * (x - axis.lower)) * jnp.cos(k * path) for k, a in waves)

    def exact(self, x):
        if varies(self.c):
            return None
        return {"u": self.standing(x["x"], self.c * (x["t"] - self.domain["t"].lower))}
