"""The two PyTorch sides of ``speed.py``: a hand-written Fourier neural operator, and that of
neuraloperator. Needs PyTorch and neuraloperator, not pinnlab.

    python torch_sides.py START.npz hand|hand_tanh|neuraloperator

START.npz has the numbers of the case, its inputs, solutions and coordinates, and the parameters
from which the hand-written one starts. A line ``N`` on stdin asks for N more steps; the answer on
stdout is one line: milliseconds a step by the clock and of the processor, and the loss before the
last step.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

LEARNING_RATE, WEIGHT_DECAY = 1e-3, 1e-4


class HandWritten(nn.Module):
    """What pinnlab's ``Fno`` computes, as PyTorch users write it: rfftn, one product for each
    corner of the spectrum that is kept, irfftn, and 1 x 1 convolutions."""

    def __init__(self, start: dict[str, torch.Tensor], modes: int, dims: int, gelu: str):
        super().__init__()
        self.modes, self.dims, self.gelu = modes, dims, gelu
        self.depth = sum(name.startswith("SpectralConvolution") for name in start)
        self.values = nn.ParameterDict({n.replace("/", "_"): p for n, p in start.items()})

    def spectral(self, layer: int, x: Any) -> Any:
        stored = self.values[f"SpectralConvolution_{layer}_weight"]  # (*rows, out, 2, in)
        weight = torch.complex(stored[..., 0, :], stored[..., 1, :])
        m, axes = self.modes, tuple(range(2, 2 + self.dims))
        z = torch.fft.rfftn(x, dim=axes)
        out = torch.zeros(*z.shape, dtype=z.dtype)
        if self.dims == 1:
            out[:, :, :m] = torch.einsum("bck,koc->bok", z[:, :, :m], weight)
        else:
            product = "bckl,kloc->bokl"
            out[:, :, :m, :m] = torch.einsum(product, z[:, :, :m, :m], weight[:m])
            out[:, :, -m:, :m] = torch.einsum(product, z[:, :, -m:, :m], weight[m:])
        return torch.fft.irfftn(out, s=x.shape[2:], dim=axes)

    def pointwise(self, layer: int, x: Any) -> Any:
        kernel = self.values[f"Pointwise_{layer}_kernel"].reshape(-1, x.shape[1], *[1] * self.dims)
        convolution = functional.conv1d if self.dims == 1 else functional.conv2d
        return convolution(x, kernel, self.values[f"Pointwise_{layer}_bias"])

    def act(self, x: Any) -> Any:
        return functional.gelu(x, approximate=self.gelu)

    def forward(self, x: Any) -> Any:
        x = self.pointwise(0, x)
        for layer in range(self.depth):
            x = x + self.act(self.spectral(layer, x) + self.pointwise(layer + 1, x))
        x = self.act(self.pointwise(self.depth + 1, x))
        return self.pointwise(self.depth + 2, x)


def neuraloperator(case: dict[str, Any]) -> nn.Module:
    """As its own example of Darcy flow makes it; it adds the coordinates by itself. ``n_modes``
    counts both signs, and one more wave is kept on the last axis than here."""
    from neuralop.models import FNO

    return FNO(
        n_modes=(2 * int(case["modes"]),) * int(case["dims"]),
        in_channels=1,
        out_channels=1,
        hidden_channels=int(case["width"]),
        n_layers=int(case["depth"]),
        projection_channel_ratio=2,
    )


def built(case: dict[str, Any], side: str) -> tuple[nn.Module, torch.Tensor, torch.Tensor]:
    """The network, its inputs and the solutions."""
    x, y = (torch.from_numpy(np.ascontiguousarray(case[n])) for n in ("inputs", "solutions"))
    if side == "neuraloperator":
        return neuraloperator(case), x[:, None], y[:, None]
    shape = x.shape[1:]
    places = torch.meshgrid(*[torch.linspace(-1, 1, n) for n in shape], indexing="ij")
    x = torch.stack([x, *[p.expand_as(x) for p in places]], dim=1)
    start = {
        n.removeprefix("params/"): torch.from_numpy(p)
        for n, p in case.items()
        if n.startswith("params/")
    }
    gelu = "tanh" if side == "hand_tanh" else "none"
    return HandWritten(start, int(case["modes"]), len(shape), gelu), x.contiguous(), y[:, None]


def stepper(network: nn.Module, x: Any, y: Any) -> Any:
    """A function that makes one full training step and returns its loss."""
    optimizer = torch.optim.AdamW(network.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    dims = tuple(range(1, y.ndim))
    size = torch.sum(y**2, dim=dims)

    def step() -> Any:
        optimizer.zero_grad(set_to_none=True)
        loss = torch.mean(torch.sum((network(x) - y) ** 2, dim=dims) / size)
        loss.backward()
        optimizer.step()
        return loss.detach()

    return step


def main() -> None:
    path, side = sys.argv[1:]
    torch.manual_seed(0)
    with np.load(path) as file:
        case = dict(file)
    network, x, y = built(case, side)
    step = stepper(network, x, y)
    print(sum(p.numel() * (2 if p.is_complex() else 1) for p in network.parameters()), flush=True)
    for line in sys.stdin:
        steps, loss = int(line), torch.zeros(())
        clock, processor = time.perf_counter(), time.process_time()
        for _ in range(steps):
            loss = step()
        spent = time.perf_counter() - clock, time.process_time() - processor
        print(*(1e3 * s / steps for s in spent), float(loss), flush=True)


if __name__ == "__main__":
    main()
