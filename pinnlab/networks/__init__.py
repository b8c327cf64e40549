"""Coordinate networks: Flax modules from an (d,) input to (outputs,) numbers."""

from pinnlab.networks.fourier import FourierFeatures
from pinnlab.networks.kan import Kan
from pinnlab.networks.mlp import MLP
from pinnlab.networks.modified_mlp import ModifiedMLP
from pinnlab.networks.period import LearnedPeriod
from pinnlab.networks.piratenet import PirateNet
from pinnlab.networks.separable import Separable
from pinnlab.networks.siren import Siren
from pinnlab.networks.waves import Waves

__all__ = [
    "MLP",
    "FourierFeatures",
    "Kan",
    "LearnedPeriod",
    "ModifiedMLP",
    "PirateNet",
    "Separable",
    "Siren",
    "Waves",
]
