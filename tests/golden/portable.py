"""The part of a recording that is the same on every machine, small enough for the repository."""

from __future__ import annotations

import hashlib
import json
import math
from typing import Any

EVERY = 10
"""Every n-th score is kept."""
_ROWS = 3
"""Number of an event's channels that are kept, by contribution."""
_LONG_TEXT = 400
_LONG_LIST = 6
_LONG_BODY = 3000


def rounded(value: float) -> float | None:
    """Round to five significant digits; None if not finite."""
    return float(f"{value:.5g}") if math.isfinite(value) else None


def short(value: Any, rows: int | None = None) -> Any:
    """Shorten plain data: rounded numbers, no empty values, and lengths instead of long texts.

    Args:
        value: The data.
        rows: Number of mappings of a list that are kept; all by default.
    """
    if isinstance(value, dict):
        kept = {key: short(entry, rows) for key, entry in value.items()}
        return {key: entry for key, entry in kept.items() if entry not in (None, "", [], {}) and entry is not False}
    if isinstance(value, list) and len(value) > 1 and all(isinstance(entry, dict) for entry in value):
        return _table(value, rows)
    if isinstance(value, list):
        return [short(entry, rows) for entry in value]
    if isinstance(value, float):
        return rounded(value)
    if isinstance(value, str) and len(value) > _LONG_TEXT:
        return f"<{len(value)} characters>"
    return value


def _table(entries: list[dict[str, Any]], rows: int | None) -> list[Any]:
    """Return the keys and the number of mappings in one text, and their values as lists."""
    keys = sorted({key for entry in entries for key in entry})
    head = f"{len(entries)} of {' '.join(keys)}"
    return [head, *([short(entry.get(key), rows) for key in keys] for entry in entries[:rows])]


def digest(value: Any) -> str:
    """Hash plain data without fractional numbers and without the content of long texts."""
    return hashlib.sha256(json.dumps(_without_fractions(value), sort_keys=True).encode()).hexdigest()[:12]


