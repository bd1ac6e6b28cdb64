"""What may stand in the configuration.

Unknown keys are refused. Durations are seconds, as the names say (`_s`), or a number with a unit (`"2 min"`). Every
value can be given by the environment too, `TOCSIN_BROKER__HOST` for `broker.host`, and the environment wins.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    TypeAdapter,
    ValidationError,
    WithJsonSchema,
    model_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from tocsin.config.alarm_condition import AlarmCondition
from tocsin.config.alarm_policy import AlarmPolicyEntry, Defaults, Groups, Inhibits
from tocsin.config.conditions.measurement import SilentEntry
from tocsin.config.conditions.score import ScoreEntry
from tocsin.config.notify import Notify
from tocsin.config.overrides import OverrideEntry
from tocsin.config.types import Name, Seconds, Section, listed
from tocsin.engine.events import Category, Priority
from tocsin.engine.frames.assembler import Aggregation
from tocsin.ingest.formats import registry

Port = Annotated[int, Field(ge=0, le=65535)]


class TlsEntry(Section):
    """Encryption to the broker."""

    ca_file: Path | None = Field(default=None, description="Certificates to trust; the system's where it is left out.")
    cert_file: Path | None = Field(default=None, description="The daemon's own certificate.")
    key_file: Path | None = Field(default=None, description="Its private key.")

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("cert_file and key_file belong together: give both or none")
        return self


class Broker(Section):
    """The MQTT broker."""

    host: str = Field(default="localhost", min_length=1)
    port: Port = 1883
    version: Annotated[
        Literal["5", "3.1.1"],
        BeforeValidator(lambda value: str(value) if type(value) is int else value),  # 5 is a number to YAML
        WithJsonSchema({"enum": ["5", "3.1.1", 5]}),
    ] = Field(default="5", description="Of MQTT.")
    client_id: str = Field(
        default="tocsin", min_length=1, max_length=64, description="Keeps the session: one daemon, one id."
    )
    username: str | None = None
    password: SecretStr | None = None
    password_file: Path | None = Field(default=None, description="A file that holds the password and nothing else.")
    tls: TlsEntry | None = None
    keepalive_s: Annotated[Seconds, Field(le=65535)] = 30.0
    session_expiry_s: Seconds = Field(default=3600.0, description="How long the broker queues while we are away.")
    receive_maximum: int = Field(default=1000, ge=1, le=65535, description="Unacknowledged messages in flight.")

    @model_validator(mode="after")
    def _one_password(self) -> Self:
        if self.password is not None and self.password_file is not None:
            raise ValueError("password and password_file exclude each other: keep one")
        if self.username is None and (self.password or self.password_file):
            raise ValueError("a password needs a username")
        return self


def _named(value: object) -> object:
    return {"field": value} if isinstance(value, str) else value


class ChannelField(Section):
    """Where a channel's values stand, and in which unit."""

    field: str | None = Field(
        default=None, description="What the payload, or {channel} in the topic, calls it; the same if left out."
    )
    unit: str | None = Field(
        default=None, description="UCUM code of the unit that the values come in, such as '[degF]'; the channel's own."
    )
    scale: float | None = Field(default=None, description="Instead of a unit: the channel is value × scale + offset.")
    offset: float | None = Field(default=None, description="Likewise.")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.unit is not None and (self.scale is not None or self.offset is not None):
            raise ValueError("unit and scale or offset exclude each other: keep one way")
        if self.scale == 0:
            raise ValueError("scale 0 makes every value the same")
        return self


Names = Annotated[list[Name], Field(min_length=1), BeforeValidator(listed, json_schema_input_type=Name | list[Name])]
Topics = Annotated[list[str], Field(min_length=1), BeforeValidator(listed, json_schema_input_type=str | list[str])]
Mapped = Annotated[ChannelField, BeforeValidator(_named, json_schema_input_type=str | ChannelField)]

# Keys that not every format uses.
_KEYS_OF_FORMATS = ("time", "value", "name", "precision", "primary_host")


def _found(name: str) -> str:
    """Check that a format is built in or installed, and can be used.

    Raises:
        ValueError: The text lists the legal names, or names the fault of the plug-in.
    """
    registry.find(name)
    return name


# The schema for editors lists the built-in formats, whatever is installed where it is written.
FormatName = Annotated[
    str,
    AfterValidator(_found),
    WithJsonSchema({"anyOf": [{"enum": sorted(registry.built_in())}, {"type": "string"}]}),
]


