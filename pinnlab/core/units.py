"""Units as CF writes them (``m2 s-1``, ``W m-2 K-1``, ``degrees_north``) and their conversion.

Only what equations, configurations and files need: products of powers of SI units, their usual
names and prefixes. A unit is a factor to SI and the exponents of the base units
(kg, m, s, K, A, mol); angles have none. Temperatures convert as differences, except ``degC``, whose
offset is known.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import lru_cache

from pinnlab.core.errors import PinnlabError

_BASE = ("kg", "m", "s", "K", "A", "mol")


@dataclass(frozen=True)
class Unit:
    """``value_SI = factor * value + offset``, with exponents over (kg, m, s, K, A, mol)."""

    factor: float
    exponents: tuple[int, ...]
    offset: float = 0.0


def _unit(factor: float = 1.0, offset: float = 0.0, **powers: int) -> Unit:
    return Unit(factor, tuple(powers.get(b, 0) for b in _BASE), offset)


_NAMED = {
    "1": _unit(),
    "%": _unit(0.01),
    "percent": _unit(0.01),
    "g": _unit(1e-3, kg=1),
    "kg": _unit(kg=1),
    "m": _unit(m=1),
    "meter": _unit(m=1),
    "metre": _unit(m=1),
    "s": _unit(s=1),
    "second": _unit(s=1),
    "seconds": _unit(s=1),
    "min": _unit(60.0, s=1),
    "minute": _unit(60.0, s=1),
    "h": _unit(3600.0, s=1),
    "hour": _unit(3600.0, s=1),
    "d": _unit(86400.0, s=1),
    "day": _unit(86400.0, s=1),
    "days": _unit(86400.0, s=1),
    "K": _unit(K=1),
    "degC": _unit(offset=273.15, K=1),
    "A": _unit(A=1),
    "mol": _unit(mol=1),
    "Hz": _unit(s=-1),
    "N": _unit(kg=1, m=1, s=-2),
    "Pa": _unit(kg=1, m=-1, s=-2),
    "bar": _unit(1e5, kg=1, m=-1, s=-2),
    "J": _unit(kg=1, m=2, s=-2),
    "W": _unit(kg=1, m=2, s=-3),
    "C": _unit(A=1, s=1),
    "V": _unit(kg=1, m=2, s=-3, A=-1),
    "ohm": _unit(kg=1, m=2, s=-3, A=-2),
    "rad": _unit(),
    "radian": _unit(),
    "degree": _unit(math.pi / 180),
    "degrees": _unit(math.pi / 180),
    "degrees_north": _unit(math.pi / 180),
    "degrees_east": _unit(math.pi / 180),
    "degree_north": _unit(math.pi / 180),
    "degree_east": _unit(math.pi / 180),
}
_PREFIX = {"n": 1e-9, "u": 1e-6, "m": 1e-3, "c": 1e-2, "h": 1e2, "k": 1e3, "M": 1e6, "G": 1e9}
_PREFIXED = ("g", "m", "s", "K", "A", "mol", "Hz", "N", "Pa", "J", "W", "V")
_NUMBER = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)(.*)$")
_TOKEN = re.compile(r"([A-Za-z_%]+|1)\^?([+-]?\d+)?$")


def _token(text: str) -> tuple[Unit, int]:
    match = _TOKEN.match(text)
    if match:
        name, power = match.group(1), int(match.group(2) or 1)
        if name in _NAMED:
            return _NAMED[name], power
        if name[:1] in _PREFIX and name[1:] in _PREFIXED:
            base = _NAMED[name[1:]]
            return Unit(_PREFIX[name[0]] * base.factor, base.exponents), power
    raise PinnlabError(f"unknown unit '{text}': write it as CF does, such as 'm2 s-1' or 'W m-2'")


def _separated(text: str) -> str:
    return text.replace("**", "^").replace(".", " ").replace("*", " ").replace("/", " / ")


@lru_cache(maxsize=256)
def parse(text: str) -> Unit:
    """Read a unit such as ``"W m-2 K-1"``; raise :class:`PinnlabError` if it is none."""
    factor, exponents, offset = 1.0, [0] * len(_BASE), 0.0
    sign, tokens = 1, _separated(text).split()
    if not tokens:
        raise PinnlabError("an empty unit: write '1' for a quantity without dimension")
    for token in tokens:
        if token == "/":
            sign = -1
            continue
        unit, power = _token(token)
        factor *= unit.factor ** (sign * power)
        exponents = [e + sign * power * u for e, u in zip(exponents, unit.exponents, strict=True)]
        offset, sign = (unit.offset if len(tokens) == 1 and power == 1 else 0.0), 1
    return Unit(factor, tuple(exponents), offset)


def convert(value: float, source: str, target: str, where: str = "value") -> float:
    """Convert *value* from unit *source* to *target*; *where* names the place in an error."""
    a, b = parse(source), parse(target)
    if a.exponents != b.exponents:
        raise PinnlabError(f"{where}: the unit '{source}' does not convert to '{target}'")
    return (value * a.factor + a.offset - b.offset) / b.factor


def quantity(value: float | int | str, unit: str, where: str) -> float:
    """A number in *unit*, or a text with a unit of its own (``"3e-3 cm2 s-1"``), in *unit*."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise PinnlabError(f"{where}: expected a number in '{unit}', got {value!r}")
    if not isinstance(value, str):
        return float(value)
    match = _NUMBER.match(value)
    if not match:
        raise PinnlabError(
            f"{where}: {value!r} is not a number with an optional unit; "
            f"write for example '1.5' or '1.5 {unit}'"
        )
    number, own = match.groups()
    return convert(float(number), own.strip() or unit, unit, where)
