"""Files with a secret and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

SHORTEST_TOKEN = 16


def secret(what: str, file: Path) -> str:
    """Read a secret.

    Args:
        what: Name of the file in error texts.
        file: Path of the file.

    Raises:
        OSError: The file can't be read, or is not UTF-8.
    """
    try:
        return file.read_text(encoding="utf-8").rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise OSError(f"{what} {file} is not UTF-8") from error


def token(file: Path) -> str:
    """Read the token of the HTTP API.

    Raises:
        OSError: The file can't be read or is not UTF-8, or the token is too short or can't be sent in a header.
    """
    found = secret("token file", file)
    if len(found) < SHORTEST_TOKEN or not found.isascii() or not found.isprintable() or " " in found:
        raise OSError(
            f"token file {file} holds {len(found)} characters (legal: {SHORTEST_TOKEN} or more, printable ASCII "
            "without spaces; `openssl rand -hex 32` makes one)"
        )
    return found
