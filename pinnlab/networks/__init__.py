"""Networks: Flax modules from a (d,) point to (outputs,) numbers, and for operators from the
(*n, channels) functions on a grid to (*n, outputs)."""

from pinnlab.networks.deeponet import DeepOnet
from pinnlab.networks.factorized import FactorizedFno
from pinnlab.networks.fno import Fno
from pinnlab.networks.fourier import FourierFeatures
from pinnlab.networks.graph import GraphOperator
from pinnlab.networks.kan import Kan
from pinnlab.networks.mlp import MLP
from pinnlab.networks.modified_mlp import ModifiedMLP
from pinnlab.networks.period import LearnedPeriod
from pinnlab.networks.piratenet import PirateNet
from pinnlab.networks.separable import Separable
from pinnlab.networks.sfno import Sfno
from pinnlab.networks.siren import Siren
from pinnlab.networks.transolver import Transolver
from pinnlab.networks.ufno import Ufno
from pinnlab.networks.unet import UNet
from pinnlab.networks.uno import Uno
from pinnlab.networks.waves import Waves

__all__ = [
    "MLP",
    "DeepOnet",
    "FactorizedFno",
    "Fno",
    "FourierFeatures",
    "GraphOperator",
    "Kan",
    "LearnedPeriod",
    "ModifiedMLP",
    "PirateNet",
    "Separable",
    "Sfno",
    "Siren",
    "Transolver",
    "UNet",
    "Ufno",
    "Uno",
    "Waves",
]
