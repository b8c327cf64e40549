"""Helmholtz equation."""

import jax.numpy as jnp

from pinnlab.core import Axis, Coefficient, Dirichlet, Domain, Variable, Variables
from pinnlab.core.parameters import parameter
from pinnlab.equations.base import Equation, equation


@equation
class Helmholtz(Equation):
    r"""Helmholtz equation on a square with a source of two wave numbers, or another one.

    .. math:: u_{xx} + u_{yy} + k^2 u = q, \quad q = \bigl(k^2 - \pi^2(a_1^2 + a_2^2)\bigr)
        \sin(a_1\pi x)\sin(a_2\pi y), \quad u = 0 \text{ on every side of } [-1,1]^2

    ====== =========== ================== =====================================
    u      (x, y)      amplitude          1
    k      coefficient wave number        1; 1, good values 0.1 to 10
    a1, a2 integers    waves of q         1; 1 and 4
    source coefficient q, if another one  1
    ====== =========== ================== =====================================

    ``exact`` is sin(a1 pi x) sin(a2 pi y), for any k as q follows k; there is none for another
    source. Where k^2 comes near pi^2 (i^2 + j^2)/4 the problem is near resonance and badly
    conditioned. Reference: Wang, Teng & Perdikaris, *SIAM J. Sci. Comput.* 43, 2021, A3055-A3081.
    """

    k: Coefficient = parameter(1.0, "1", bounds=(0.0, 1e3), long_name="wave number")
    source: Coefficient = parameter(None, "1", long_name="source")
    a1: int = 1
    a2: int = 4
    domain: Domain = Domain(x=Axis(-1, 1, long_name="x"), y=Axis(-1, 1, long_name="y"))
    variables: Variables = Variables(
        u=Variable("amplitude", order=0, residual_scale=170.0, name="amplitude")
    )

    def rhs(self, f):
        k2, stiffness = f(self.k) ** 2, jnp.pi**2 * (self.a1**2 + self.a2**2)
        given = self.source is not None
        source = f(self.source) if given else (k2 - stiffness) * self.shape(f.coordinates)
        return {"u": f.laplacian("u") + k2 * f("u") - source}

    def conditions(self):
        return [Dirichlet("x", u=0.0), Dirichlet("y", u=0.0)]

    def shape(self, x):
        """The product of the two sines."""
        return jnp.sin(self.a1 * jnp.pi * x["x"]) * jnp.sin(self.a2 * jnp.pi * x["y"])

    def exact(self, x):
        return None if self.source is not None else {"u": self.shape(x)}
