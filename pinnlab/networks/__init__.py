"""Coordinate networks: Flax modules from an (d,) input to (outputs,) numbers."""

from pinnlab.networks.fourier import FourierFeatures
from pinnlab.networks.mlp import MLP
from pinnlab.networks.waves import Waves

__all__ = ["MLP", "FourierFeatures", "Waves"]
