"""The command line: experiments through Hydra, and a few plain verbs told apart before it."""

from __future__ import annotations

import sys
import warnings
from typing import Any

USAGE = """\
pinnlab: physics-informed networks and classical solvers, from an equation to a CF dataset

  pinnlab experiment=NAME [key=value ...]   run an experiment, any value overridden
  pinnlab -m experiment=NAME key=a,b ...    sweep over values
  pinnlab list                              the experiments
  pinnlab show NAME                         equation, parameters, units and defaults
  pinnlab verify NAME... | --all            run experiments and check their gates
      [--table FILE.csv] [--runs FOLDER]
  pinnlab resume RUN [key=value ...]        continue a run that was stopped or killed
  pinnlab plot RUN                          draw a run's figures anew
  pinnlab compare RUN...                    runs side by side
  pinnlab export RUN [FILE.stablehlo]       a trained operator as a program for JAX alone

common keys: budget=60s  steps=1000  seed=0  seeds=4  precision=float32  method=classical
             quiet=true  figures=false  format=zarr  checkpoint_seconds=10
             hydra.run.dir=FOLDER (the same command with the same folder continues a run)
your own:    configs/experiment/NAME.yaml in this folder, and equations in modules beside it
exit codes:  0 done   1 an unexpected error   2 something to put right, as the message says
             3 the training diverged   4 a gate was missed (verify)
             130, 143 stopped by Ctrl-C or SIGTERM, with what there was written
"""


def main(arguments: list[str] | None = None) -> None:
    """The console entry; exits with the code that ``USAGE`` lists."""
    given = sys.argv[1:] if arguments is None else arguments
    sys.path.insert(0, "")  # a user's own equations in the working directory
    if not given or given[0] in ("-h", "--help", "help"):
        print(USAGE, end="")
        return
    if given[0] == "--version":
        from pinnlab._version import __version__

        print(f"pinnlab {__version__}")
        return
    from pinnlab.core.errors import PinnlabError, PinnlabWarning

    plain = warnings.showwarning

    def show(message: Any, category: Any, *rest: Any, **more: Any) -> None:
        if issubclass(category, PinnlabWarning):
            print(f"pinnlab: warning: {message}", file=sys.stderr)
        else:
            plain(message, category, *rest, **more)

    warnings.showwarning = show
    try:
        if "=" in given[0] or given[0].startswith("-"):
            from pinnlab.run.shell import compose_and_run

            code = compose_and_run(given)
        else:
            from pinnlab.run.verbs import VERBS, find

            code = find(given[0], VERBS)(given[1:])
    except PinnlabError as error:
        print(f"pinnlab: {error}", file=sys.stderr)
        code = error.exit_code
    except KeyboardInterrupt:
        code = 130
    finally:
        warnings.showwarning = plain
    sys.exit(code)
