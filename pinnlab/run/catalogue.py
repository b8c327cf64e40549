"""The experiments that exist; light, so that ``pinnlab list`` answers at once."""

from __future__ import annotations

from pathlib import Path

import yaml


def config_dir() -> Path:
    """The folder of the configurations: in the installed package, or beside it in a checkout."""
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "configs", package.parent / "configs"):
        if (folder / "config.yaml").is_file():
            return folder
    raise FileNotFoundError("pinnlab's configs are missing; install the package anew")


def experiments() -> dict[str, str]:
    """The experiments by name with their titles, without composing any.

    Those of a folder ``configs`` in the working directory are listed too.
    """
    found = {}
    for folder in {config_dir(), Path("configs").resolve()}:
        for path in sorted((folder / "experiment").glob("*.yaml")):
            found[path.stem] = str(yaml.safe_load(path.read_text()).get("title", ""))
    return dict(sorted(found.items()))
