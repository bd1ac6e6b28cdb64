"""Answers over HTTP and the metrics page, without what depends on the machine."""

from __future__ import annotations

import base64
import io
import json
import re
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from harness.recording import column_hash

WALL_CLOCK_METRICS = ("duration", "reload_success_timestamp", "journal_bytes")
"""Parts of the names of metrics with values that depend on the machine: only names and labels are recorded."""
_HASH = re.compile(r"sha256:[0-9a-f]{64}")
"""A digest in an answer: it depends on the processor."""
_LONG = 1000


def answer_of(method: str, path: str, response: httpx.Response, folder: Path) -> dict[str, Any]:
    """Return a request with its status and answer; `FOLDER` replaces the folder of the configuration."""
    is_json = response.headers.get("content-type", "").partition(";")[0].endswith("json")
    return {
        "asked": f"{method} {path}",
        "status": int(response.status_code),
        "body": response.json() if is_json else response.text.replace(str(folder), "FOLDER"),
    }


def without_digests(answer: dict[str, Any]) -> dict[str, Any]:
    """Return a copy of an answer without digests that depend on the processor."""
    return json.loads(_HASH.sub("sha256:*", json.dumps(answer)))


def replace_export(body: dict[str, Any], recorded: dict[str, Any]) -> str:
    """Replace an exported state in a recorded answer by its metadata and the SHA-256 of each column.

    Args:
        body: The answer's body.
        recorded: The recorded body, which changes.

    Returns:
        The export as text; empty if the body has none.
    """
    field = next((name for name, text in body.items() if len(str(text)) > _LONG), None)
    if field is None:
        return ""
    with np.load(io.BytesIO(base64.b64decode(body[field])), allow_pickle=False) as arrays:
        metadata = next(name for name in arrays.files if arrays[name].dtype == np.uint8 and arrays[name].ndim == 1)
        recorded[field] = {
            "metadata": {**json.loads(arrays[metadata].tobytes()), "version": ""},
            "columns": {name: column_hash(arrays[name]) for name in arrays.files if name != metadata},
        }
    return str(body[field])


def metric_lines(page: str) -> list[str]:
    """Return the lines of a metrics page, without values that depend on the machine."""
    lines = []
    for line in page.splitlines():
        name = line.partition("{")[0].partition(" ")[0]
        is_volatile = not line.startswith("#") and any(part in name for part in WALL_CLOCK_METRICS)
        lines.append(f"{line.rpartition(' ')[0]} *" if is_volatile else line)
    return lines
