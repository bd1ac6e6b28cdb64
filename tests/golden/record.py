"""Record every scenario bit for bit, or compare two recordings.

    python tests/golden/record.py OUTDIR [SCENARIO ...]      writes OUTDIR/SCENARIO.json and SCENARIO.scores.json
    python tests/golden/record.py --repository [SCENARIO ...]         writes what the test compares with
    python tests/golden/record.py --compare OLD NEW [--renames renames.json]

The renames are a list of entries, applied to the old recording in their order:

    {"scope": "*", "from": "sbp", "to": "systolic"}                 a key, or a whole text, anywhere
    {"scope": "ward/events/*", "from": "report/score", "to": "score"} a value moves within the mappings of this scope
    {"scope": "*/published/*/topic", "from": "/alarm/", "to": "/alarms/", "part": true}    a part of texts
    {"scope": "*", "from": "^old_", "to": "new_", "pattern": true}       the same, by a regular expression
    {"scope": "*", "from": "gone", "to": null}                      a key that the comparison ignores

In `from` and `to`, `/` stands between levels of keys, unless the entry is a `part` or a `pattern`. A scope is a glob
over `scenario/path`, with `/` between keys and indices; for a key, the path ends with it. Texts that hold JSON, such as
payloads, are compared byte by byte; where they differ, as JSON, in which renames apply too.
"""

from __future__ import annotations

import argparse
import difflib
import json
import re
import sys
import tempfile
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / name) for name in ("golden", "support")]

from portable import portable  # noqa: E402  (as a program it finds its folder first)
from scenarios import SCENARIOS, WHOLE  # noqa: E402  (needs the path above)

RECORDED = Path(__file__).parent / "recorded"


def played(name: str) -> dict[str, Any]:
    """Return the result of a scenario."""
    with tempfile.TemporaryDirectory() as folder:
        return SCENARIOS[name](Path(folder))


def record(name: str, out: Path) -> None:
    """Write a scenario's whole recording."""
    made = played(name)
    scores = made.pop("scores", {})
    for file, content in ((f"{name}.json", made), (f"{name}.scores.json", scores)):
        text = json.dumps(content, sort_keys=True, ensure_ascii=False, indent=1)
        (out / file).write_text(text + "\n", encoding="utf-8")


def for_repository(name: str) -> dict[str, Any]:
    """Return the portable part of a scenario's recording."""
    kept: dict[str, Any] = json.loads(json.dumps(portable(played(name), whole=name in WHOLE)))
    return kept


def write_for_repository(name: str) -> None:
    """Write the portable part, with one list entry per line."""
    parts = []
    for section, content in sorted(for_repository(name).items()):
        if isinstance(content, list) and content:
            entries = ",\n".join(json.dumps(entry, ensure_ascii=False, sort_keys=True) for entry in content)
            parts.append(f"{json.dumps(section)}: [\n{entries}\n]")
        elif isinstance(content, dict) and content:
            entries = ",\n".join(
                f"{json.dumps(key)}: {json.dumps(entry, ensure_ascii=False, sort_keys=True)}"
                for key, entry in sorted(content.items())
            )
            parts.append(f"{json.dumps(section)}: {{\n{entries}\n}}")
        else:
            parts.append(f"{json.dumps(section)}: {json.dumps(content)}")
    RECORDED.mkdir(exist_ok=True)
    (RECORDED / f"{name}.json").write_text("{\n" + ",\n".join(parts) + "\n}\n", encoding="utf-8")


class Renames:
    """Renames between an old and a new recording."""

    def __init__(self, entries: list[dict[str, Any]]) -> None:
        """Store the renames, in order."""
        self._entries = [{"scope": "*", **entry} for entry in entries]

    def apply(self, value: Any, path: str) -> Any:
        """Return a copy of plain data with the new names."""
        if isinstance(value, dict):
            made: dict[str, Any] = {}
            for key, entry in value.items():
                name = self._key(key, f"{path}/{key}")
                if name is not None:
                    made[name] = self.apply(entry, f"{path}/{key}")
            return self._moved(made, path)
        if isinstance(value, list):
            return [self.apply(entry, f"{path}/{i}") for i, entry in enumerate(value)]
        return self._text(value, path) if isinstance(value, str) else value

    def _of(self, path: str) -> list[dict[str, Any]]:
        return [entry for entry in self._entries if fnmatchcase(path, entry["scope"])]

    def _key(self, key: str, path: str) -> str | None:
        name: str | None = key
        for entry in self._of(path):
            if name is None:
                return None
            if not _moves(entry):
                name = self._replaced(entry, name)
        return name

    @staticmethod
    def _replaced(entry: dict[str, Any], text: str) -> str | None:
        if entry.get("pattern"):
            return re.sub(entry["from"], entry["to"] or "", text)
        if entry.get("part"):
            return text.replace(entry["from"], entry["to"] or "")
        return entry["to"] if text == entry["from"] else text

    def _moved(self, value: dict[str, Any], path: str) -> dict[str, Any]:
        for entry in self._of(path):
            if not _moves(entry):
                continue
            start, end = entry["from"].split("/"), (entry["to"] or "").split("/")
            holder = _inner(value, start[:-1])
            if holder is None or start[-1] not in holder:
                continue
            moved = holder.pop(start[-1])
            if entry["to"] is not None:
                target = value
                for key in end[:-1]:
                    target = target.setdefault(key, {})
                target[end[-1]] = moved
        return value

    def _text(self, text: str, path: str) -> str:
        for entry in self._of(path):
            text = self._replaced(entry, text) or ""
        return text


