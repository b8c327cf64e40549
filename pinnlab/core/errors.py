"""The one error that a user of pinnlab has to know."""


class PinnlabError(Exception):
    """Something that the user can put right.

    The message says what was wrong, where (yaml key, variable, axis or path) and what would be
    right. The command line prints it without a traceback and exits with ``exit_code``.
    """

    exit_code = 2


class PinnlabWarning(UserWarning):
    """Something that the user should know of, and that stops nothing."""


class DivergenceError(PinnlabError):
    """A training or a solve left the finite numbers; the last good state was kept."""

    exit_code = 3


class GateError(PinnlabError):
    """An experiment ended, but its result falls short of the gate that its yaml declares."""

    exit_code = 4


def choose(kind: str, key: str, known) -> str:
    """Return *key* if it is among *known*; else raise an error that lists what exists."""
    if key in known:
        return key
    import difflib

    near = difflib.get_close_matches(str(key), [str(k) for k in known], n=1)
    hint = f"; did you mean '{near[0]}'?" if near else "."
    listed = ", ".join(sorted(str(k) for k in known)) or "(none)"
    raise PinnlabError(f"unknown {kind} '{key}'{hint} There are: {listed}")
