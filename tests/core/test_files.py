"""Files that appear whole or not at all, and precision inside a block only."""

import jax
import jax.numpy as jnp
import pytest

from pinnlab.core import PinnlabError
from pinnlab.core.files import replacing, write_bytes
from pinnlab.core.precision import precision


def test_a_failed_write_keeps_the_old_file(tmp_path):
    path = tmp_path / "state"
    write_bytes(path, b"old")
    with pytest.raises(RuntimeError), replacing(path) as temporary:
        temporary.write_bytes(b"half")
        raise RuntimeError
    assert path.read_bytes() == b"old" and [p.name for p in tmp_path.iterdir()] == ["state"]
    write_bytes(path, b"new")
    assert path.read_bytes() == b"new"


def test_a_full_disk_is_one_message_and_keeps_the_old_file(tmp_path):
    path = tmp_path / "state"
    write_bytes(path, b"old")
    with (
        pytest.raises(PinnlabError, match=f"cannot write '{path}': No space left"),
        replacing(path),
    ):
        raise OSError(28, "No space left on device")
    assert path.read_bytes() == b"old"


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(PinnlabError, match=r"cannot write '.*nowhere/state'"):
        write_bytes(tmp_path / "nowhere" / "state", b"")


def test_precision_ends_with_its_block():
    with jax.enable_x64(False):
        with precision("float64"):
            assert jnp.zeros(()).dtype == "float64"
            with precision("float32"):
                assert jnp.zeros(()).dtype == "float32"
        assert jnp.zeros(()).dtype == "float32"
    with (
        pytest.raises(PinnlabError, match=r"precision 'double'.*float32, float64"),
        precision("double"),
    ):
        pass
