"""Files that hold a secret and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

SHORTEST_TOKEN = 16


def secret(what: str, file: Path) -> str:
    """Read a secret.

    Args:
        what: How to call the file if it can't be read.
        file: Its name.

    Raises:
        OSError: It can't be read, or is not UTF-8.
    """
    try:
        return file.read_text(encoding="utf-8").rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise OSError(f"{what} {file} is not UTF-8") from error


def token(file: Path) -> str:
    """Read the secret that opens the HTTP door.

    Raises:
        OSError: It can't be read, is not UTF-8, too short to be a secret, or can't be sent in a header.
    """
    found = secret("token file", file)
    if len(found) < SHORTEST_TOKEN or not found.isascii() or not found.isprintable() or " " in found:
        raise OSError(
            f"token file {file} holds {len(found)} characters (legal: {SHORTEST_TOKEN} or more, printable ASCII "
            "without spaces; `openssl rand -hex 32` makes one)"
        )
    return found