class SourceEntry(Section):
    """Readings that come over some topics, all written the same way."""

    topic: Topics | None = Field(
        default=None,
        description="With captures, such as vitals/{ward}/{bed}; or a list: the first that matches is taken. "
        "{channel} says which channel a topic is of. Sparkplug's own if left out, with format: sparkplug.",
    )
    stream: str | None = Field(
        default=None,
        description="What a stream is called, from the captures; all of them but {channel} joined by / if left out.",
    )
    watch: Names | None = Field(
        default=None, description="Which watch, or watches, take them; needed where there are several."
    )
    qos: Literal[0, 1] = 1
    format: FormatName = Field(
        default="json",
        description="A built-in format, or that of an installed plug-in. auto: by each message's content type (MQTT "
        "5), JSON for a message without one.",
    )
    time: str | None = Field(
        default="t",
        description="JSON: the field that says when a reading was taken: seconds, milli-, micro- or nanoseconds since "
        "1970, or ISO 8601. null: the time of arrival.",
    )
    value: str = Field(default="value", description="JSON with {channel} in the topic: the field with the value.")
    name: str | None = Field(
        default=None,
        description="How the names inside SenML, Sparkplug and Influx payloads are read, such as {bed}/{channel}; the "
        "whole name is the channel's if left out.",
    )
    precision: Literal["ns", "us", "ms", "s"] = Field(default="ns", description="Influx: what its times count.")
    primary_host: Name | None = Field(
        default=None, description="Sparkplug: be the primary host of this name, and say whether it is online."
    )
    labels: list[str] | None = Field(
        default=None, description="Which captures become the stream's labels; all of them if left out."
    )
    channels: dict[Name, Mapped] | None = Field(
        default=None,
        description="Channel to field, or to field and unit; the model's channels under their own names if left out.",
    )
    max_payload_bytes: int = Field(default=65536, ge=1, le=16_777_216, description="A longer body is refused unread.")

    @model_validator(mode="after")
    def _keys_fit_the_format(self) -> Self:
        used = registry.find(self.format)
        for key in _KEYS_OF_FORMATS:
            if key in self.model_fields_set and key not in used.keys:
                formats = [name for name, known in registry.built_in().items() if key in known.keys]
                raise ValueError(f"format {self.format} has no use for {key} (it belongs to {', '.join(formats)})")
        if self.topic is None and not used.topics:
            raise ValueError("topic is missing")
        return self


class AlarmEntry(AlarmCondition, AlarmPolicyEntry):
    """One alarm: exactly one condition, its delays, and its policy."""

    priority: Priority = Priority.MEDIUM
    category: Category | None = Field(
        default=None,
        description="technical for absent, flatline, implausible and silent, physiological otherwise, if left out.",
    )
    on_delay_s: Seconds = Field(default=0.0, description="The condition must hold for so long, in the readings' time.")
    off_delay_s: Seconds = Field(default=0.0, description="It must have ceased for so long.")
    inhibits: list[Inhibits] = Field(default=[], description="Alarms that it keeps quiet while its condition holds.")

    @model_validator(mode="after")
    def _silence_has_no_delays(self) -> Self:
        if isinstance(self.condition, SilentEntry) and (self.on_delay_s or self.off_delay_s):
            raise ValueError("a silent alarm has no delays: set silent.for_s")
        return self

    @model_validator(mode="after")
    def _combines_no_budget(self) -> Self:
        if any(isinstance(member, ScoreEntry) and member.budget for _, member in self.condition.members):
            raise ValueError("a budget is that of a whole alarm: set threshold in a member of all_of or any_of")
        return self


class Adapt(Section):
    """How far thresholds of scores may be adapted to each stream."""

    max_ratio: float = Field(
        default=4.0, gt=1, le=10, description="A stream's threshold is raised to no more than so many times."
    )
    settle_s: Annotated[Seconds, Field(gt=0)] = Field(
        default=3600.0, description="How long a stream is looked at, by frames with a score, before it has one."
    )
    max_rise_per_hour: float = Field(
        default=0.36,
        gt=0,
        le=2,
        description="How fast what is usual of a stream may rise then, as a part of itself in an hour.",
    )


def _how(value: object) -> object:
    """Take true for all defaults, and false for none at all."""
    if value is None or isinstance(value, Adapt | Mapping):
        return value
    try:
        return Adapt() if TypeAdapter(bool).validate_python(value) else None
    except ValidationError:
        raise ValueError(f"should be true, false, or any of {', '.join(Adapt.model_fields)}") from None


