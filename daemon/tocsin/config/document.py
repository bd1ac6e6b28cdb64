"""Document of a configuration: the YAML file, with the lines of its values, and faults at them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedBase, CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.reader import ReaderError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

IN_QUOTES = "text with { and } may need quotes"
_PLACEHOLDER = re.compile(r"\{\w+\}")


@dataclass(frozen=True, slots=True)
class Fault:
    """Fault of a configuration.

    Attributes:
        place: File and line, or environment variables.
        path: Keys from the top, joined by dots; empty for the file as a whole.
        message: Fault, and what is legal.
    """

    place: str
    path: str
    message: str

    def __str__(self) -> str:
        """One line: place, path, message."""
        return f"{self.place}: {self.path}: {self.message}" if self.path else f"{self.place}: {self.message}"


class DocumentError(Exception):
    """A file can't be read as YAML.

    Attributes:
        fault: Fault of the file.
    """

    def __init__(self, fault: Fault) -> None:
        super().__init__(str(fault))
        self.fault = fault


@dataclass(frozen=True, slots=True)
class Document:
    """Parsed YAML file.

    Attributes:
        file: Path of the file.
        content: Mappings, sequences and scalars.
    """

    file: Path
    content: dict[str, Any]

    def fault(self, path: Sequence[str | int], message: str) -> Fault:
        """Create a fault at the line of the value at `path`, or of the nearest one above it."""
        return Fault(f"{self.file}:{self._line(path)}", ".".join(str(part) for part in path), message)

    def value(self, path: Sequence[str | int]) -> object:
        """Look up the value at `path`; None where the file has none."""
        node: object = self.content
        for part in path:
            if isinstance(node, CommentedMap):
                node = node.get(part)
            elif isinstance(node, CommentedSeq) and isinstance(part, int) and part < len(node):
                node = node[part]
            else:
                return None
        return node

    def _line(self, path: Sequence[str | int]) -> int:
        node: object = self.content
        line = node.lc.line if isinstance(node, CommentedBase) else 0
        for part in path:
            if isinstance(node, CommentedMap) and part in node:
                if part not in (node.lc.data or {}):  # merged in by <<, from another line
                    break
                line = node.lc.key(part)[0]
            elif isinstance(node, CommentedSeq) and isinstance(part, int) and part < len(node):
                line = node.lc.item(part)[0]
            else:
                break
            node = node[part]
        return int(line) + 1


def read(file: Path) -> Document:
    """Parse a YAML 1.2 file.

    Raises:
        DocumentError: The file can't be read, is no YAML, has a key twice, or is no mapping.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise DocumentError(Fault(str(file), "", f"cannot be read: {error.strerror}")) from error
    except UnicodeDecodeError as error:
        raise DocumentError(Fault(str(file), "", f"is not UTF-8: byte {error.start}")) from error
    try:
        content = YAML(typ="rt").load(text)
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        message = f"character {chr(error.character)!a} is not allowed"
        raise DocumentError(Fault(f"{file}:{line}", "", message)) from error
    except MarkedYAMLError as error:
        line = error.problem_mark.line if error.problem_mark else 0
        raise DocumentError(Fault(f"{file}:{line + 1}", "", _problem(error, text.splitlines()[line:][:1]))) from error
    except (YAMLError, RecursionError) as error:
        raise DocumentError(Fault(str(file), "", "is nested too deeply, or not YAML")) from error
    if not isinstance(content, CommentedMap):
        raise DocumentError(Fault(str(file), "", "is not a mapping of keys to values"))
    return Document(file, content)


def _problem(error: MarkedYAMLError, line: list[str]) -> str:
    """Describe an error without the values that the parser quotes: one may be the password."""
    problem = str(error.problem or error.context or "not YAML").splitlines()[0]
    if problem.startswith("found duplicate key"):
        return problem.partition(" with value ")[0]
    if "password" in "".join(line):
        return "is not YAML: put the password in quotes"
    return f"{problem}: {IN_QUOTES}" if any(_PLACEHOLDER.search(text) for text in line) else problem
