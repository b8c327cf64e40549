"""What a run computes on, and the compilation cache that belongs to it."""

from __future__ import annotations

import hashlib
import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax

_PACKAGES = ("jax", "jaxlib", "flax", "optax", "diffrax", "numpy", "xarray")


def processor() -> str:
    """The processor's name with its instruction sets, as the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    facts = dict(line.split(":", 1) for line in lines if ":" in line)
    named = {key.strip(): value.strip() for key, value in facts.items()}
    return named.get("model name") or named.get("Processor") or platform.machine()


def _flags() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ""
    return next((line for line in lines if line.startswith(("flags", "Features"))), "")


def describe() -> dict[str, Any]:
    """Device, processor, cores and versions, for the summary."""
    device = jax.devices()[0]
    return {
        "device": f"{device.platform}: {device.device_kind}",
        "processor": processor(),
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "versions": {name: version(name) for name in _PACKAGES},
    }


def use_compilation_cache() -> None:
    """Keep compiled programs in the user's cache folder, apart for each kind of processor.

    A program compiled for one processor may not run on another. JAX's own variable
    ``JAX_COMPILATION_CACHE_DIR`` takes precedence.
    """
    if getattr(jax.config, "jax_compilation_cache_dir", None) is None:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        kind = f"{processor()} {_flags()} {jax.__version__}"
        name = hashlib.sha256(kind.encode()).hexdigest()[:16]
        jax.config.update("jax_compilation_cache_dir", str(base / "pinnlab" / name))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
