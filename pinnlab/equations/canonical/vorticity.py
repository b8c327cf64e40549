"""Navier-Stokes equations in vorticity form."""

import math
from dataclasses import dataclass

import jax
import jax.numpy as jnp

from pinnlab.core import Axis, Coefficient, Domain, Initial, Variable, Variables
from pinnlab.core.parameters import parameter, varies
from pinnlab.equations.base import Equation, equation


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Stirring:
    r"""A forcing along the diagonal, :math:`a\,(\sin k(x + y) + \cos k(x + y))`.

    That of Li et al., *Fourier neural operator for parametric partial differential equations*, ICLR
    2021, with a = 0.1 and k = 2 pi on the unit square.
    """

    amplitude: float = 0.1
    k: float = 2 * math.pi

    def at(self, x):
        """The forcing at coordinates *x*."""
        phase = self.k * (x["x"] + x["y"])
        return self.amplitude * (jnp.sin(phase) + jnp.cos(phase))


@equation
class Vorticity(Equation):
    r"""Two-dimensional incompressible Navier-Stokes flow in a periodic box, by its vorticity.

    .. math:: w_t + \psi_y w_x - \psi_x w_y = \nu\nabla^2 w + f, \quad \nabla^2\psi + w = 0, \quad
        w(0,x,y) = 2\cos x\cos y

    ===== =========== ====================== =====================================
    w     (t, x, y)   vorticity v_x - u_y    1
    psi   (t, x, y)   stream function        1; (u, v) = (psi_y, -psi_x)
    nu    number      viscosity              1; good values 1e-4 to 0.1
    f     coefficient forcing                1; 0, or :class:`Stirring`
    ===== =========== ====================== =====================================

    psi is a constraint (order 0) and free up to a constant: its mean is taken as zero. ``exact``
    is the Taylor-Green flow: all vortices decay as exp(-2 nu t), where nu is a number and nothing
    forces them. Reference:
    Taylor & Green, *Proc. R. Soc. A* 158, 1937, 499-521.
    """

    nu: Coefficient = parameter(0.01, "1", bounds=(1e-6, 10.0), long_name="viscosity")
    forcing: Coefficient = parameter(0.0, "1", long_name="forcing")
    domain: Domain = Domain(
        t=Axis(0, 1, long_name="model time"),
        x=Axis(0, 2 * jnp.pi, periodic=True, long_name="x"),
        y=Axis(0, 2 * jnp.pi, periodic=True, long_name="y"),
    )
    variables: Variables = Variables(
        w=Variable("vorticity", scale=2.0, name="vorticity"),
        psi=Variable("stream function", order=0, residual_scale=2.0, name="stream_function"),
    )

    def rhs(self, f):
        transport = f("psi", y=1) * f("w", x=1) - f("psi", x=1) * f("w", y=1)
        return {
            "w": f.laplacian("w", self.nu) - transport + f(self.forcing),
            "psi": f.laplacian("psi") + f("w"),
        }

    def conditions(self):
        return [Initial(w=lambda x: 2 * jnp.cos(x["x"]) * jnp.cos(x["y"]))]

    def conserved(self):
        return () if varies(self.nu) or varies(self.forcing) else ("w",)

    def exact(self, x):
        if varies(self.nu) or not (isinstance(self.forcing, float) and self.forcing == 0.0):
            return None
        decay = jnp.exp(-2 * self.nu * (x["t"] - self.domain["t"].lower))
        psi = jnp.cos(x["x"]) * jnp.cos(x["y"]) * decay
        return {"w": 2 * psi, "psi": psi}
