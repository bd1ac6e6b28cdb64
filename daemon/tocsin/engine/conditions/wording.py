"""Numbers, units and durations as the reasons of condition events print them."""

from __future__ import annotations

_READ_ALOUD = 1e6
_NS_PER_S = 1_000_000_000

# UCUM codes are for machines; these are the units as charts print them.
_PRINTED_UNITS = {"1": "", "/min": "/min", "mm[Hg]": "mmHg", "Cel": "°C"}


def expected(mean: float, scale: float) -> str:
    """Expected value and its scale, in few enough digits to read aloud.

    >>> expected(36.8217, 0.0749), expected(24_561.2, 448.0)
    ('36.82 ± 0.075', '24560 ± 450')
    """
    return f"{figure(mean, 4)} ± {figure(scale, 2)}"


def figure(value: float, digits: int) -> str:
    """Value in `digits` significant digits, without a power of ten below a million.

    >>> figure(97.04, 3), figure(150_312.0, 4), figure(2.5e7, 4)
    ('97', '150300', '2.5e+07')
    """
    text = f"{value:.{digits}g}"
    return f"{float(text):.0f}" if "e+0" in text and abs(value) < _READ_ALOUD else text


def printed_unit(unit: str) -> str:
    """Unit as a chart prints it after a number, with the space before it.

    >>> printed_unit("mm[Hg]"), printed_unit("1")
    (' mmHg', '')
    """
    printed = _PRINTED_UNITS.get(unit, unit)
    return f" {printed}" if printed else ""


def seconds(ns: int) -> str:
    """Duration in seconds.

    >>> seconds(90_000_000_000), seconds(500_000_000)
    ('90 s', '0.5 s')
    """
    return f"{ns / _NS_PER_S:g} s"
