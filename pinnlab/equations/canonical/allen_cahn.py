"""Allen-Cahn equation."""

import jax
import jax.numpy as jnp
from jax.scipy.special import erf

from pinnlab.core import Axis, Coefficient, Domain, Variable, Variables
from pinnlab.core.conditions import Evolving, Initial
from pinnlab.core.parameters import evaluate, parameter
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
        return [Initial(u=Evolving(self.start, self.later))]

    def start(self, x):
        """The initial order parameter."""
        return x["x"] ** 2 * jnp.cos(jnp.pi * x["x"])

    def later(self, x):
        r"""The initial values, with the kink where the axis closes as diffusion rounds it.

        At a distance s from there they are :math:`u_s + c\,s`, and :math:`c\,s` becomes
        :math:`c\,e^{r(1 - 3u_s^2)t}\,(s\,\mathrm{erf}(s/w) + w e^{-s^2/w^2}/\sqrt\pi)` with
        :math:`w = 2\sqrt{dt}`: the heat equation's answer, and the linearised reaction's.
        """
        axis, time = self.domain["x"], x["t"] - self.domain["t"].lower
        end = jnp.full_like(x["x"], axis.upper)
        value, slope = jax.jvp(lambda s: self.start({"x": s}), (end,), (jnp.ones_like(end),))
        s = jnp.minimum(x["x"] - axis.lower, axis.upper - x["x"])
        w = 2.0 * jnp.sqrt(evaluate(self.d, x) * time + 1e-20)
        rounded = s * erf(s / w) + w * jnp.exp(-((s / w) ** 2)) / jnp.sqrt(jnp.pi)
        growth = jnp.exp(evaluate(self.r, x) * (1.0 - 3.0 * value**2) * time)
        near = jnp.exp(-((20.0 * s / axis.length) ** 4))
        return self.start(x) - slope * near * (growth * rounded - s)
