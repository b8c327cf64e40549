"""Files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from pinnlab.core.errors import PinnlabError


@contextlib.contextmanager
def replacing(path: str | os.PathLike) -> Iterator[Path]:
    """Give a temporary path in the same folder; on success it takes the place of *path*.

    The content is on the disk before the name changes, so a crash leaves the old file or the new.

    Raises:
        PinnlabError: the folder cannot be written or the disk is full.
    """
    target = Path(path)
    temporary = None
    try:
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        os.close(handle)
        temporary = Path(name)
        yield temporary
        with open(temporary, "rb") as stream:
            os.fsync(stream.fileno())
        temporary.chmod(0o644)
        os.replace(temporary, target)
    except OSError as error:
        raise PinnlabError(
            f"cannot write '{target}': {error.strerror or error}; "
            "free space or choose another folder (hydra.run.dir=...)"
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def write_bytes(path: str | os.PathLike, content: bytes) -> None:
    """Write *content* to *path*, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)
