"""Deep operator network: products of a network of the functions and a network of the place."""

from __future__ import annotations

from typing import Any, ClassVar

import flax.linen as nn
import jax.numpy as jnp

from pinnlab.networks.mlp import MLP


class DeepOnet(nn.Module):
    r"""A sum of functions of the place, whose coefficients depend on the input functions:

    .. math:: u_v(x) = b_0 + \sum_{k=1}^p b_k(v(x_1), \dots, v(x_m))\,t_k(x)

    The branch b reads the functions at the sensors :math:`x_i`, the trunk t the coordinates; each
    output has its own p functions of both. The trunk does not depend on the member, so that under
    ``jax.vmap`` over members it is evaluated once for all of them. Differences on a grid then cost
    what the sum costs, whereas derivatives by automatic differentiation at N points of M members
    cost M N passes, or N by a shift that all points share: Leng, Shankar & Thiyagalingam, *Zero
    coordinate shift: whetted automatic differentiation for physics-informed operator learning*,
    J. Comput. Phys. 505, 2024. After Lu, Jin, Pang, Zhang & Karniadakis, *Learning nonlinear
    operators via DeepONet based on the universal approximation theorem of operators*, Nature
    Machine Intelligence 3, 2021, 218-229.

    With *pod* the trunk is replaced by the mean and the first p principal modes of solutions
    that the model was shown, after Lu et al., *A comprehensive and fair comparison of two neural
    operators*, Comput. Methods Appl. Mech. Eng. 393, 2022, 114778. They satisfy whatever linear
    conditions all members share, so that the model is not ``exact`` once more.

    Attributes:
        width: of branch and trunk, and their products p; 64 to 128.
        depth: hidden layers of branch and trunk; 2 to 5.
        products: p, where it is not the width.
        activation: as for :class:`~pinnlab.networks.MLP`.
        branch: another network of the flattened readings of the sensors. ``MLP(depth=0)`` is
            linear in the functions, as solutions of linear equations are.
        trunk: another network of points.
        pod: principal modes of solutions (proper orthogonal decomposition) in place of the trunk;
            16 to 64, 0 for the trunk.
        outputs: set by the model.
    """

    width: int = 64
    depth: int = 3
    products: int = 0
    activation: str = "tanh"
    branch: nn.Module | None = None
    trunk: nn.Module | None = None
    pod: int = 0
    outputs: int = 1
    reads_sensors: ClassVar[bool] = True

    @nn.compact
    def __call__(self, functions: Any, basis: Any) -> Any:
        """(*n, outputs).

        Arguments:
            functions: (*m, channels), the readings of the sensors.
            basis: (*n, d) coordinates, or with *pod* (outputs, 1 + pod, *n): the mean of the
                solutions and behind it their modes.
        """
        count = self.pod or self.products or self.width
        plain = MLP(self.width, self.depth, self.activation)

        def behind(network: nn.Module | None, name: str) -> Any:
            made = plain if network is None else network
            return made.clone(outputs=count * self.outputs, parent=self, name=name)

        coefficients = behind(self.branch, "branch_network")(functions.reshape(-1))
        coefficients = coefficients.reshape(self.outputs, count)
        if self.pod:
            mean, modes = basis[:, 0], basis[:, 1:]
            found = [jnp.tensordot(b, m, axes=1) for b, m in zip(coefficients, modes, strict=True)]
            return jnp.moveaxis(mean + jnp.stack(found), 0, -1)
        bias = self.param("bias", nn.initializers.zeros, (self.outputs,), basis.dtype)
        points = basis.reshape(-1, basis.shape[-1])
        places = _at_each(behind(self.trunk, "trunk_network"), points)
        places = places.reshape(len(points), self.outputs, count)
        made = jnp.einsum("ok,nok->no", coefficients, places) / count**0.5
        return made.reshape(*basis.shape[:-1], self.outputs) + bias.reshape(
            [1] * (basis.ndim - 1) + [-1]
        )


_at_each = nn.vmap(
    lambda network, point: network(point),
    variable_axes={"params": None},
    split_rngs={"params": False},
)
