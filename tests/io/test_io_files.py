"""Whole or not at all: full disks, forbidden folders, killed processes, damaged files."""

import errno
import hashlib
import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from pinnlab.core.errors import PinnlabError
from pinnlab.io import (
    check_writable,
    files,
    read_dataset,
    sha256_file,
    write_bytes,
    write_json,
    write_netcdf,
    write_text,
    write_zarr,
)

OLD = xr.Dataset({"u": ("x", np.arange(4.0))}, attrs={"title": "old"})
NEW = xr.Dataset({"u": ("x", np.arange(5.0))}, attrs={"title": "new"})
BOTH = pytest.mark.parametrize("write, name", [(write_netcdf, "a.nc"), (write_zarr, "a.zarr")])


def fail(number):
    def failing(*_, **__):
        raise OSError(number, os.strerror(number))

    return failing


def renaming(path, at, then, real=os.replace):
    """An ``os.replace`` that calls *then* instead of the rename number *at* from or to *path*.

    Others go through: zarr renames files of its own inside of a store.
    """
    calls = []

    def replace(source, target):
        if path in (Path(source), Path(target)):
            calls.append(target)
            if len(calls) == at:
                then()
        real(source, target)

    return replace


def run_python(code, *arguments):
    """Run *code* in a process of its own; return its exit code and what it printed."""
    command = [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


@BOTH
@pytest.mark.parametrize(
    "number, words", [(errno.ENOSPC, "free some space"), (errno.EACCES, "you may write to")]
)
def test_a_failing_write_keeps_the_old_file(write, name, number, words, tmp_path, monkeypatch):
    path = tmp_path / name
    write(OLD, path)
    last = 2 if write is write_zarr else 1  # a store steps aside first, and must step back
    for what, failing in (
        ("fsync", fail(number)),
        ("replace", renaming(path, 1, fail(number))),
        ("replace", renaming(path, last, fail(number))),
    ):
        with monkeypatch.context() as patched:
            patched.setattr(os, what, failing)
            with pytest.raises(PinnlabError, match=words) as raised:
                write(NEW, path)
        assert str(path) in str(raised.value)
        assert list(tmp_path.iterdir()) == [path]
        xr.testing.assert_identical(read_dataset(path), OLD)


@BOTH
@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_an_interrupted_write_leaves_nothing_behind(write, name, stop, tmp_path, monkeypatch):
    def interrupted():
        raise stop

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", renaming(tmp_path / name, 1, interrupted))
        with pytest.raises(stop):
            write(NEW, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


KILLED = """
    import os, signal, sys
    import numpy as np, xarray as xr
    from pinnlab.io import write_netcdf, write_zarr
    path, at = sys.argv[1], int(sys.argv[2])
    real, calls = os.replace, []
    def replace(source, target):
        if path in (str(source), str(target)):
            calls.append(target)
            if len(calls) == at:
                os.kill(os.getpid(), signal.SIGKILL)
        real(source, target)
    os.replace = replace
    new = xr.Dataset({"u": ("x", np.arange(5.0))}, attrs={"title": "new"})
    (write_zarr if path.endswith("zarr") else write_netcdf)(new, path)
"""


@pytest.mark.skipif(os.name != "posix", reason="needs kill -9")
@pytest.mark.parametrize("name, at", [("a.nc", 1), ("a.zarr", 1), ("a.zarr", 2)])
def test_a_killed_write_keeps_the_old_one_and_the_next_tidies_up(name, at, tmp_path):
    path = tmp_path / name
    write = write_zarr if name.endswith("zarr") else write_netcdf
    write(OLD, path)
    code, _ = run_python(KILLED, path, at)
    assert code == -9
    assert len(list(tmp_path.glob(".*.tmp"))) == 1
    xr.testing.assert_identical(read_dataset(path), OLD)
    write(NEW, path)
    xr.testing.assert_identical(read_dataset(path), NEW)
    assert list(tmp_path.iterdir()) == [path]


FULL = """
    import resource, signal, sys
    import numpy as np, xarray as xr
    from pinnlab.core.errors import PinnlabError
    from pinnlab.io import write_netcdf, write_zarr
    path = sys.argv[1]
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))
    new = xr.Dataset({"u": ("x", np.random.default_rng(0).normal(size=10000))})
    try:
        (write_zarr if path.endswith("zarr") else write_netcdf)(new, path)
    except PinnlabError as error:
        print("refused:", error)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs a limit on the size of files")
@BOTH
def test_a_disk_that_is_really_full_loses_nothing(write, name, tmp_path):
    path = tmp_path / name
    write(OLD, path)
    code, printed = run_python(FULL, path)
    assert code == 0 and f"refused: cannot write '{path}': the disk" in printed, printed
    xr.testing.assert_identical(read_dataset(path), OLD)
    assert list(tmp_path.iterdir()) == [path]


def test_a_store_never_replaces_someone_elses_folder(tmp_path):
    (tmp_path / "thesis").mkdir()
    write_text(tmp_path / "thesis" / "chapter.txt", "precious")
    for path in (tmp_path / "thesis", tmp_path / "thesis" / "chapter.txt"):
        with pytest.raises(PinnlabError, match="no Zarr store"):
            write_zarr(NEW, path)
    assert (tmp_path / "thesis" / "chapter.txt").read_text() == "precious"


def test_zarr_that_is_not_installed_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "zarr", None)
    with pytest.raises(PinnlabError, match=r"pip install 'pinnlab\[zarr\]'"):
        write_zarr(NEW, tmp_path / "a.zarr")


def test_a_dataset_that_the_format_cannot_hold_is_named(tmp_path):
    odd = xr.Dataset({"u": ("x", [{"a": 1}])})
    for write, name in ((write_netcdf, "a.nc"), (write_zarr, "a.zarr")):
        with pytest.raises(PinnlabError, match=f"{name}.*does not fit"):
            write(odd, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("damage", ["absent", "empty", "text", "cut", "folder"])
def test_what_cannot_be_read_is_named(damage, tmp_path):
    path = tmp_path / "a.nc"
    if damage == "folder":
        path.mkdir()
    elif damage == "cut":
        write_netcdf(OLD, path)
        path.write_bytes(path.read_bytes()[:2000])
    elif damage != "absent":
        path.write_text("" if damage == "empty" else "time,temperature\n")
    with pytest.raises(PinnlabError, match=r"cannot read '.*a\.nc'"):
        read_dataset(path)


def test_a_read_file_is_closed_and_may_be_written_again(tmp_path):
    write_netcdf(OLD, tmp_path / "a.nc")
    read = read_dataset(tmp_path / "a.nc")
    write_netcdf(read, tmp_path / "a.nc")
    xr.testing.assert_identical(read_dataset(tmp_path / "a.nc"), OLD)


def test_text_bytes_and_their_hash(tmp_path):
    write_text(tmp_path / "new" / "a.txt", "Wärme\n")
    assert (tmp_path / "new" / "a.txt").read_bytes() == "Wärme\n".encode()
    write_bytes(tmp_path / "a.bin", b"\0" * 3_000_000)
    assert sha256_file(tmp_path / "a.bin") == hashlib.sha256(b"\0" * 3_000_000).hexdigest()
    with pytest.raises(PinnlabError, match="no\\.bin"):
        sha256_file(tmp_path / "no.bin")


def test_files_have_the_permissions_that_the_user_asked_for(tmp_path):
    before = os.umask(0o027)
    try:
        write_text(tmp_path / "a.txt", "a")
    finally:
        os.umask(before)
    assert (tmp_path / "a.txt").stat().st_mode & 0o777 == 0o640


def test_json_is_strict_json(tmp_path):
    summary = {
        "error": {"T": np.float32(0.5), "u": float("nan")},
        "steps": np.int64(7),
        "norms": np.array([1.0, np.inf]),
        "passed": np.bool_(True),
        "path": Path("a") / "b",
        "gate": None,
        "seeds": (0, 1),
    }
    write_json(tmp_path / "s.json", summary)

    def refuse(constant):
        raise AssertionError(constant)

    assert json.loads((tmp_path / "s.json").read_text(), parse_constant=refuse) == {
        "error": {"T": 0.5, "u": None},
        "steps": 7,
        "norms": [1.0, None],
        "passed": True,
        "path": "a/b",
        "gate": None,
        "seeds": [0, 1],
    }
    with pytest.raises(PinnlabError, match=r"\$\.a\[1\].*set"):
        write_json(tmp_path / "t.json", {"a": [1, {2}]})


def test_a_folder_is_proved_to_be_writable(tmp_path, monkeypatch):
    made = check_writable(tmp_path / "runs" / "one")
    assert made == (tmp_path / "runs" / "one").resolve() and list(made.iterdir()) == []
    with pytest.raises(PinnlabError, match=r"runs.*MB are needed; free some space"):
        check_writable(tmp_path / "runs", need_bytes=2**62)
    write_text(tmp_path / "file", "")
    with pytest.raises(PinnlabError, match=r"'.*file' is not usable"):
        check_writable(tmp_path / "file")
    monkeypatch.setattr(os, "fsync", fail(errno.ENOSPC))
    with pytest.raises(PinnlabError, match="free some space"):
        check_writable(tmp_path / "runs")
    assert [p.name for p in (tmp_path / "runs").iterdir()] == ["one"]


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="needs a folder that takes no file")
def test_a_folder_of_the_system_is_refused():
    with pytest.raises(PinnlabError, match="'/proc/self' is not usable"):
        check_writable("/proc/self")


def test_plain_files_do_not_wait_for_xarray():
    code = "import sys; from pinnlab.io.files import write_text; sys.exit('xarray' in sys.modules)"
    assert run_python(code)[0] == 0


def test_need_zarr_wants_version_3(monkeypatch):
    zarr = pytest.importorskip("zarr")
    monkeypatch.setattr(zarr, "__version__", "2.18.0")
    with pytest.raises(PinnlabError, match="too old"):
        files.write_zarr(NEW, "never.zarr")
