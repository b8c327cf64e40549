"""Learning rates that change over a training."""

from __future__ import annotations

import optax


def cosine(peak: float, steps: int, warmup: float = 0.03) -> optax.Schedule:
    r"""A learning rate that rises to *peak* over the share *warmup* of the *steps* and falls to
    zero as a cosine over the rest:

    .. math:: \eta(n) = \frac{\eta_0}2\Bigl(1 + \cos\pi\frac{n - n_0}{N - n_0}\Bigr)

    Reference: Loshchilov & Hutter, *SGDR: stochastic gradient descent with warm restarts*, ICLR
    2017.
    """
    rising = max(1, round(warmup * steps))
    return optax.warmup_cosine_decay_schedule(0.0, peak, rising, max(steps, rising + 1))
