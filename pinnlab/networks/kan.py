"""Kolmogorov-Arnold network with Chebyshev polynomials on its edges."""

from __future__ import annotations

import math
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from pinnlab.core.errors import PinnlabError


class Kan(nn.Module):
    r"""Sums of trained functions of one variable, layer upon layer:

    .. math:: z_j^{(l+1)} = b_j + \sum_i \varphi_{ji}\bigl(z_i^{(l)}\bigr),\quad
        \varphi_{ji}(z) = \sum_{k=1}^{K} c_{jik}\,T_k(\tanh z)

    :math:`T_k` are Chebyshev polynomials; the hyperbolic tangent keeps their arguments inside
    [-1, 1]. All is smooth, unlike splines, so that every derivative exists. The networks are those
    of Liu et al., *KAN: Kolmogorov-Arnold networks*, arXiv:2404.19756, 2024; the polynomials after
    Sidharth, Keerthana, Gokul & Anas, *Chebyshev polynomial-based Kolmogorov-Arnold networks*,
    arXiv:2405.07200, 2024. The constants :math:`T_0` of all edges are one bias here.

    Attributes:
        width: sums in each hidden layer; 8 to 16.
        depth: layers of edges, so that 1 has no hidden sums and is additive in the inputs; 2 or 3.
        degree: highest polynomial K; 3 to 6. An edge has as many coefficients.
        outputs: number of outputs; the model sets it to the number of variables.

    Raises:
        PinnlabError: a depth or degree below 1.
    """

    width: int = 8
    depth: int = 2
    degree: int = 4
    outputs: int = 1

    @nn.compact
    def __call__(self, x: Any) -> Any:
        for name in ("depth", "degree"):
            if getattr(self, name) < 1:
                raise PinnlabError(f"network.{name} must be at least 1, got {getattr(self, name)}")
        for layer in range(self.depth):
            size = self.width if layer < self.depth - 1 else self.outputs
            basis = _chebyshev(jnp.tanh(x), self.degree)
            x = nn.Dense(size, kernel_init=_start, param_dtype=x.dtype)(basis)
        return x


def _chebyshev(x: Any, degree: int) -> Any:
    """The (degree * n,) values of T_1 to T_degree at (n,) numbers, degree by degree."""
    below, values = jnp.ones_like(x), [x]
    for _ in range(degree - 1):
        # the recurrence, since arccos has no derivatives at the ends
        values.append(2.0 * x * values[-1] - below)
        below = values[-2]
    return jnp.concatenate(values)


def _start(key: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    """Sums of variance about one half, where the squares of the polynomials have mean 1/2."""
    return jax.random.normal(key, shape, dtype) / math.sqrt(shape[0])
