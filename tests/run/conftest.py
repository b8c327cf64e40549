"""The command line in this process."""

import contextlib
import io
import sys

import pytest
from commands import Called

from pinnlab.cli import main


@pytest.fixture
def shell(tmp_path, monkeypatch):
    """Call pinnlab in this process, in an empty working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "argv", ["pinnlab"])
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")

    def call(*arguments: str) -> Called:
        out, err, code = io.StringIO(), io.StringIO(), 0
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                main(list(arguments))
            except SystemExit as end:
                code = end.code or 0
        return Called(code, out.getvalue(), err.getvalue())

    return call
