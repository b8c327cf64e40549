"""Rotating shallow water on the sphere, by vorticity and divergence."""

import math

import jax.numpy as jnp

from pinnlab.core import Axis, Coefficient, Domain, Initial, Sphere, Variable, Variables
from pinnlab.core.parameters import parameter, varies
from pinnlab.equations.base import Equation, equation

DAY, RADIUS = 86400.0, 6.37122e6  # s, m
WIND = 2 * math.pi * RADIUS / (12 * DAY)  # m s-1: once around in twelve days


def _wind(long_name, units, order, scale, standard_name):
    """One of the variables that tell the wind. The residuals of those of order 0 are of the size
    of a vorticity or divergence, their Laplacian."""
    return Variable(
        long_name,
        units,
        order,
        scale,
        residual_scale=scale * 2e-13,
        standard_name=standard_name,
        name=long_name.replace(" ", "_"),
    )


@equation
class ShallowWater(Equation):
    r"""A layer of water (or of air of one density) on a rotating sphere.

    .. math:: \zeta_t = -\nabla\cdot(\eta v), \quad
        \delta_t = k\cdot\nabla\times(\eta v) - \nabla^2\bigl(g(h + b) + \tfrac12|v|^2\bigr), \quad
        h_t = -\nabla\cdot(h v)

    with the wind :math:`v = k\times\nabla\psi + \nabla\chi`, :math:`\nabla^2\psi = \zeta`,
    :math:`\nabla^2\chi = \delta` and the absolute vorticity
    :math:`\eta = \zeta + 2\Omega\sin\varphi`.

    ======== ============= ======================== =============================
    zeta     (t, lat, lon) relative vorticity       s-1
    delta    (t, lat, lon) divergence               s-1
    h        (t, lat, lon) depth of the layer       m
    psi, chi (t, lat, lon) stream function,
                           velocity potential       m2 s-1
    rotation number        :math:`\Omega`           s-1; 7.292e-5
    gravity  number        g                        m s-2; 9.80616
    bottom   coefficient   b, height of the ground  m; 0, or a mountain of 2000
    depth    number        h on the equator at t=0  m; 2.94e4/g, or up to 1e4
    speed    number        u_0, of the first wind   m s-1; 2 pi a / 12 d, or 0
    ======== ============= ======================== =============================

    psi and chi are constraints (order 0) of mean zero. The radius a is that of the domain's metric.
    The start is a zonal wind u_0 cos(lat) in geostrophic balance, which stays as it is: ``exact``,
    where the ground is flat and all parameters are numbers. Reference: Williamson, Drake, Hack,
    Jakob & Swarztrauber, *J. Comput. Phys.* 102, 1992, 211-224, case 2.
    """

    rotation: Coefficient = parameter(7.292e-5, "s-1", long_name="rotation rate of the sphere")
    gravity: Coefficient = parameter(9.80616, "m s-2", bounds=(0.01, 100.0), long_name="gravity")
    bottom: Coefficient = parameter(0.0, "m", long_name="height of the ground")
    depth: Coefficient = parameter(2.94e4 / 9.80616, "m", bounds=(1.0, 1e5), long_name="depth")
    speed: Coefficient = parameter(WIND, "m s-1", bounds=(0.0, 300.0), long_name="first wind")
    domain: Domain = Domain(
        metric=Sphere(RADIUS),
        t=Axis(0, 5 * DAY, "s", scale=DAY, long_name="model time"),
        lat=Axis(-90, 90, "degrees_north", long_name="latitude", standard_name="latitude"),
        lon=Axis(0, 360, "degrees_east", True, long_name="longitude", standard_name="longitude"),
    )
    variables: Variables = Variables(
        zeta=_wind("relative vorticity", "s-1", 1, 2e-5, "atmosphere_relative_vorticity"),
        delta=_wind("divergence", "s-1", 1, 2e-6, "divergence_of_wind"),
        h=Variable("depth of the layer", "m", scale=500.0, offset=2400.0, name="depth"),
        psi=_wind("stream function", "m2 s-1", 0, 1e8, "atmosphere_horizontal_streamfunction"),
        chi=_wind(
            "velocity potential", "m2 s-1", 0, 1e7, "atmosphere_horizontal_velocity_potential"
        ),
    )

    def rhs(self, f):
        def wind(f):
            turning, straight = f.grad("psi"), f.grad("chi")
            return straight["lon"] - turning["lat"], straight["lat"] + turning["lon"]

        def transport(f):
            (east, north), eta = wind(f), f("zeta") + 2 * f(self.rotation) * _sine(f.coordinates)
            return {"lon": eta * east, "lat": eta * north}

        def turned(f):
            flux = transport(f)
            return {"lon": flux["lat"], "lat": -flux["lon"]}

        def energy(f):
            east, north = wind(f)
            return f(self.gravity) * (f("h") + f(self.bottom)) + 0.5 * (east**2 + north**2)

        def mass(f):
            east, north = wind(f)
            return {"lon": f("h") * east, "lat": f("h") * north}

        return {
            "zeta": -f.div(transport),
            "delta": f.div(turned) - f.laplacian(energy),
            "h": -f.div(mass),
            "psi": f.laplacian("psi") - f("zeta"),
            "chi": f.laplacian("chi") - f("delta"),
        }

    def conditions(self):
        start = {name: lambda x, n=name: self._zonal(x)[n] for name in ("zeta", "delta", "h")}
        return [Initial(**start)]

    def conserved(self):
        return ("zeta", "delta", "h")

    def exact(self, x):
        return None if any(varies(getattr(self, p)) for p in self.parameters()) else self._zonal(x)

    def _zonal(self, x):
        """Williamson's case 2, along the equator."""
        a, sine = self.domain.metric.radius, _sine(x) + 0.0 * (x["lon"] + x["t"])
        bulge = (a * self.rotation + 0.5 * self.speed) * self.speed / self.gravity
        return {
            "zeta": 2 * self.speed / a * sine,
            "delta": 0.0 * sine,
            "h": self.depth - bulge * sine**2,
            "psi": -a * self.speed * sine,
            "chi": 0.0 * sine,
        }


def _sine(x):
    return jnp.sin(jnp.deg2rad(x["lat"]))
