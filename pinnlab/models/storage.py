"""A trained model in one safetensors file: arrays, and a JSON description of what they belong to.

Nothing is pickled. Classes are named by module and qualified name, and only their declared fields
are stored; loading imports the module, as ``import`` would.
"""

from __future__ import annotations

import dataclasses
import importlib
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from pinnlab._version import __version__
from pinnlab.core.errors import PinnlabError
from pinnlab.core.files import write_bytes

_FORMAT = "pinnlab-solution-2"
_SKIP = ("parent", "name")  # fields that Flax adds to every module


def save_reading(reading: Any, path: Path, extra: Mapping[str, Any]) -> None:
    """Write *reading*, a frozen dataclass such as :class:`NetworkReading`, and the JSON-able
    *extra* to *path*.

    Raises:
        PinnlabError: the equation or network holds something that cannot be described.
    """
    arrays: dict[str, np.ndarray] = {}
    description = {
        "format": _FORMAT,
        "version": __version__,
        "reading": _encode(reading, arrays, "reading"),
        "extra": dict(extra),
    }
    write_bytes(Path(path), save(arrays, metadata={"pinnlab": json.dumps(description)}))


def load_reading(path: str | Path) -> tuple[Any, dict[str, Any]]:
    """Read what :func:`save_reading` wrote.

    Raises:
        PinnlabError: the file is missing, damaged, or names a class that cannot be imported.
    """
    if not Path(path).is_file():
        raise PinnlabError(f"there is no solution file '{path}'")
    try:
        with safe_open(path, framework="numpy") as stream:
            arrays = {key: stream.get_tensor(key) for key in stream.keys()}  # noqa: SIM118
            made = json.loads((stream.metadata() or {})["pinnlab"])
    except (SafetensorError, KeyError, ValueError, OSError) as error:
        raise PinnlabError(f"'{path}' is no solution file of pinnlab ({error})") from error
    if made.get("format") != _FORMAT:
        raise PinnlabError(
            f"'{path}' was written by pinnlab {made.get('version')}, whose files this version does "
            "not read; install that one, or train anew"
        )
    return _decode(made["reading"], arrays, str(path)), made["extra"]


def _encode(value: Any, arrays: dict[str, np.ndarray], where: str) -> Any:
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (np.ndarray, jax.Array, np.generic)):
        arrays[where] = np.asarray(value, order="C")
        return {"array": where}
    if isinstance(value, Mapping):
        return {"map": {k: _encode(v, arrays, f"{where}.{k}") for k, v in value.items()}}
    if isinstance(value, (tuple, list)):
        return {"tuple": [_encode(v, arrays, f"{where}.{i}") for i, v in enumerate(value)]}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        skip = _SKIP if isinstance(value, nn.Module) else ()
        stored = {
            f.name: _encode(getattr(value, f.name), arrays, f"{where}.{f.name}")
            for f in dataclasses.fields(value)
            if f.name not in skip and not _is_default(f, getattr(value, f.name))
        }
        return {"class": _address(type(value), where), "fields": stored}
    if callable(value):
        return {"function": _address(value, where)}
    raise PinnlabError(f"{where}: a {type(value).__name__} cannot be saved in a solution file")


def _is_default(field: dataclasses.Field, value: Any) -> bool:
    """Defaults belong to the class; they may hold functions that have no name."""
    return value is field.default


def _address(thing: Any, where: str) -> str:
    name = thing.__qualname__
    if "<" in name:
        raise PinnlabError(
            f"{where}: '{name}' cannot be saved; define it at the top level of a module"
        )
    return f"{thing.__module__}:{name}"


def _decode(made: Any, arrays: Mapping[str, np.ndarray], path: str) -> Any:
    if not isinstance(made, dict):
        return made
    if "array" in made:
        return arrays[made["array"]]
    if "map" in made:
        return {k: _decode(v, arrays, path) for k, v in made["map"].items()}
    if "tuple" in made:
        return tuple(_decode(v, arrays, path) for v in made["tuple"])
    thing = _imported(made.get("class") or made["function"], path)
    if "function" in made:
        return thing
    if not (isinstance(thing, type) and dataclasses.is_dataclass(thing)):
        # a file may name anything; calling it would run whatever the file's author chose
        raise PinnlabError(f"'{path}' names {made['class']!r}, which is no part of a solution")
    items = {k: _decode(v, arrays, path) for k, v in made["fields"].items()}
    return getattr(thing, "from_fields", thing)(**items)


def _imported(address: str, path: str) -> Any:
    module, _, name = address.partition(":")
    try:
        found: Any = sys.modules.get(module) or importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as error:
        raise PinnlabError(
            f"'{path}' needs '{name}' of the module '{module}', which cannot be imported "
            f"({error}); start Python where that module is"
        ) from error
    return found
