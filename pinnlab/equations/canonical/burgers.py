"""Viscous Burgers equation."""

import math

import jax.numpy as jnp
import numpy as np

from pinnlab.core import Axis, Coefficient, Dirichlet, Domain, Initial, Variable, Variables
from pinnlab.core.parameters import parameter, varies
from pinnlab.equations.base import Equation, equation


@equation
class Burgers(Equation):
    r"""Viscous Burgers equation with a steepening sine wave.

    .. math:: u_t + u\,u_x = \nu\,u_{xx}, \quad u(0,x) = -\sin\pi x, \quad u(t,\pm1) = 0

    ===== ========= ================== ================================
    u     (t, x)    velocity           1
    nu    number    viscosity          1; good values 0.001 to 1
    ===== ========= ================== ================================

    A periodic axis has no walls. At the default nu = 0.01/pi a layer of width about 2 nu forms at
    x = 0 near t = 0.32.
    ``exact`` is the Cole-Hopf integral by Gauss-Hermite quadrature, after Basdevant et al.,
    *Computers & Fluids* 14, 1986, 23-41; with 200 nodes it holds for nu >= 0.002.
    """

    nu: Coefficient = parameter(0.01 / math.pi, "1", bounds=(1e-5, 1.0), long_name="viscosity")
    domain: Domain = Domain(t=Axis(0, 1, long_name="model time"), x=Axis(-1, 1, long_name="x"))
    variables: Variables = Variables(u=Variable("velocity", name="velocity"))

    def rhs(self, f):
        return {"u": -f("u") * f("u", x=1) + f(self.nu) * f("u", x=2)}

    def conditions(self):
        walls = [] if self.domain["x"].periodic else [Dirichlet("x", u=0.0)]
        return [Initial(u=lambda x: -jnp.sin(jnp.pi * x["x"])), *walls]

    def conserved(self):
        return ("u",) if self.domain["x"].periodic and not varies(self.nu) else ()

    def exact(self, x, nodes=200):
        t, here = jnp.broadcast_arrays(x["t"], x["x"])
        shape = (1,) * here.ndim + (nodes,)
        rule = np.polynomial.hermite.hermgauss(nodes)
        node, weight = (jnp.asarray(r.reshape(shape), here.dtype) for r in rule)
        at = here[..., None] - jnp.sqrt(4 * self.nu * t)[..., None] * node
        power = -jnp.cos(jnp.pi * at) / (2 * jnp.pi * self.nu)
        kernel = jnp.exp(power - jnp.max(power, -1, keepdims=True)) * weight
        total = jnp.sum(kernel, -1)
        return {"u": -jnp.sum(jnp.sin(jnp.pi * at) * kernel, -1) / total}
