"""Where a dataset comes from: the global attributes that let someone else make it again."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from pinnlab.io.names import CONVENTIONS, clean_attributes

_PACKAGES = ("jax", "jaxlib", "flax", "optax", "diffrax", "numpy", "xarray")
_GIT_SECONDS = 2.0
UNKNOWN = "unknown"


def provenance(
    config_yaml: str,
    command: str,
    *,
    title: str,
    summary: str,
    keywords: Sequence[str] = (),
    institution: str = "",
    references: str = "",
    comment: str = "",
    license: str = "",
    id: str = "",
    processor: str = "",
    device: str = "",
    precision: str = "",
    seeds: Sequence[int] | int | None = None,
    seconds: float | None = None,
    folder: str | os.PathLike[str] = ".",
    now: datetime | None = None,
    **more: Any,
) -> dict[str, Any]:
    """Global attributes by CF-1.11 and ACDD-1.3, and what a repetition needs.

    Arguments:
        config_yaml: the resolved configuration, stored whole and with its SHA-256.
        command: the command line, for ``history``.
        title, summary, keywords, institution, references, comment, license: as in CF and ACDD.
        id: of the dataset; by default made from the configuration's hash.
        processor, device, precision, seeds, seconds: what the run computed on and with.
        folder: whose git repository is named; :func:`git_state`.
        now: the time of making (with a zone), by default the clock.
        more: any further attributes, such as error norms.

    Empty arguments are left out, so that no attribute is blank.

    Raises:
        PinnlabError: for an attribute that no file can hold, such as a nested mapping.
    """
    stamp = (now or datetime.now(UTC)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    digest = hashlib.sha256(config_yaml.encode()).hexdigest()
    commit, dirty = git_state(folder)
    made = {
        "title": title,
        "summary": summary,
        "keywords": ", ".join([keywords] if isinstance(keywords, str) else keywords),
        "Conventions": CONVENTIONS,
        "history": f"{stamp} {command}",
        "institution": institution,
        "source": f"pinnlab {package_version('pinnlab')}",
        "references": references,
        "comment": comment,
        "license": license,
        "id": id or f"pinnlab-{digest[:16]}",
        "date_created": stamp,
        "config": config_yaml,
        "config_sha256": digest,
        "git_commit": commit,
        "git_dirty": dirty,
        "python_version": platform.python_version(),
        **{f"{name}_version": package_version(name) for name in _PACKAGES},
        "processor": processor,
        "device": device,
        "precision": precision,
        "seeds": seeds,
        "seconds": seconds,
        **more,
    }
    kept = {k: v for k, v in made.items() if v is not None and not (isinstance(v, str) and not v)}
    return clean_attributes(kept, "provenance")


def package_version(name: str) -> str:
    """The installed version of a package, or ``unknown``; the package is not imported."""
    try:
        return version(name)
    except PackageNotFoundError:
        return UNKNOWN


def git_state(folder: str | os.PathLike[str] = ".") -> tuple[str, str]:
    """The commit of the repository around *folder*, and ``yes`` if tracked files differ from it.

    Both are ``unknown`` without git, a repository or a commit, or if git takes over two seconds.
    """
    commit = _git(Path(folder), "rev-parse", "--verify", "HEAD")
    changes = _git(Path(folder), "status", "--porcelain", "--untracked-files=no")
    if not commit:
        return UNKNOWN, UNKNOWN
    return commit, UNKNOWN if changes is None else "yes" if changes else "no"


def _git(folder: Path, *arguments: str) -> str | None:
    # A status would otherwise refresh the index, and could wait for another git's lock.
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            text=True,
            timeout=_GIT_SECONDS,
            env=environment,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
