"""What a run looks like: figures drawn from its dataset and its log, and a table over runs.

Nothing is imported until it is asked for, so that a table does not wait for matplotlib.
"""

from __future__ import annotations

from pinnlab._lazy import lazy

# The table is pinnlab.report.compare.compare: a function here would hide that module.
__getattr__, __dir__, __all__ = lazy(__name__, {"draw": "figures"})
