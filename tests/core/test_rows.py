"""Tables: what is written is read again, whole or not at all."""

from __future__ import annotations

import pytest

from pinnlab.core import PinnlabError
from pinnlab.core.rows import aligned, read_rows, write_rows


def test_rows_are_read_as_they_were_written(tmp_path):
    path = tmp_path / "table.csv"
    assert read_rows(path) == []
    rows = [{"name": 'a, "b"', "value": "1e-3"}, {"name": "c", "value": ""}]
    write_rows(path, rows)
    assert read_rows(path) == rows
    write_rows(path, rows[:1])
    assert read_rows(path) == rows[:1] and list(tmp_path.iterdir()) == [path]


def test_columns_that_came_later_are_empty_in_older_rows(tmp_path):
    path = tmp_path / "table.csv"
    write_rows(path, [{"name": "old", "gate": 1}, {"name": "new", "seconds": 2.5, "gate": 1}])
    assert path.read_text() == "name,seconds,gate\nold,,1\nnew,2.5,1\n"


def test_a_row_that_cannot_be_written_leaves_the_old_table(tmp_path):
    path = tmp_path / "table.csv"
    write_rows(path, [{"a": 1}])

    class Unsayable:
        def __str__(self):
            raise ValueError("no text")

    with pytest.raises(ValueError, match="no text"):
        write_rows(path, [{"a": 2}, {"a": Unsayable()}])
    assert read_rows(path) == [{"a": "1"}]
    with pytest.raises(PinnlabError, match="cannot write"):
        write_rows(tmp_path / "nowhere" / "table.csv", [{"a": 1}])


def test_a_table_is_aligned_for_a_terminal():
    rows = [{"name": "heat", "error": 1e-9}, {"name": "poisson", "error": "", "more": 1}]
    assert aligned(rows).splitlines() == ["   name  error", "   heat  1e-09", "poisson       "]
