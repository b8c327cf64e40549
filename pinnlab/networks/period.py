"""A trained period along some inputs, in front of a network."""

from __future__ import annotations

import math
from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from pinnlab.core.errors import PinnlabError
from pinnlab.networks.mlp import MLP


class LearnedPeriod(nn.Module):
    r"""A network on :math:`\cos(2\pi x_i/p_i), \sin(2\pi x_i/p_i)` with trained periods *p*.

    For solutions that repeat after an unknown time, such as a wave that travels around a circle:
    whatever the network behind is, the output has the periods. A period well above 2, the length
    of the axis, leaves a solution that does not repeat free. After Wang, Sankaran, Wang &
    Perdikaris, *An expert's guide to training physics-informed neural networks*,
    arXiv:2308.08468, 2023. Periods that are known are the model's business (``model.periods``).
    In yaml the settings of the network behind (``network.width``) stand beside its own.

    Attributes:
        network: the network behind.
        periods: first values of the periods by input, in half axes; ``None`` (``null``) for an
            input that is passed on as it is, and so are all after the last. 2 to 4.
        outputs: number of outputs; the model sets it.

    Raises:
        PinnlabError: a period that is not positive, or more periods than inputs.
    """

    network: nn.Module = MLP()
    periods: tuple[float | None, ...] = (4.0,)
    outputs: int = 1

    @nn.compact
    def __call__(self, x: Any) -> Any:
        if len(self.periods) > x.shape[-1]:
            raise PinnlabError(
                f"network.periods: {len(self.periods)} periods for {x.shape[-1]} inputs"
            )
        columns = []
        for i, start in enumerate(self.periods):
            if start is None:
                columns.append(x[i])
                continue
            if start <= 0.0:
                raise PinnlabError(f"network.periods[{i}] must be positive, got {start}")
            period = self.param(f"period_{i}", nn.initializers.constant(start), (), x.dtype)
            angle = 2.0 * math.pi * x[i] / period
            columns += [jnp.cos(angle), jnp.sin(angle)]
        inputs = jnp.concatenate([jnp.stack(columns), x[len(self.periods) :]])
        return self.network.clone(outputs=self.outputs, parent=self, name="behind")(inputs)
