"""Stored data has keys of its own: after a renaming in the code, stores stay readable."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import tokenize
from pathlib import Path

import persisted_bytes
import pytest
from persisted_bytes import ALARM_COMMANDS, STREAM_COMMANDS, T0

from tocsin.alarm.commands import CommandEnvelope
from tocsin.engine import Readings
from tocsin.runtime.journal_entries import (
    AlarmCommandEntry,
    ReadingsEntry,
    StaleEntry,
    StreamCommandEntry,
    TickEntry,
    decode,
    encode,
)
from tocsin.store.columns import pack, unpack

ROOT = Path(__file__).parents[2]
CLASSES = (
    "Readings", "StreamState", "CommandEnvelope", "Acknowledge", "Shelve", "SetLimit", "Admit", "ReadingsEntry",
    "TickEntry", "RestoreEntry", "AlarmRecord", "AlarmStatus", "StreamTable", "WatchRuntime", "ShadowedWatch",
    "Deployment", "Model", "Channel", "Report", "Manifest", "WatchEntry", "AlarmEntry", "Core", "AlarmRegistry",
)  # fmt: skip
ATTRIBUTES = (
    "envelope", "acknowledged_by", "last_occurrence", "meta", "on_delay_ns", "clock_is_event", "cut_over", "previous",
    "given_labels", "last_id", "frame_count", "delay_state", "stream_limit", "topic_labels",
)  # fmt: skip


NAMES = re.compile(r"\b(" + "|".join((*CLASSES, *ATTRIBUTES)) + r")\b")


def renamed(source):
    """The source with each of these names followed by `Z`, in code and in the braces of f-strings, not in strings."""
    lines, edits = source.splitlines(keepends=True), []
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        new = text = token.string
        if token.type == tokenize.NAME and NAMES.fullmatch(text):
            new = f"{text}Z"
        elif token.type == tokenize.STRING and "f" in re.match(r"[a-zA-Z]*", text)[0].lower():
            new = re.sub(r"\{[^{}]*\}", lambda braces: NAMES.sub(r"\1Z", braces[0]), text)
        if new != text:
            edits.append((token.start, token.end, new))
    for (row, begin), (last, end), new in reversed(edits):
        lines[row - 1 : last] = [lines[row - 1][:begin] + new + lines[last - 1][end:], *[""] * (last - row)]
    return "".join(lines)


def test_renaming_classes_and_attributes_changes_no_stored_byte(tmp_path):
    here = persisted_bytes.persisted(tmp_path / "here")
    daemon, source = ROOT / "daemon" / "tocsin", tmp_path / "source"
    for file in [*daemon.rglob("*.py"), Path(persisted_bytes.__file__)]:
        copy = source / (file.relative_to(daemon.parent) if file.is_relative_to(daemon) else file.name)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(renamed(file.read_text(encoding="utf-8")), encoding="utf-8")
    path = os.pathsep.join(map(str, [source, ROOT / "tests" / "support"]))
    done = subprocess.run(
        [sys.executable, source / "persisted_bytes.py", tmp_path / "there"],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == here


@pytest.mark.parametrize("command", ALARM_COMMANDS, ids=lambda command: command.verb)
def test_a_command_for_alarms_is_read_back_from_the_journal(command):
    entry = AlarmCommandEntry(T0, CommandEnvelope(command, "nurse", "why", "4711"))
    assert decode(encode(entry)) == entry


@pytest.mark.parametrize("command", STREAM_COMMANDS, ids=lambda command: command.verb)
def test_a_command_for_a_stream_is_read_back_from_the_journal(command):
    entry = StreamCommandEntry(T0, command)
    assert decode(encode(entry)) == entry


def test_readings_are_read_back_from_the_journal_to_the_bit():
    readings = Readings.of([("a", T0, {"hr": 80.5}), ("b", T0 + 1, {"spo2": 97.0})])
    found = decode(encode(ReadingsEntry(T0, ["ward", "theatre"], readings)))
    assert (found.now, found.watches, found.readings.streams) == (T0, ["ward", "theatre"], ["a", "b"])
    for name in ("stream", "t", "values"):
        assert getattr(found.readings, name).tobytes() == getattr(readings, name).tobytes(), name
    for entry in (StaleEntry(T0, ["ward"], ["a"]), TickEntry(T0)):
        assert decode(encode(entry)) == entry


def test_the_keys_of_a_journal_entry_are_these():
    entry = AlarmCommandEntry(T0, CommandEnvelope(ALARM_COMMANDS[0], "nurse", None, "4711"))
    assert unpack(encode(entry)) == {
        "format": 1,
        "now": T0,
        "kind": "alarm-command",
        "envelope": {
            "command": {"verb": "acknowledge", "stream": "a", "alarm": "hr-high", "occurrence": 1},
            "actor": "nurse",
            "comment": None,
            "transaction": "4711",
        },
    }


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"format": 2}, r"a journal entry has format 2, written by .* \(legal: format 1; "),
        ({"kind": "pause"}, r"a journal entry is of kind 'pause' \(legal: readings, stale, tick, "),
    ],
)
def test_an_entry_of_another_tocsin_is_refused(changes, error):
    body = pack(unpack(encode(TickEntry(T0))) | changes)
    with pytest.raises(ValueError, match=error):
        decode(body)
