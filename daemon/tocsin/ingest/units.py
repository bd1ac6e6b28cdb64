"""Units by their UCUM codes, and conversion between units of one kind of quantity.

Mass and substance concentrations don't convert: mg/dL into mmol/L depends on the substance.
"""

from __future__ import annotations

# By kind of quantity: code → (scale, offset), so that value × scale + offset is in the kind's first unit.
_KINDS: tuple[dict[str, tuple[float, float]], ...] = (
    {"1": (1, 0), "%": (0.01, 0), "[ppth]": (1e-3, 0), "[ppm]": (1e-6, 0)},
    {"Cel": (1, 0), "K": (1, -273.15), "[degF]": (5 / 9, -160 / 9)},
    # 1 m[Hg] is 133.322 kPa, 1 m[H2O] 9.80665 kPa by UCUM; 1 [psi] is 6894.757293168 Pa
    {
        "Pa": (1, 0),
        "kPa": (1e3, 0),
        "hPa": (1e2, 0),
        "mbar": (1e2, 0),
        "bar": (1e5, 0),
        "mm[Hg]": (133.322, 0),
        "cm[H2O]": (98.0665, 0),
        "[psi]": (6894.757293168, 0),
    },
    {"/min": (1, 0), "Hz": (60, 0), "/s": (60, 0), "/h": (1 / 60, 0), "{beats}/min": (1, 0), "{breaths}/min": (1, 0)},
    {"s": (1, 0), "ms": (1e-3, 0), "us": (1e-6, 0), "min": (60, 0), "h": (3600, 0), "d": (86400, 0)},
    {"a": (1, 0), "mo": (1 / 12, 0)},
    {"mg/dL": (1, 0), "g/L": (100, 0), "g/dL": (1000, 0), "mg/L": (0.1, 0), "ug/mL": (0.1, 0), "ng/mL": (1e-4, 0)},
    {"mmol/L": (1, 0), "mol/L": (1e3, 0), "umol/L": (1e-3, 0), "mol/m3": (1, 0)},
    {"10*3/uL": (1, 0), "10*9/L": (1, 0), "/uL": (1e-3, 0)},
    {"U/L": (1, 0), "kU/L": (1e3, 0)},
    {"m": (1, 0), "km": (1e3, 0), "cm": (1e-2, 0), "mm": (1e-3, 0), "um": (1e-6, 0), "[ft_i]": (0.3048, 0)},
    {"m/s": (1, 0), "km/h": (1 / 3.6, 0), "mm/s": (1e-3, 0)},
    {"kg": (1, 0), "g": (1e-3, 0), "mg": (1e-6, 0), "[lb_av]": (0.45359237, 0)},
    {"L/min": (1, 0), "mL/min": (1e-3, 0), "L/s": (60, 0), "m3/h": (1000 / 60, 0), "m3/s": (60_000, 0)},
    {"V": (1, 0), "mV": (1e-3, 0), "uV": (1e-6, 0), "kV": (1e3, 0)},
    {"A": (1, 0), "mA": (1e-3, 0)},
    {"W": (1, 0), "mW": (1e-3, 0), "kW": (1e3, 0)},
)

# Names in the registry of RFC 8428 and RFC 8798. A percentage is the same percentage of humidity or of charge.
_OF_SENML = {
    "/": "1",
    "count": "1",
    "%RH": "%",
    "%EL": "%",
    "beat/min": "/min",
    "beats": "1",
    "degC": "Cel",
    "l/s": "L/s",
    "l/min": "L/min",
    "mol/l": "mol/L",
}


def ucum_of_senml(unit: str) -> str:
    """UCUM code of a unit of SenML's registry; most are equal.

    >>> ucum_of_senml("beat/min"), ucum_of_senml("Cel")
    ('/min', 'Cel')
    """
    return _OF_SENML.get(unit, unit)


def conversion(unit: str, into: str) -> tuple[float, float] | None:
    """Scale and offset that convert a value from one unit into another; None for units of different kinds.

    >>> scale, offset = conversion("[degF]", "Cel")
    >>> round(98.6 * scale + offset, 6)
    37.0
    >>> conversion("mg/dL", "mmol/L") is None
    True
    """
    if unit == into:
        return 1.0, 0.0
    for kind in _KINDS:
        if unit in kind and into in kind:
            (scale, offset), (into_scale, into_offset) = kind[unit], kind[into]
            return scale / into_scale, (offset - into_offset) / into_scale
    return None


def convertible(into: str) -> list[str]:
    """Units that convert into a unit, itself first.

    >>> convertible("Cel")
    ['Cel', 'K', '[degF]']
    """
    return [into, *(unit for kind in _KINDS if into in kind for unit in kind if unit != into)]
