"""Antiderivative of a function of time."""

from pinnlab.core import Axis, Coefficient, Domain, Initial, Variable, Variables
from pinnlab.core.parameters import parameter, varies
from pinnlab.equations.base import Equation, equation


@equation
class Antiderivative(Equation):
    r"""The integral of a function of time: the first operator that any method must learn.

    .. math:: s_t = v(t), \quad s(0) = 0

    === =========== ============== ==================================================
    s   (t,)        antiderivative 1
    v   coefficient rate           1; a number, or a function of t of order one
    === =========== ============== ==================================================

    ``exact`` is v t where v is a number; there is none for a function. As an operator from v to s
    it is the first example of Lu, Jin, Pang, Zhang & Karniadakis, *Learning nonlinear operators
    via DeepONet based on the universal approximation theorem of operators*, Nature Machine
    Intelligence 3, 2021, 218-229.
    """

    v: Coefficient = parameter(1.0, "1", long_name="rate")
    domain: Domain = Domain(t=Axis(0, 1, long_name="model time"))
    variables: Variables = Variables(s=Variable("antiderivative", name="antiderivative"))

    def rhs(self, f):
        return {"s": f(self.v)}

    def conditions(self):
        return [Initial(s=0.0)]

    def exact(self, x):
        return None if varies(self.v) else {"s": self.v * (x["t"] - self.domain["t"].lower)}
