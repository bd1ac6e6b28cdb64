"""What a configuration says of those who are told of alarms."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tocsin.config.secrets import secret
from tocsin.notify.webhook_signature import key_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tocsin.config.notify import Notify, WebhookEntry


def faults(notify: Notify, folder: Path) -> Iterator[tuple[tuple[str, ...], str]]:
    """Find what is wrong with the receivers: where it stands in the file, and what it is."""
    for name, entry in notify.webhooks.items():
        try:
            signing_key(entry, folder)
        except OSError as error:
            path = ("notify", "webhooks", name, "secret_file")
            yield path, f"file {str(entry.secret_file)!r} can't be read ({error.strerror or error})"
        except ValueError as error:
            key = "secret" if entry.secret is not None else "secret_file"
            yield ("notify", "webhooks", name, key), str(error)


def signing_key(entry: WebhookEntry, folder: Path) -> bytes | None:
    """Find a webhook's signing key; None if its requests aren't signed.

    Args:
        entry: The webhook.
        folder: The configuration's, from which file names count.

    Raises:
        OSError: Its file can't be read.
        ValueError: It can't sign.
    """
    if entry.secret is not None:
        return key_of(entry.secret.get_secret_value())
    if entry.secret_file is None:
        return None
    return key_of(secret("secret file", folder / entry.secret_file))
