"""Kuramoto-Sivashinsky equation."""

import jax.numpy as jnp

from pinnlab.core import Axis, Coefficient, Domain, Initial, Variable, Variables
from pinnlab.core.parameters import parameter, varies
from pinnlab.equations.base import Equation, equation


@equation
class KuramotoSivashinsky(Equation):
    r"""Kuramoto-Sivashinsky equation, chaotic set-up.

    .. math:: u_t + \alpha u u_x + \beta u_{xx} + \gamma u_{xxxx} = 0, \quad
        u(0,x) = \cos x\,(1 + \sin x), \quad x \in [0, 2\pi] \text{ periodic}

    ===== =========== ================== ==========================================
    u     (t, x)      velocity           1
    alpha coefficient advection          1; 100/16
    beta  coefficient anti-diffusion     1; 100/16^2
    gamma coefficient hyperdiffusion     1; 100/16^4
    ===== =========== ================== ==========================================

    Wave k grows at the rate beta k^2 - gamma k^4: those below sqrt(beta/gamma) = 16 are unstable,
    and nearby states part, so that errors at t = 1 are far above those at t = 0.2. Reference:
    Wang, Sankaran & Perdikaris, *Respecting causality for training physics-informed neural
    networks*, CMAME 421, 2024, 116813.
    """

    alpha: Coefficient = parameter(100 / 16, "1", bounds=(0.0, 1e3), long_name="advection")
    beta: Coefficient = parameter(100 / 16**2, "1", bounds=(0.0, 1e3), long_name="anti-diffusion")
    gamma: Coefficient = parameter(100 / 16**4, "1", bounds=(0.0, 1e3), long_name="hyperdiffusion")
    domain: Domain = Domain(
        t=Axis(0, 1, scale=0.1, long_name="model time"),
        x=Axis(0, 2 * jnp.pi, periodic=True, long_name="x"),
    )
    variables: Variables = Variables(u=Variable("velocity", scale=2.0, name="velocity"))

    def rhs(self, f):
        transport = f(self.alpha) * f("u") * f("u", x=1)
        return {"u": -transport - f(self.beta) * f("u", x=2) - f(self.gamma) * f("u", x=4)}

    def conditions(self):
        return [Initial(u=lambda x: jnp.cos(x["x"]) * (1 + jnp.sin(x["x"])))]

    def conserved(self):
        return () if any(varies(getattr(self, name)) for name in self.parameters()) else ("u",)
