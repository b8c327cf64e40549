"""Models: a network, its scaling and its exact conditions as one pure function."""

from pinnlab.models.model import Model
from pinnlab.models.reading import NetworkReading

__all__ = ["Model", "NetworkReading"]
