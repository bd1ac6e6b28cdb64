"""The configuration's `notify`: receivers of alarms besides the broker's subscribers."""

from __future__ import annotations

import base64
import binascii
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self

from pydantic import ConfigDict, Field, SecretStr, model_validator

from tocsin.alarm.events import Transition
from tocsin.config.secrets import secret
from tocsin.config.types import Name, Seconds, Section
from tocsin.engine.events import Category, Priority

if TYPE_CHECKING:
    from collections.abc import Iterator

Url = Annotated[str, Field(pattern=r"^https?://[^\s/]+\S*$", max_length=2000)]

_KEY_PREFIX = "whsec_"
_SHORTEST_KEY_BYTES = 24  # Standard Webhooks 1.0.0
_LONGEST_KEY_BYTES = 64


class SinkEntry(Section):
    """The options of a sink.

    Attributes:
        kind: The name of the module in `tocsin.notify` that builds it.
    """

    kind: ClassVar[str]

    def faults(self, folder: Path) -> Iterator[tuple[str, str]]:  # noqa: ARG002  (others read files there)
        """Find what the schema can't: the option at fault, and what is wrong with it.

        Args:
            folder: The configuration's, from which relative file names count.
        """
        yield from ()


class AlertmanagerEntry(SinkEntry):
    """Prometheus' Alertmanager."""

    kind = "alertmanager"

    urls: list[Url] = Field(min_length=1, description="Of each of its cluster, such as http://alertmanager:9093.")
    resend_s: Annotated[Seconds, Field(ge=1)] = Field(
        default=60.0, description="How often what fires is posted again; after four times that it counts as over."
    )
    labels: dict[Annotated[str, Field(pattern=r"^[a-zA-Z_][a-zA-Z0-9_]*$")], str] = Field(
        default={}, description="For all alerts, such as the site."
    )


class WebhookEntry(SinkEntry):
    """A receiver of one signed request an event, by the Standard Webhooks specification."""

    kind = "webhook"

    url: Url
    secret: SecretStr | None = Field(default=None, description="whsec_ and Base64 of 24 to 64 bytes.")
    secret_file: Path | None = Field(default=None, description="A file that holds the secret and nothing else.")
    transitions: list[Transition] = Field(
        default=[*Transition], min_length=1, description="Which changes of an alarm; all if left out."
    )
    priorities: list[Priority] = Field(default=[*Priority], min_length=1)
    categories: list[Category] = Field(default=[*Category], min_length=1)
    timeout_s: Annotated[Seconds, Field(gt=0, le=60)] = 10.0

    @model_validator(mode="after")
    def _one_secret(self) -> Self:
        if self.secret is not None and self.secret_file is not None:
            raise ValueError("secret and secret_file exclude each other: keep one")
        return self

    def signing_key(self, folder: Path) -> bytes | None:
        """The key to sign requests with; None if they aren't signed.

        Raises:
            OSError: `secret_file` can't be read.
            ValueError: The secret is no key.
        """
        if self.secret is not None:
            return signing_key(self.secret.get_secret_value())
        if self.secret_file is None:
            return None
        return signing_key(secret("secret file", folder / self.secret_file))

    def faults(self, folder: Path) -> Iterator[tuple[str, str]]:
        """Find a secret that can't be read, or is no key."""
        try:
            self.signing_key(folder)
        except OSError as error:
            yield "secret_file", f"file {str(self.secret_file)!r} can't be read ({error.strerror or error})"
        except ValueError as error:
            yield "secret" if self.secret is not None else "secret_file", str(error)


class HomeAssistantEntry(Section):
    """Devices for Home Assistant, by its discovery over the same broker."""

    discovery_prefix: str = Field(
        default="homeassistant", pattern=r"^[^+#\s/]+(/[^+#\s/]+)*$", description="As its MQTT integration has it."
    )


class Notify(Section):
    """Receivers of alarms besides the broker's subscribers. Other keys name sinks of installed packages."""

    model_config = ConfigDict(extra="allow")

    alertmanager: AlertmanagerEntry | None = None
    webhooks: dict[Name, WebhookEntry] = Field(default={})
    home_assistant: HomeAssistantEntry | None = None

    def sinks(self) -> Iterator[tuple[str, str, SinkEntry]]:
        """Kind, name and options of each built-in sink."""
        for path, entry in self.entries():
            yield entry.kind, "/".join((entry.kind, *path[1:])), entry

    def entries(self) -> Iterator[tuple[tuple[str, ...], SinkEntry]]:
        """The path below `notify` and the options of each built-in sink, those of mappings first."""
        values = [(key, getattr(self, key)) for key in type(self).model_fields]
        for key, value in values:
            if isinstance(value, dict):
                yield from (((key, name), entry) for name, entry in value.items())
        for key, value in values:
            if isinstance(value, SinkEntry):
                yield (key,), value

    def plugin_options(self) -> dict[str, Any]:
        """The options of sinks of installed packages, by name, not validated."""
        return dict(self.model_extra or {})


def signing_key(text: str) -> bytes:
    """Read a webhook's secret: `whsec_` and Base64, or Base64 alone (Standard Webhooks 1.0.0).

    Raises:
        ValueError: It is no Base64, or of a length that the specification doesn't allow. The secret isn't shown.
    """
    try:
        key = base64.b64decode(text.strip().removeprefix(_KEY_PREFIX), validate=True)
    except binascii.Error:
        raise ValueError("the secret is no Base64 (make one with: openssl rand -base64 32)") from None
    if not _SHORTEST_KEY_BYTES <= len(key) <= _LONGEST_KEY_BYTES:
        raise ValueError(
            f"the secret has {len(key)} bytes (legal: {_SHORTEST_KEY_BYTES} to {_LONGEST_KEY_BYTES}; "
            "make one with: openssl rand -base64 32)"
        )
    return key
