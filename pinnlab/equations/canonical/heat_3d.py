"""Heat equation in a box."""

from pinnlab.core import Axis, Domain
from pinnlab.equations.base import equation
from pinnlab.equations.canonical.heat import Heat


@equation
class Heat3D(Heat):
    r"""Heat equation in a box with cold walls: :class:`Heat` with three space axes.

    .. math:: u_t = \nabla\cdot(\kappa\nabla u), \quad
        u(0,x,y,z) = \sin k_x x\,\sin k_y y\,\sin k_z z, \quad u = 0 \text{ on every wall}

    =========== ============ ==================== ==========================
    u           (t, x, y, z) temperature          1
    diffusivity coefficient  :math:`\kappa`       1; good values 0.01 to 0.2
    k_i         number       pi / (b_i - a_i)     of axis i, from a_i to b_i
    =========== ============ ==================== ==========================

    ``exact`` is :math:`u(0,x,y,z)\,e^{-\kappa t(k_x^2+k_y^2+k_z^2)}`. Reference: Carslaw & Jaeger,
    *Conduction of Heat in Solids*, 2nd ed., 1959, section 6.2.
    """

    domain: Domain = Domain(
        t=Axis(0, 1, long_name="model time"),
        x=Axis(0, 1, long_name="x"),
        y=Axis(0, 1, long_name="y"),
        z=Axis(0, 1, long_name="z"),
    )