class WatchEntry(Section):
    """One model watching streams, and what rings."""

    model: str = Field(description="A bundle's folder, or NAME/VERSION of a shipped one.")
    period_s: Annotated[Seconds, Field(gt=0)] | None = Field(
        default=None, description="The length of a tick, for a bundle of any period; the bundle's own if left out."
    )
    clock: Literal["wall", "event"] = Field(
        default="wall", description="wall for live streams; event for recordings: now is the newest reading's time."
    )
    lateness_s: Seconds = Field(default=0.0, description="How long a tick waits for readings out of order.")
    frame_timeout_s: Seconds | None = Field(
        default=None, description="How long an incomplete frame waits for its missing channels; one tick if left out."
    )
    max_skew_s: Seconds = Field(default=5.0, description="A reading further ahead of the clock is refused.")
    reprocess_late_ticks: int = Field(
        default=0,
        ge=0,
        le=600,
        description="A reading later than lateness_s, at most so many ticks back, is put in, and the stream "
        "is scored again from there; 0: it is refused. Each tick costs memory in every stream.",
    )
    aggregate: dict[Name, Aggregation] = Field(
        default={},
        description="What counts of several values of a channel in one tick: last (if left out), mean, min or max. "
        "With any but last, no frame closes before its tick is over.",
    )
    max_streams: int = Field(default=10_000, ge=1, le=1_000_000, description="Readings of more are refused.")
    evict_after_s: Annotated[Seconds, Field(gt=0)] | None = Field(
        default=None,
        description="A stream of which nothing was heard for so long is given up, unless a command admitted it; none "
        "is if left out.",
    )
    explain_ticks: int = Field(
        default=60,
        ge=0,
        le=3600,
        description="So many frames of each stream are kept, or up to twice as many, to explain an alarm; 0: none.",
    )
    adapt: Annotated[Adapt | None, BeforeValidator(_how, json_schema_input_type=bool | Adapt | None)] = Field(
        default=None,
        description="Whether the threshold of scores rises for streams whose scores are usually higher than those "
        "calibrated on. Beside it a drift alarm should watch.",
    )
    alarms: dict[Name, AlarmEntry] = Field(min_length=1)
    overrides: list[OverrideEntry] = Field(
        default=[],
        description="What is otherwise in some streams. Of each alarm, and of each part of a profile, the first entry "
        "counts that matches a stream's name and says something of it; what was set in the stream goes before.",
    )

    @model_validator(mode="after")
    def _silence_comes_first(self) -> Self:
        for name, alarm in self.alarms.items():
            silent_s = alarm.condition.for_s if isinstance(alarm.condition, SilentEntry) else 0.0
            if self.evict_after_s is not None and silent_s >= self.evict_after_s:
                raise ValueError(
                    f"evict_after_s {self.evict_after_s:g} gives streams up before alarm {name} can ring (legal: more "
                    f"than its silent.for_s, {silent_s:g})"
                )
        return self


class Publish(Section):
    """Where alarms go."""

    base: str = Field(default="tocsin", pattern=r"^[^+#\s/]+(/[^+#\s/]+)*$", description="Prefix of every topic.")
    scores: bool = Field(default=False, description="Publish every frame's score, values and expected band.")


class StoreEntry(Section):
    """What outlives the daemon, in one file: the alarm log, what streams remember, what is still to be told."""

    folder: Path = Field(description="Of the daemon's own: made if it isn't there, and used by one daemon.")
    retain_days: float = Field(
        default=365.0, gt=0, le=36_500, description="How long events and commands stay in their logs."
    )
    max_mb: int = Field(default=1024, ge=16, description="How large the alarm log may be; then the oldest events go.")
    retain_evicted_days: float = Field(
        default=7.0,
        gt=0,
        le=36_500,
        description="How long what a stream remembered is kept after it was given up, should it come back.",
    )
    snapshot_every_s: Annotated[Seconds, Field(ge=1)] = Field(
        default=60.0, description="After a crash at most the inputs of so long are applied again."
    )
    max_pending: int = Field(
        default=100_000, ge=1000, description="How much may wait to be told to one receiver; then the oldest news goes."
    )


class StreamMetrics(Section):
    """Which streams have metrics of their own."""

    streams: list[Annotated[str, Field(min_length=1)]] = Field(
        default=[],
        description="Names of streams; * stands for any text, also one with / in it. None: metrics name no stream.",
    )
    max_streams: int = Field(
        default=50, ge=1, le=100, description="Those that come first; each costs Prometheus some twenty series or more."
    )


class Http(Section):
    """Metrics, health, and the door for commands."""

    host: str = "127.0.0.1"
    port: Port = Field(default=9464, description="0 takes a free one.")
    token_file: Path | None = Field(
        default=None,
        description="A file that holds a secret of 16 characters or more: whoever sends it may command. Without it "
        "commands are taken only where host is this machine alone.",
    )


class Config(BaseSettings):
    """tocsin.yaml."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix="TOCSIN_", env_nested_delimiter="__", validate_default=True
    )

    broker: Broker = Broker()
    sources: list[SourceEntry] = Field(min_length=1)
    watches: dict[Name, WatchEntry] = Field(min_length=1)
    alarms: Defaults = Field(
        default=Defaults(), description="How alarms are handled whose own entries leave it out, by category."
    )
    groups: Groups = Groups()
    publish: Publish = Publish()
    notify: Notify = Notify()
    http: Http = Http()
    metrics: StreamMetrics = StreamMetrics()
    store: StoreEntry | None = Field(default=None, description="Left out: nothing outlives the daemon.")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003  (pydantic-settings calls with these names)
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let the environment win over the file."""
        return env_settings, init_settings
