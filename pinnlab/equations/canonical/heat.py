"""Heat equation."""

import jax.numpy as jnp

from pinnlab.core import Axis, Coefficient, Dirichlet, Domain, Initial, Variable, Variables
from pinnlab.core.parameters import parameter, varies
from pinnlab.equations.base import Equation, equation


@equation
class Heat(Equation):
    r"""Heat equation with fixed sides, in one, two or three space axes.

    .. math:: u_t = \nabla\cdot(\kappa\nabla u), \quad
        u(0,x) = \prod_i \sin k_i(x_i - a_i), \quad u = 0 \text{ on every side}

    =========== ============ ===================== ===================================
    u           (t, x, ...)  temperature           1
    diffusivity coefficient  :math:`\kappa`        1; good values 0.01 to 1
    k_i         number       pi / (b_i - a_i)      twice that on a periodic axis
    =========== ============ ===================== ===================================

    ``exact`` is :math:`u(0,x)\,e^{-\kappa t\sum k_i^2}` where kappa is a number; there is none for
    a profile. More axes are a matter of the domain: ``Heat(domain=Domain(t=..., x=..., y=...))``.
    Reference: Carslaw & Jaeger, *Conduction of Heat in Solids*, 2nd ed., 1959, section 3.3.
    """

    diffusivity: Coefficient = parameter(0.1, "1", bounds=(1e-6, 1e3), long_name="diffusivity")
    domain: Domain = Domain(t=Axis(0, 1, long_name="model time"), x=Axis(0, 1, long_name="x"))
    variables: Variables = Variables(u=Variable("temperature", name="temperature"))

    def rhs(self, f):
        return {"u": f.laplacian("u", self.diffusivity)}

    def conditions(self):
        walls = [Dirichlet(a, u=0.0) for a in self.domain.space if not self.domain[a].periodic]
        return [Initial(u=self.start), *walls]

    def wavenumbers(self):
        """k_i of each space axis."""
        axes = {a: self.domain[a] for a in self.domain.space}
        return {a: (2 if axis.periodic else 1) * jnp.pi / axis.length for a, axis in axes.items()}

    def start(self, x):
        """The initial temperature."""
        terms = [jnp.sin(k * (x[a] - self.domain[a].lower)) for a, k in self.wavenumbers().items()]
        return jnp.prod(jnp.stack(jnp.broadcast_arrays(*terms)), 0)

    def exact(self, x):
        if varies(self.diffusivity):
            return None
        rate = self.diffusivity * sum(k**2 for k in self.wavenumbers().values())
        return {"u": self.start(x) * jnp.exp(-rate * (x["t"] - self.domain["t"].lower))}
