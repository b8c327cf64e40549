"""Checkpoints: the whole state of a training in one safetensors file, without pickle."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from pinnlab.core.errors import PinnlabError
from pinnlab.core.files import write_bytes


@dataclass(frozen=True)
class Checkpoint:
    """A file that holds the newest state and the counters that belong to it.

    Arguments:
        path: the file.
        fingerprint: identifies the configuration; a state of another one is refused.
        every: seconds between two writes while the training goes on.
    """

    path: Path
    fingerprint: str = ""
    every: float = 10.0

    def write(self, state: Any, counters: Mapping[str, Any]) -> None:
        """Write atomically; raise :class:`PinnlabError` where that is impossible."""
        leaves = jax.tree.leaves(state)
        arrays = {f"{i:05d}": np.asarray(leaf, order="C") for i, leaf in enumerate(leaves)}
        header = json.dumps({**counters, "fingerprint": self.fingerprint})
        write_bytes(self.path, save(arrays, metadata={"counters": header}))

    def counters(self) -> dict[str, Any] | None:
        """The counters alone, or None if there is no checkpoint."""
        if not self.path.is_file():
            return None
        try:
            return _counters(self.path)
        except (OSError, KeyError, ValueError, TypeError) as error:
            raise self._damaged(error) from error

    def _damaged(self, error: Exception) -> PinnlabError:
        return PinnlabError(
            f"the checkpoint '{self.path}' cannot be read ({error}); delete it to start anew"
        )

    def read(self, template: Any) -> tuple[Any, dict[str, Any]] | None:
        """State and counters, or None if there is no checkpoint.

        Raises:
            PinnlabError: the file is damaged, or belongs to another configuration.
        """
        if not self.path.is_file():
            return None
        try:
            arrays, counters = load_file(self.path), _counters(self.path)
        except (SafetensorError, OSError, KeyError, ValueError, TypeError) as error:
            raise self._damaged(error) from error
        leaves, structure = jax.tree.flatten(template)
        saved = [arrays[key] for key in sorted(arrays)]
        fits = [(a.shape, a.dtype) for a in saved] == [(np.shape(b), b.dtype) for b in leaves]
        if counters.pop("fingerprint") != self.fingerprint or not fits:
            raise PinnlabError(
                f"the checkpoint '{self.path}' was made by another configuration; "
                "choose another run folder (hydra.run.dir=...) or delete the file"
            )
        with jax.enable_x64(True):  # a state may hold more than one precision
            return jax.tree.unflatten(structure, [jax.numpy.asarray(a) for a in saved]), counters


def _counters(path: Path) -> dict[str, Any]:
    with open(path, "rb") as stream:
        size = int.from_bytes(stream.read(8), "little")
        if size > path.stat().st_size:
            raise ValueError("its header is damaged")
        header = json.loads(stream.read(size))
    return json.loads(header["__metadata__"]["counters"])
