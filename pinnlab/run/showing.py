"""An experiment described: equation, parameters, units and defaults."""

from __future__ import annotations

import inspect

from omegaconf import OmegaConf

from pinnlab.core.conditions import Boundary
from pinnlab.run.build import build_equation
from pinnlab.run.compose import composed

_SETTINGS = (
    "method",
    "infer",
    "network",
    "model",
    "phases",
    "stages",
    "windows",
    "operator",
    "classical",
    "output",
    "gate",
)


def described(name: str) -> str:
    """The text of ``pinnlab show NAME``.

    Raises:
        PinnlabError: an unknown experiment.
    """
    cfg = composed([f"experiment={name}"])
    equation = build_equation(cfg)
    lines = [f"{name}: {cfg.title}", "", inspect.cleandoc(type(equation).__doc__ or ""), ""]
    lines.append("variables:")
    for symbol in equation.variables:
        v = equation.variables[symbol]
        called = f", '{v.name}' in files" if v.name else ""
        lines.append(f"  {symbol}: {v.long_name} ({v.units}), order {v.order} in time{called}")
    lines.append("axes (equation.domain.AXIS.lower=... and so on):")
    for axis in equation.domain:
        a = equation.domain[axis]
        periodic = ", periodic" if a.periodic else ""
        lines.append(f"  {axis}: {a.lower:g} to {a.upper:g} {a.units}{periodic}")
    lines.append("parameters (equation.NAME=...):")
    for key, known in equation.parameters().items():
        value = getattr(equation, key)
        shown = "the equation's own" if value is None else type(value).__name__
        shown = f"{value:g}" if isinstance(value, float) else shown
        low, high = known.bounds
        lines.append(f"  {key} = {shown} {known.units}, {known.long_name}, {low:g} to {high:g}")
        if key in cfg.coefficients:
            lines.append(f"    or one of: {', '.join(cfg.coefficients[key])}")
    lines.append("conditions:")
    for condition in equation.conditions():
        if isinstance(condition, Boundary):
            kind = "Dirichlet" if condition.fixes_value else "Neumann or Robin"
            sides = " and ".join(condition.sides)
            lines.append(f"  {kind} on {', '.join(condition.values)} at {condition.axis} {sides}")
        else:
            what = "rate" if condition.order else "value"
            lines.append(f"  initial {what} of {', '.join(condition.values)}")
    settings = {key: cfg[key] for key in _SETTINGS if cfg[key]}
    return "\n".join([*lines, "", "settings:", OmegaConf.to_yaml(OmegaConf.create(settings))])
