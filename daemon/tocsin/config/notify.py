"""Who may be told of alarms, beside those who listen to the broker."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, SecretStr, model_validator

from tocsin.alarm.events import Transition
from tocsin.config.durations import Seconds
from tocsin.config.types import Name, Section
from tocsin.engine.events import Category, Priority

Url = Annotated[str, Field(pattern=r"^https?://[^\s/]+\S*$", max_length=2000)]


class AlertmanagerEntry(Section):
    """Prometheus' Alertmanager."""

    urls: list[Url] = Field(min_length=1, description="Of each of its cluster, such as http://alertmanager:9093.")
    resend_s: Annotated[Seconds, Field(ge=1)] = Field(
        default=60.0, description="How often what fires is told again; after four times that it counts as over."
    )
    labels: dict[Annotated[str, Field(pattern=r"^[a-zA-Z_][a-zA-Z0-9_]*$")], str] = Field(
        default={}, description="For all alerts, such as the site."
    )


class WebhookEntry(Section):
    """A receiver of one signed request an event, by the Standard Webhooks specification."""

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


class HomeAssistantEntry(Section):
    """Devices for Home Assistant, by its discovery over the same broker."""

    discovery_prefix: str = Field(
        default="homeassistant", pattern=r"^[^+#\s/]+(/[^+#\s/]+)*$", description="As its MQTT integration has it."
    )


class Notify(Section):
    """Who is told of alarms beside those who listen to the broker."""

    alertmanager: AlertmanagerEntry | None = None
    webhooks: dict[Name, WebhookEntry] = Field(default={})
    home_assistant: HomeAssistantEntry | None = None
