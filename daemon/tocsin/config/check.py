"""Check of a configuration and of all that it refers to; it reports every fault."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pydantic import ValidationError
from pydantic_settings import SettingsError

from tocsin.config.checks.old_keys import renamed, variable
from tocsin.config.checks.references import ReferenceChecker
from tocsin.config.document import IN_QUOTES, Document, DocumentError, Fault, read
from tocsin.config.schema import Config

if TYPE_CHECKING:
    from pathlib import Path

    from tocsin.bundle import Bundle

_Path = tuple[str | int, ...]

_UNKNOWN_KEY = "is not a known key"

# Texts of pydantic in terms of Python, and their replacements.
_TEXTS = (
    ("Extra inputs are not permitted", _UNKNOWN_KEY),
    ("Field required", "is missing"),
    ("Input should be a valid string", "should be text"),
    (
        "String should match pattern '^[a-z0-9][a-z0-9_-]*$'",
        "is no name (legal: lower-case letters, digits, - and _, of which the last two can't be first)",
    ),
    ("Input should be a valid dictionary", "should hold keys and values"),
    ("Input should be a valid list", "should be a list"),
    ("List should have at least 1 item", "needs at least one entry"),
    ("Dictionary should have at least 1 item", "needs at least one entry"),
)


@dataclass(slots=True)
class Checked:
    """Result of checking a file.

    Attributes:
        file: File of the configuration.
        config: Configuration; None if it doesn't fit the schema.
        bundles: Bundles by watch; complete if there are no faults.
        faults: Faults in the order of their lines.
    """

    file: Path
    config: Config | None = None
    bundles: dict[str, Bundle] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)


def check(file: Path) -> Checked:
    """Read a configuration, load its bundles, and collect all faults."""
    checked = Checked(file)
    try:
        document = read(file)
    except DocumentError as error:
        checked.faults.append(error.fault)
        return checked
    # Keys that can't be keyword arguments: those that are no text, and those that are options of pydantic-settings.
    odd = [key for key in document.content if not isinstance(key, str) or key.startswith("_")]
    checked.faults = [document.fault([key], _UNKNOWN_KEY) for key in odd]
    try:
        checked.config = Config(**{key: value for key, value in document.content.items() if key not in odd})
    except ValidationError as error:
        checked.faults += [_schema_fault(document, entry["loc"], entry["msg"]) for entry in error.errors()]
    except SettingsError as error:
        checked.faults.append(_environment_fault(error))
    references = ReferenceChecker(document)
    references.check(checked.config)
    checked.bundles = references.bundles
    checked.faults += [*references.faults, *_unknown_variables()]
    checked.faults.sort(key=lambda fault: _line(fault.place))
    return checked


def _schema_fault(document: Document, loc: _Path, message: str) -> Fault:
    message = next((text for prefix, text in _TEXTS if message.startswith(prefix)), message)
    message = message.removeprefix("Value error, ")
    # pydantic marks the key of a mapping with '[key]'; the line is that of the entry.
    path = tuple(part for part in loc if part != "[key]")
    given = _variables(path) or (_variables_below(path) if document.value(path) is None else [])
    is_key = message == _UNKNOWN_KEY  # at fault is the key, not its value
    if is_key:
        message = renamed(path, is_variable=bool(given)) or message
    if given:
        return Fault(f"environment {', '.join(given)}", ".".join(str(part) for part in path), message)
    value = document.value(path)
    secret = "password" in path or path == ("broker",)  # a URL in place of a mapping may hold a password
    names_the_value = is_key or repr(value) in message
    if message == "should be text" and isinstance(value, Mapping):
        message = f"{message}, and is a mapping: {IN_QUOTES}"
    if isinstance(value, str | int | float) and not names_the_value and not secret:
        message = f"{message} (found {value!r})"
    return document.fault(path, message)


def _variables(path: _Path) -> list[str]:
    """Find the environment variables that set the value at `path`, in any case."""
    wanted = variable(path)
    return [name for name in os.environ if name.upper() == wanted]


def _variables_below(path: _Path) -> list[str]:
    """Find the environment variables that set values below `path`, or a section that contains it."""
    wanted = variable(path)
    return sorted(n for n in os.environ if n.upper().startswith(f"{wanted}__") or wanted.startswith(f"{n.upper()}__"))


def _unknown_variables() -> list[Fault]:
    """Find variables that set nothing; only those with `__`, as platforms set variables such as TOCSIN_PORT."""
    sections = ", ".join(f"TOCSIN_{name.upper()}__…" for name in Config.model_fields)
    return [
        Fault(f"environment {name}", "", f"sets nothing (legal: {sections})")
        for name in sorted(os.environ)
        if (found := re.match(r"(?i)tocsin_(\w+?)__", name)) and found[1].lower() not in Config.model_fields
    ]


def _environment_fault(error: SettingsError) -> Fault:
    """Fault of a variable that is not JSON."""
    found = re.search(r'field "(\w+)"', str(error))
    path: _Path = (found[1],) if found is not None else ()
    given = _variables(path) or _variables_below(path)
    example = "single values have variables of their own, such as TOCSIN_BROKER__HOST"
    return Fault(f"environment {', '.join(given)}", ".".join(map(str, path)), f"is not JSON ({example})")


def _line(place: str) -> int:
    number = place.rpartition(":")[2]
    return int(number) if number.isdigit() else 0
