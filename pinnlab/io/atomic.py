"""Whole or not at all: a file or folder is made beside its place, forced to disk, then renamed."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

from pinnlab.core.errors import PinnlabError

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)


def explain(error: BaseException) -> str:
    """What an error of the file system means, and what helps."""
    number = getattr(error, "errno", None)
    if number in _FULL:
        return "the disk or the quota is full; free some space or choose another folder"
    if number in _FORBIDDEN:
        return "writing there is not allowed; choose a folder that you may write to"
    reason = getattr(error, "strerror", None) or str(error)
    return f"{reason[:1].lower()}{reason[1:]}; choose another path"


@contextlib.contextmanager
def staged(path: Path) -> Iterator[Path]:
    """Give the name of a new sibling of *path*, to be written and renamed inside the block.

    Whatever ends the block, nothing is left of the sibling. Siblings that a killed process left
    for the same path are removed.

    Raises:
        PinnlabError: for any ``OSError`` inside, naming *path* and what helps.
    """
    if not path.name:
        raise PinnlabError(f"cannot write '{path}': this is a folder, not the name of a file")
    token = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
    temporary = path.with_name(f".{path.name}.{token}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_left_overs(path)
        yield temporary
        sync_folder(path.parent)
    except OSError as error:
        raise PinnlabError(
            f"cannot write '{path}': {explain(error)}. What stood there before is unchanged"
        ) from error
    finally:
        remove(temporary)


def write_file(path: Path, data: bytes | memoryview) -> None:
    """Write *data* to *path*; at any moment there is the old file or the new one, whole."""
    with staged(path) as temporary:
        with open(temporary, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)


def replace_folder(temporary: Path, path: Path) -> None:
    """Put folder *temporary* at *path*, in place of the one that may stand there.

    A folder cannot be renamed onto another one. So the old one steps aside first; if the second
    rename fails it steps back, and if the process dies in between, :func:`recover` does it.
    """
    aside = _aside(path)
    if not os.path.lexists(path):
        os.replace(temporary, path)
        return
    remove(aside)  # path is complete, so this one is a left-over
    os.replace(path, aside)
    try:
        os.replace(temporary, path)
    except BaseException:
        os.replace(aside, path)
        raise
    remove(aside)


def recover(path: Path) -> None:
    """Bring back the folder that :func:`replace_folder` had moved aside when it was killed."""
    aside = _aside(path)
    if aside.exists() and not os.path.lexists(path):
        os.replace(aside, path)


def sync_tree(folder: Path) -> None:
    """Force every file and folder below *folder* to disk."""
    for place, _, files in os.walk(folder):
        for name in files:
            _sync(Path(place, name))
        sync_folder(Path(place))


def sync_folder(folder: Path) -> None:
    """Force the entries of *folder* to disk, where the system can (not all can)."""
    with contextlib.suppress(OSError):
        _sync(folder)


def remove(path: Path) -> None:
    """Remove a file or a folder, if it is there and if that is possible."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink()


def _aside(path: Path) -> Path:
    return path.with_name(f".{path.name}.previous")


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove_left_overs(path: Path) -> None:
    start = f".{path.name}.{socket.gethostname()}-"
    for name in os.listdir(path.parent):
        if name.startswith(start) and name.endswith(".tmp"):
            pid = name[len(start) :].split("-")[0]
            if pid.isdigit() and not _alive(int(pid)):
                remove(path.with_name(name))


def _alive(pid: int) -> bool:
    if os.name != "posix":  # elsewhere signal 0 is a real one
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
