"""Poisson equation."""

import jax.numpy as jnp

from pinnlab.core import Axis, Coefficient, Dirichlet, Domain, Variable, Variables
from pinnlab.core.parameters import parameter, varies
from pinnlab.equations.base import Equation, equation


@equation
class Poisson(Equation):
    r"""Poisson equation with fixed sides, on a square or a box; Darcy flow where kappa varies.

    .. math:: \nabla\cdot(\kappa\nabla u) + s = 0, \quad
        s = \Bigl(\sum_i k_i^2\Bigr) \prod_i \sin k_i(x_i - a_i), \quad u = 0 \text{ on every side}

    ============ ============ ===================== ================================
    u            (x, y, ...)  potential             1
    conductivity coefficient  :math:`\kappa`        1; good values 0.1 to 10
    source       coefficient  s, if another one     1; 1 in Darcy flow
    k_i          number       pi / (b_i - a_i)      of axis i, from a_i to b_i
    ============ ============ ===================== ================================

    ``exact`` is the product of sines over kappa, where kappa is a number; there is none for one
    that varies, nor for another source. References: Muller & Zeinhofer, *Achieving high accuracy
    with PINNs via energy natural gradient descent*, ICML 2023; the Darcy flow of operators: Li et
    al., *Fourier neural operator for parametric partial differential equations*, ICLR 2021.
    """

    conductivity: Coefficient = parameter(1.0, "1", bounds=(1e-6, 1e6), long_name="conductivity")
    source: Coefficient = parameter(None, "1", long_name="source")
    domain: Domain = Domain(x=Axis(0, 1, long_name="x"), y=Axis(0, 1, long_name="y"))
    variables: Variables = Variables(
        u=Variable("potential", order=0, residual_scale=20.0, name="potential")
    )

    def rhs(self, f):
        given = self.source is not None
        source = f(self.source) if given else self.stiffness() * self.shape(f.coordinates)
        return {"u": f.laplacian("u", self.conductivity) + source}

    def conditions(self):
        return [Dirichlet(axis, u=0.0) for axis in self.domain.space]

    def stiffness(self):
        """The sum of k_i^2."""
        return sum((jnp.pi / self.domain[a].length) ** 2 for a in self.domain.space)

    def shape(self, x):
        """The product of sines."""
        axes = {a: self.domain[a] for a in self.domain.space}
        terms = [jnp.sin(jnp.pi / s.length * (x[a] - s.lower)) for a, s in axes.items()]
        return jnp.prod(jnp.stack(jnp.broadcast_arrays(*terms)), 0)

    def exact(self, x):
        if varies(self.conductivity) or self.source is not None:
            return None
        return {"u": self.shape(x) / self.conductivity}
