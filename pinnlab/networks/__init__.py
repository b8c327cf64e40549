"""Coordinate networks: Flax modules from an (d,) input to (outputs,) numbers."""

from pinnlab.networks.fourier import FourierFeatures
from pinnlab.networks.mlp import MLP

__all__ = ["MLP", "FourierFeatures"]
