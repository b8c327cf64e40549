"""Heat conduction in soil, to be learned from measured temperatures."""

from pinnlab.core import Axis, Coefficient, Domain, Variable, Variables
from pinnlab.core.parameters import parameter
from pinnlab.equations.base import Equation, equation


@equation
class SoilHeat(Equation):
    r"""Vertical heat conduction in soil between the uppermost and the lowest sensor.

    .. math:: T_t = \partial_z\bigl(\kappa(z)\,\partial_z T\bigr)

    =========== =========== =================== ==========================================
    T           (t, depth)  soil temperature    K
    depth       axis        z, positive down    m; 0.02 to 0.32
    diffusivity coefficient :math:`\kappa`      m2 s-1; 1e-7 (peat) to 1e-6 (wet sand)
    =========== =========== =================== ==========================================

    It has no conditions of its own: observations stand for them. The form with kappa inside the
    divergence holds for a heat capacity that does not vary with depth. Reference: Horton, Wierenga
    & Nielsen, *Soil Sci. Soc. Am. J.* 47, 1983, 25-32.
    """

    diffusivity: Coefficient = parameter(
        5e-7, "m2 s-1", bounds=(5e-8, 5e-6), long_name="thermal diffusivity of soil"
    )
    domain: Domain = Domain(
        t=Axis(0, 14 * 86400.0, "s", scale=86400.0, long_name="time"),
        depth=Axis(
            0.02, 0.32, "m", long_name="depth in soil", standard_name="depth", positive="down"
        ),
    )
    variables: Variables = Variables(
        T=Variable(
            "soil temperature",
            "K",
            scale=5.0,
            offset=293.0,
            standard_name="soil_temperature",
            temperature="on_scale",
            name="soil_temperature",
        )
    )

    def rhs(self, f):
        return {"T": f(lambda f: f(self.diffusivity) * f("T", depth=1), depth=1)}