def _moves(entry: dict[str, Any]) -> bool:
    """Whether a rename is of a place and not of a name."""
    is_path = "/" in entry["from"] or "/" in (entry["to"] or "")
    return is_path and not entry.get("part") and not entry.get("pattern")


def _inner(value: Any, keys: list[str]) -> Any:
    for key in keys:
        if not isinstance(value, dict) or key not in value:
            return None
        value = value[key]
    return value if isinstance(value, dict) else None


def compared(old: Any, new: Any, renames: Renames, path: str) -> list[str]:
    """Return the differences of plain data after renaming the old one."""
    return _compared(renames.apply(old, path), new, renames, path)


def _compared(old: Any, new: Any, renames: Renames, path: str) -> list[str]:
    if type(old) is not type(new):
        return [f"{path}: {_shown(old)} is now {_shown(new)}"]
    if isinstance(old, dict):
        found = [f"{path}/{key}: only in the old one: {_shown(old[key])}" for key in old.keys() - new.keys()]
        found += [f"{path}/{key}: only in the new one: {_shown(new[key])}" for key in new.keys() - old.keys()]
        for key in sorted(old.keys() & new.keys()):
            found += _compared(old[key], new[key], renames, f"{path}/{key}")
        return found
    if isinstance(old, list):
        return _compared_lists(old, new, renames, path)
    if old == new:
        return []
    if isinstance(old, str) and old[:1] in {"{", "["}:
        try:
            of_old, of_new = renames.apply(json.loads(old), path), json.loads(new)
        except ValueError:
            return [f"{path}: {_shown(old)} is now {_shown(new)}"]
        inner = _compared(of_old, of_new, renames, path)
        if not inner and json.dumps(of_old) != json.dumps(of_new):
            return [f"{path}: the same JSON with its keys in another order"]
        return inner
    return [f"{path}: {_shown(old)} is now {_shown(new)}"]


def _compared_lists(old: list[Any], new: list[Any], renames: Renames, path: str) -> list[str]:
    if len(old) != len(new) and all(isinstance(entry, str) for entry in (*old, *new)):
        lines = difflib.unified_diff(old, new, lineterm="", n=0)
        return [f"{path}: {line}" for line in lines if not line.startswith(("---", "+++", "@@"))]
    found = [] if len(old) == len(new) else [f"{path}: {len(old)} entries are now {len(new)}"]
    for i, (one, other) in enumerate(zip(old, new, strict=False)):
        found += _compared(one, other, renames, f"{path}/{i}")
    return found


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 500 else f"{text[:500]} ..."


def _say(*lines: str) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


def compare(old: Path, new: Path, renames: Renames) -> int:
    """Print the differences of two recordings and return their number."""
    count = 0
    for name in sorted({file.name for folder in (old, new) for file in folder.glob("*.json")}):
        files = old / name, new / name
        if not all(file.exists() for file in files):
            found = [f"{name}: only in one of both"]
        else:
            contents = [json.loads(file.read_text(encoding="utf-8")) for file in files]
            found = compared(*contents, renames, name.removesuffix(".json").replace(".", "/"))
        _say(*found, f"{name}: {len(found)} differences")
        count += len(found)
    return count


def main() -> int:
    """Run the command line; returns 1 if recordings differ."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--compare", nargs=2, type=Path, metavar=("OLD", "NEW"))
    parser.add_argument("--renames", type=Path)
    parser.add_argument("--repository", action="store_true")
    parser.add_argument("rest", nargs="*", metavar="OUTDIR or SCENARIO")
    given = parser.parse_args()
    if given.compare:
        entries = [] if given.renames is None else json.loads(given.renames.read_text(encoding="utf-8"))
        return int(compare(*given.compare, Renames(entries)) > 0)
    names = given.rest
    if not given.repository:
        out = Path(names.pop(0))
        out.mkdir(parents=True, exist_ok=True)
    for name in names or SCENARIOS:
        if given.repository:
            write_for_repository(name)
        else:
            record(name, out)
        _say(name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
