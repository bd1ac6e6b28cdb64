"""A key that was renamed is answered with its new name, where it stands."""

from __future__ import annotations

import json

import pytest
from configurations import LINES

from tocsin.config import Config
from tocsin.config.checks.old_keys import RENAMED, renamed

OLD = pytest.mark.parametrize(("old", "new"), RENAMED.items(), ids=[".".join(path) for path in RENAMED])


def keyed(path, value):
    """Nest a value under the keys of a path."""
    for part in reversed(path):
        value = {part: value}
    return value


@OLD
def test_a_file_with_an_old_key_is_answered_with_its_line_and_its_renamed(faults_of, old, new):
    path = tuple("ward" if part == "*" else part for part in old)
    if path[0] == "watches":
        text = LINES.replace("    model: toy\n", f"    model: toy\n    {nested(path[2:])}\n")
        line = 8
    else:
        text, line = f"{LINES}{nested(path)}\n", 12
    found = faults_of(text)
    assert f"tocsin.yaml:{line}: {'.'.join(path)}: is now {new} (rename it)" in found


def nested(path):
    """Write a path of keys as one line of YAML."""
    return json.dumps(keyed(path, 1))[1:-1]


@OLD
def test_a_variable_with_an_old_key_is_answered_with_its_renamed(faults_of, monkeypatch, old, new):
    path = tuple("ward" if part == "*" else part for part in old)
    variable = "TOCSIN_" + "__".join(path).upper()
    monkeypatch.setenv(variable, "1")
    now = "TOCSIN_" + "__".join((*path[:-1], new)).upper()
    assert f"environment {variable}: {'.'.join(path)}: is now {new} (set {now} instead)" in faults_of(LINES)


@OLD
def test_no_old_key_is_legal_and_every_new_one_is(old, new):
    def entry(path):
        found = Config.model_json_schema()
        definitions = found["$defs"]
        for part in path:
            found = definitions_of(found, definitions)
            found = next(iter(found["patternProperties"].values())) if part == "*" else found["properties"].get(part)
        return found

    assert entry(old) is None
    assert entry((*old[:-1], new)) is not None


def definitions_of(schema, definitions):
    """Follow a reference, also one of several choices."""
    for choice in (schema, *schema.get("anyOf", [])):
        if "$ref" in choice:
            return definitions[choice["$ref"].rpartition("/")[2]]
    return schema


def test_other_keys_were_not_renamed():
    assert renamed(("watches", "ward", "latency_s")) is None
    assert renamed(("watches", "ward", "alarms", "linger_s")) is None
