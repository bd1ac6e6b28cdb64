from __future__ import annotations

import pytest

from tocsin.ingest.units import conversion, convertible, ucum_of_senml


@pytest.mark.parametrize(
    ("value", "unit", "into", "expected"),
    [
        (98.6, "[degF]", "Cel", 37.0),
        (310.15, "K", "Cel", 37.0),
        (16, "kPa", "mm[Hg]", 120.010201),
        (120, "mm[Hg]", "kPa", 15.99864),
        (1.2, "Hz", "/min", 72.0),
        (90, "/min", "/s", 1.5),
        (0.97, "1", "%", 97.0),
        (5.5, "mmol/L", "mol/m3", 5.5),
        (1.5, "g/L", "mg/dL", 150.0),
        (36, "km/h", "m/s", 10.0),
        (7, "mg/dL", "mg/dL", 7.0),
        (7, "anything", "anything", 7.0),
    ],
)
def test_values_in_another_unit(value, unit, into, expected):
    scale, offset = conversion(unit, into)
    assert value * scale + offset == pytest.approx(expected, abs=1e-6)


def test_there_and_back_is_where_one_was():
    for into in ("Cel", "mm[Hg]", "/min", "%", "s", "mg/dL", "L/min"):
        for unit in convertible(into):
            scale, offset = conversion(unit, into)
            back_scale, back_offset = conversion(into, unit)
            assert (36.5 * scale + offset) * back_scale + back_offset == pytest.approx(36.5)


def test_what_is_of_another_kind_does_not_convert():
    assert conversion("mg/dL", "mmol/L") is None
    assert conversion("Cel", "mm[Hg]") is None
    assert conversion("furlong", "m") is None
    assert convertible("furlong") == ["furlong"]


def test_senml_calls_some_units_otherwise():
    assert ucum_of_senml("/") == "1"
    assert ucum_of_senml("%RH") == "%"
    assert ucum_of_senml("K") == "K"
