"""The attributes that let someone else make a dataset again."""

import hashlib
import re
import subprocess
from datetime import datetime, timedelta, timezone

import numpy as np
import pytest

from pinnlab.core.errors import PinnlabError
from pinnlab.io import provenance as module
from pinnlab.io.provenance import git_state, provenance

CONFIG = "seed: 0\nequation: {k: 1.0}  # größer\n"


def make(**more):
    return provenance(CONFIG, "pinnlab seed=0", title="T", summary="S", **more)


@pytest.fixture
def repository(tmp_path):
    def git(*arguments):
        subprocess.run(["git", "-C", tmp_path, *arguments], check=True, capture_output=True)

    git("init")
    (tmp_path / "a.py").write_text("a = 1\n")
    yield tmp_path, git


def commit(git):
    git("add", "a.py")
    git("-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "-m", "one")


def test_the_configuration_and_the_command_are_kept():
    now = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=2)))
    made = make(now=now, keywords=["heat", "soil"])
    assert made["config"] == CONFIG
    assert made["config_sha256"] == hashlib.sha256(CONFIG.encode()).hexdigest()
    assert made["history"] == "2026-01-02T01:04:05Z pinnlab seed=0"
    assert made["date_created"] == "2026-01-02T01:04:05Z"
    assert made["keywords"] == "heat, soil"
    assert made["id"].endswith(made["config_sha256"][:16])
    assert make(id="mine")["id"] == "mine"


def test_versions_are_those_of_the_packages():
    made = make()
    assert made["numpy_version"] == np.__version__
    assert re.match(r"\d+\.\d+", made["jax_version"])
    assert module.package_version("no-such-package") == "unknown"


def test_what_is_unknown_is_left_out_and_numbers_stay_numbers():
    made = make(seeds=[3], seconds=np.float32(1.5), rmse=float("nan"), converged=True)
    assert "device" not in made and "license" not in made
    assert made["seeds"] == 3 and type(made["seconds"]) is float and made["converged"] == 1
    np.testing.assert_array_equal(make(seeds=(0, 1))["seeds"], [0, 1])
    with pytest.raises(PinnlabError, match=r"'error'.*nest"):
        make(error={"T": 0.1})


def test_the_repository_is_named_with_its_changes(repository):
    folder, git = repository
    assert git_state(folder) == ("unknown", "unknown")  # no commit yet
    commit(git)
    sha, dirty = git_state(folder)
    assert re.fullmatch(r"[0-9a-f]{40}", sha) and dirty == "no"
    (folder / "results.nc").write_text("not tracked")
    assert git_state(folder) == (sha, "no")
    (folder / "a.py").write_text("a = 2\n")
    assert git_state(folder) == (sha, "yes")


def test_without_git_the_commit_is_unknown(repository, monkeypatch):
    folder, git = repository
    commit(git)
    monkeypatch.setattr(module, "_GIT_SECONDS", 1e-6)
    assert git_state(folder) == ("unknown", "unknown")
    monkeypatch.undo()
    monkeypatch.setenv("PATH", "")
    assert git_state(folder) == ("unknown", "unknown")
