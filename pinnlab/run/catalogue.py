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


def own_configs() -> Path | None:
    """The folder ``configs`` of the working directory, if it is there and not pinnlab's."""
    folder = Path("configs").resolve()
    return folder if folder.is_dir() and folder != config_dir() else None


def experiments() -> dict[str, str]:
    """The experiments by name with their titles, without composing any.

    Those of a folder ``configs`` in the working directory are listed too; where a name is in
    both, pinnlab's own is the one that runs.
    """
    found = {}
    for folder in (own_configs(), config_dir()):
        for path in folder.glob("experiment/*.yaml") if folder else ():
            found[path.stem] = _title(path)
    return dict(sorted(found.items()))


def _title(path: Path) -> str:
    try:
        held = yaml.safe_load(path.read_text())
        return str((held or {}).get("title", ""))
    except (yaml.YAMLError, AttributeError, UnicodeDecodeError, OSError) as error:
        return f"({path} cannot be read: {str(error).splitlines()[0]})"
