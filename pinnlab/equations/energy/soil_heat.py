"""Heat conduction in soil, to be learned from measured temperatures."""

from pinnlab.core import Axis, Coefficient, Domain, Variable, Variables
from pinnlab.core.parameters import parameter
from pinnlab.equations.base import Equation, equation


@equation
class SoilHeat(Equation):
    r"""Vertical heat conduction in soil between the uppermost and the lowest sensor.

    .. math:: c(z)\,T_t = \partial_z\bigl(c(z)\,\kappa(z)\,\partial_z T\bigr)

    =========== =========== =================== ==========================================
    T           (t, depth)  soil temperature    K
    depth       axis        z, positive down    m; 0.02 to 0.32
    diffusivity coefficient :math:`\kappa`      m2 s-1; 1e-7 (peat) to 1e-6 (wet sand)
    capacity    coefficient c, heat capacity    1; relative, since only its ratios over depth
                                                enter; 1 is a soil alike at all depths
    =========== =========== =================== ==========================================

    It has no conditions of its own: observations stand for them. Reference: Horton, Wierenga
    & Nielsen, *Soil Sci. Soc. Am. J.* 47, 1983, 25-32.
    """

    diffusivity: Coefficient = parameter(
        5e-7, "m2 s-1", bounds=(2e-8, 2e-5), long_name="thermal diffusivity of soil"
    )
    capacity: Coefficient = parameter(
        1.0, "1", bounds=(0.01, 100.0), long_name="relative heat capacity of soil"
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
        def flux(f):
            return f(self.capacity) * f(self.diffusivity) * f("T", depth=1)

        return {"T": f(flux, depth=1) / f(self.capacity)}