def _without_fractions(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_fractions(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_without_fractions(entry) for entry in value]
    if isinstance(value, float):
        return "#"
    return f"<{len(value)}>" if isinstance(value, str) and len(value) > _LONG_TEXT else value


def _digests(value: Any) -> Any:
    """Replace the entries of long lists by their names and digests."""
    if isinstance(value, dict):
        return {key: _digests(entry) for key, entry in value.items()}
    if isinstance(value, list) and len(value) > _LONG_LIST:
        return [entry if isinstance(entry, str) else f"{_name(entry)} {digest(entry)}" for entry in value]
    return [_digests(entry) for entry in value] if isinstance(value, list) else value


def _digests_of(value: dict[str, Any]) -> list[str]:
    """Return the digest of each entry two levels deep."""
    return [
        f"{key} {inner} {digest(entry)}"
        for key, below in value.items()
        for inner, entry in (below.items() if isinstance(below, dict) else [("", below)])
    ]


def _name(value: Any) -> str:
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else [value]
    return " ".join(str(part) for part in list(parts)[:7] if isinstance(part, str | int))[:80]


def _body(value: Any) -> Any:
    value = _without_column_hashes(value)
    return short(value) if len(json.dumps(value)) < _LONG_BODY else short(_digests(value))


def _without_column_hashes(value: Any) -> Any:
    """Replace each mapping `columns` by its sorted keys, as its hashes depend on the processor."""
    if isinstance(value, dict):
        return {
            key: sorted(entry) if key == "columns" and isinstance(entry, dict) else _without_column_hashes(entry)
            for key, entry in value.items()
        }
    return value


def _payload(text: str) -> str:
    try:
        return digest(json.loads(text))
    except ValueError:
        return digest(text)


def _scores(of_stream: list[list[Any]]) -> dict[str, Any]:
    times = [t for t, _ in of_stream]
    values = [float.fromhex(score) for _, score in of_stream]
    return {
        "frames": len(times),
        "known": sum(math.isfinite(value) for value in values),
        "times": digest(times),
        "values": [rounded(value) for value in values[::EVERY]],
    }


def portable(made: dict[str, Any], *, whole: bool = False) -> dict[str, Any]:
    """Return the portable part of a scenario's recording.

    Args:
        made: Result of the scenario.
        whole: Whether payloads and answers are kept unchanged, as they hold no number that depends on the machine.
    """
    if "events" not in made:
        return made
    kept: dict[str, Any] = {
        "events": [short(event, _ROWS) for event in made["events"]],
        "rejects": [" ".join(map(str, reject)) for reject in made["rejects"]],
        "scores": {key: _scores(of_stream) for key, of_stream in made["scores"].items()},
        "streams": {watch: sorted(streams) for watch, streams in made["stream_state"].items()},
        "registry": _digests(made["registry"]),
    }
    if whole:
        kept |= {name: made[name] for name in ("published", "requests", "answers")}
    else:
        kept["answers"] = [_body(answer) for answer in made["answers"]]
        kept["published"] = [
            f"{one['topic']} qos {one['qos']} retain {one['retain']} {_payload(one['payload'])}"
            for one in made["published"]
        ]
    if "metrics" in made:
        kept["metrics"] = made["metrics"] if whole else sorted({_metric(line) for line in made["metrics"]})
    if "csv" in made:
        kept["csv"] = {name: text.splitlines() for name, text in made["csv"].items()}
    if "openapi" in made:
        kept["openapi"] = _digests_of(made["openapi"])
    for name in made.keys() - kept.keys() - {"bits", "stream_state", "requests"}:
        kept[name] = made[name] if whole else short(_digests(made[name]))
    if len(kept["rejects"]) > 100:
        kept["rejects"] = [digest(kept["rejects"]), *kept["rejects"][:100]]
    return kept


def _metric(line: str) -> str:
    return line if line.startswith("#") else line.rpartition(" ")[0].partition("{")[0]


def differences(old: Any, new: Any, path: str = "") -> list[str]:
    """Return the differences of plain data with both values; fractional numbers have a tolerance."""
    if isinstance(old, dict) and isinstance(new, dict):
        found = [f"{path}/{key}: only in the old one: {_shown(old[key])}" for key in old if key not in new]
        found += [f"{path}/{key}: only in the new one: {_shown(new[key])}" for key in new if key not in old]
        for key in old:
            found += differences(old[key], new[key], f"{path}/{key}") if key in new else []
        return found
    if isinstance(old, list) and isinstance(new, list):
        return _differences_of_lists(old, new, path)
    if isinstance(old, str) and isinstance(new, str) and old != new:
        return _differences_of_texts(old, new, path)
    return [] if _is_same(old, new) else [f"{path}: {_shown(old)} is now {_shown(new)}"]


def _differences_of_lists(old: list[Any], new: list[Any], path: str) -> list[str]:
    found = []
    for i, (one, other) in enumerate(zip(old, new, strict=False)):
        inner = differences(one, other, f"{path}/{i}")
        if inner and isinstance(one, dict):
            inner[-1] += f"\n    in what was {_shown(one)}\n    and is now  {_shown(other)}"
        found += inner
    if len(old) != len(new):
        which, longer = ("old", old) if len(old) > len(new) else ("new", new)
        extra = _shown(longer[min(len(old), len(new))])
        found.append(f"{path}: {len(old)} entries are now {len(new)}; the first one more in the {which} one: {extra}")
    return found


def _differences_of_texts(old: str, new: str, path: str) -> list[str]:
    """Return the differences of texts: as JSON, if both are; else with their context."""
    if old[:1] in {"{", "["}:
        try:
            found = differences(json.loads(old), json.loads(new), path)
        except ValueError:
            found = []
        if found:
            return found
    place = next((i for i, (one, other) in enumerate(zip(old, new, strict=False)) if one != other), 0)
    start = max(0, place - 100) if len(old) > 2 * _LONG_TEXT else 0
    return [f"{path}: {_shown(old[start : start + 400])} is now {_shown(new[start : start + 400])}"]


def _is_same(old: Any, new: Any) -> bool:
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in (old, new))
    if numbers and (isinstance(old, float) or isinstance(new, float)):
        return math.isclose(old, new, rel_tol=2e-3, abs_tol=2e-4)
    return type(old) is type(new) and bool(old == new)


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 700 else f"{text[:700]} ..."
