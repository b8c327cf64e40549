"""A dry run of an equation that tells what it asks of a field."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from pinnlab.core.domain import Domain
from pinnlab.core.field import Field, Orders

Slot = tuple[str, Orders]


class Recorder(Field):
    """A field that answers with zeros and writes down each variable and derivative asked for.

    ``slots`` holds what is asked of the field itself, ``nested`` whether the derivative of a
    function of the field was asked for.
    """

    def __init__(self, domain: Domain, names: tuple[str, ...]):
        self.domain, self.names = domain, names
        self.slots: dict[Slot, None] = {}
        self.nested = False

    @property
    def coordinates(self) -> Mapping[str, Any]:
        return {axis: jnp.zeros(()) for axis in self.domain.axes}

    def derivative(self, name: str, orders: Orders) -> Any:
        self.slots[(name, orders)] = None
        return jnp.zeros(())

    def differentiate(self, what: Callable[[Field], Any], orders: Orders) -> Any:
        self.nested = True
        return what(Recorder(self.domain, self.names))


def record(function: Callable[[Field], Any], domain: Domain, names: tuple[str, ...]) -> Recorder:
    """Run *function* once, abstractly, and return the recorder that it was given."""
    recorder = Recorder(domain, names)
    jax.eval_shape(lambda: jax.tree.map(jnp.asarray, function(recorder)))
    return recorder
