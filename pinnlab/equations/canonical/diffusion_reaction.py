"""Diffusion and reaction under a source."""

from pinnlab.core import Axis, Coefficient, Dirichlet, Domain, Initial, Variable, Variables
from pinnlab.core.parameters import parameter
from pinnlab.equations.base import Equation, equation


@equation
class DiffusionReaction(Equation):
    r"""Diffusion with a reaction of second order, from rest, under a source.

    .. math:: s_t = D\,s_{xx} + k\,s^2 + v(x), \quad s(0,x) = 0, \quad s(t,0) = s(t,1) = 0

    ========= =========== ============= =================================================
    s         (t, x)      concentration 1
    diffusion coefficient D             1; good values 0.001 to 1
    reaction  coefficient k             1; 0 to 1, above which s may blow up
    v         coefficient source        1; a number, or a function of x of order one
    ========= =========== ============= =================================================

    Where v does not vanish at a side, a layer of the width sqrt(D t) starts there. As an operator
    from v to s it is an example of Lu, Jin, Pang, Zhang & Karniadakis, *Nature Machine
    Intelligence* 3, 2021, 218-229, and without data of Wang, Wang & Perdikaris, *Science Advances*
    7, 2021, eabi8605.
    """

    diffusion: Coefficient = parameter(0.01, "1", bounds=(1e-6, 1e3), long_name="diffusivity")
    reaction: Coefficient = parameter(0.01, "1", bounds=(-1e3, 1e3), long_name="reaction rate")
    v: Coefficient = parameter(1.0, "1", long_name="source")
    domain: Domain = Domain(t=Axis(0, 1, long_name="model time"), x=Axis(0, 1, long_name="x"))
    variables: Variables = Variables(s=Variable("concentration", name="concentration"))

    def rhs(self, f):
        spread = f.laplacian("s", self.diffusion)
        return {"s": spread + f(self.reaction) * f("s") ** 2 + f(self.v)}

    def conditions(self):
        return [Initial(s=0.0), Dirichlet("x", s=0.0)]
