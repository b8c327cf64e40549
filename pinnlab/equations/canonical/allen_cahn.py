"""Allen-Cahn equation."""

import jax.numpy as jnp

from pinnlab.core import Axis, Coefficient, Domain, Initial, Variable, Variables
from pinnlab.core.parameters import parameter
from pinnlab.equations.base import Equation, equation


@equation
class AllenCahn(Equation):
    r"""Allen-Cahn equation: a bistable reaction against weak diffusion.

    .. math:: u_t = d\,u_{xx} + r\,(u - u^3), \quad u(0,x) = x^2\cos\pi x,
        \quad x \in [-1, 1] \text{ periodic}

    ===== =========== ================== ======================================
    u     (t, x)      order parameter    1
    d     coefficient diffusivity        1; 1e-4, good values 1e-4 to 1e-2
    r     coefficient reaction rate      1; 5
    ===== =========== ================== ======================================

    The periodic extension of the initial state has a kink at x = -1 = 1, where its slope jumps
    from -2 to 2. Fourier coefficients then fall like k^-2 only: a spectral reference on a coarse
    grid is wrong by 1e-5 (512 points) however short its time steps, nearly all of it next to the
    kink. Judge a reference by refining the grid. Reference: Raissi, Perdikaris & Karniadakis,
    *J. Comput. Phys.* 378, 2019, 686-707.
    """

    d: Coefficient = parameter(1e-4, "1", bounds=(1e-7, 1.0), long_name="diffusivity")
    r: Coefficient = parameter(5.0, "1", bounds=(0.0, 1e3), long_name="reaction rate")
    domain: Domain = Domain(
        t=Axis(0, 1, long_name="model time"),
        x=Axis(-1, 1, periodic=True, long_name="x"),
    )
    variables: Variables = Variables(u=Variable("order parameter", name="order_parameter"))

    def rhs(self, f):
        u = f("u")
        return {"u": f(self.d) * f("u", x=2) + f(self.r) * (u - u**3)}

    def conditions(self):
        return [Initial(u=lambda x: x["x"] ** 2 * jnp.cos(jnp.pi * x["x"]))]
