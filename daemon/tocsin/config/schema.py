"""Schema of the configuration.

Unknown keys are faults. Durations, with names in `_s`, are seconds or a number with a unit (`"2 min"`). Environment
variables override the file: `TOCSIN_BROKER__HOST` is `broker.host`.
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
    """TLS to the broker."""

    ca_file: Path | None = Field(default=None, description="Trusted certificate authorities; the system's if left out.")
    cert_file: Path | None = Field(default=None, description="Client certificate of the daemon.")
    key_file: Path | None = Field(default=None, description="Private key of the client certificate.")

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("cert_file and key_file belong together: give both or none")
        return self


class Broker(Section):
    """Connection to the MQTT broker."""

    host: str = Field(default="localhost", min_length=1)
    port: Port = 1883
    version: Annotated[
        Literal["5", "3.1.1"],
        BeforeValidator(lambda value: str(value) if type(value) is int else value),  # 5 is a number to YAML
        WithJsonSchema({"enum": ["5", "3.1.1", 5]}),
    ] = Field(default="5", description="MQTT version.")
    client_id: str = Field(
        default="tocsin", min_length=1, max_length=64, description="Name of the session: one daemon, one id."
    )
    username: str | None = None
    password: SecretStr | None = None
    password_file: Path | None = Field(default=None, description="File with the password and nothing else.")
    tls: TlsEntry | None = None
    keepalive_s: Annotated[Seconds, Field(le=65535)] = 30.0
    session_expiry_s: Seconds = Field(
        default=3600.0, description="Time for which the broker queues messages while the daemon is away."
    )
    receive_maximum: int = Field(default=1000, ge=1, le=65535, description="Maximum number of unacknowledged messages.")

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
    """Field of a channel in payloads, and its unit."""

    field: str | None = Field(
        default=None, description="Name in the payload, or of {channel} in the topic; the channel's if left out."
    )
    unit: str | None = Field(
        default=None, description="UCUM code of the values' unit, such as '[degF]'; the channel's if left out."
    )
    scale: float | None = Field(default=None, description="In place of a unit: the channel is value × scale + offset.")
    offset: float | None = Field(default=None, description="In place of a unit: see scale.")

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
    """Source of readings: topics whose payloads have one format."""

    topic: Topics | None = Field(
        default=None,
        description="Topic template with captures, such as vitals/{ward}/{bed}; or a list, of which the first that "
        "matches is taken. {channel} names a channel. With format: sparkplug, Sparkplug's topics if left out.",
    )
    stream: str | None = Field(
        default=None,
        description="Name of a stream by the captures; all of them but {channel}, joined by /, if left out.",
    )
    watch: Names | None = Field(
        default=None, description="Watch or watches that get the readings; required where there are several."
    )
    qos: Literal[0, 1] = 1
    format: FormatName = Field(
        default="json",
        description="A built-in format, or that of an installed plug-in. auto: by each message's content type (MQTT "
        "5), JSON for a message without one.",
    )
    time: str | None = Field(
        default="t",
        description="JSON: field with the time of a reading: seconds, milli-, micro- or nanoseconds since 1970, or ISO "
        "8601. null: the time of arrival.",
    )
    value: str = Field(default="value", description="JSON with {channel} in the topic: field with the value.")
    name: str | None = Field(
        default=None,
        description="Template of the names inside SenML, Sparkplug and Influx payloads, such as {bed}/{channel}; the "
        "whole name is the channel's if left out.",
    )
    precision: Literal["ns", "us", "ms", "s"] = Field(default="ns", description="Influx: unit of times.")
    primary_host: Name | None = Field(
        default=None, description="Sparkplug: name of the primary host that the daemon is, with a STATE of its own."
    )
    labels: list[str] | None = Field(
        default=None, description="Captures that become labels of the stream; all of them if left out."
    )
    channels: dict[Name, Mapped] | None = Field(
        default=None,
        description="Field, or field and unit, by channel; the model's channels under their own names if left out.",
    )
    max_payload_bytes: int = Field(
        default=65536, ge=1, le=16_777_216, description="Longer payloads are rejected unread."
    )

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
    on_delay_s: Seconds = Field(
        default=0.0,
        description="Time for which the condition must hold before the alarm is raised, by the readings' clock.",
    )
    off_delay_s: Seconds = Field(
        default=0.0, description="Time for which the condition must not hold before the alarm clears."
    )
    inhibits: list[Inhibits] = Field(default=[], description="Alarms that are suppressed while its condition holds.")

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
    """Adaptation of score thresholds to each stream."""

    max_ratio: float = Field(
        default=4.0,
        gt=1,
        le=10,
        description="Upper bound of a stream's threshold, as a multiple of the calibrated one.",
    )
    settle_s: Annotated[Seconds, Field(gt=0)] = Field(
        default=3600.0, description="Time with a score for which a stream settles before its threshold is adapted."
    )
    max_rise_per_hour: float = Field(
        default=0.36,
        gt=0,
        le=2,
        description="Fastest relative rise of a settled stream's score quantiles in an hour.",
    )


def _adapt(value: object) -> object:
    """Convert true into the defaults, and false into None."""
    if value is None or isinstance(value, Adapt | Mapping):
        return value
    try:
        return Adapt() if TypeAdapter(bool).validate_python(value) else None
    except ValidationError:
        raise ValueError(f"should be true, false, or any of {', '.join(Adapt.model_fields)}") from None


class WatchEntry(Section):
    """Watch: one model on streams, and its alarms."""

    model: str = Field(description="Folder of a bundle, or NAME/VERSION of a shipped one.")
    period_s: Annotated[Seconds, Field(gt=0)] | None = Field(
        default=None, description="Length of a tick, for a bundle of any period; the bundle's if left out."
    )
    clock: Literal["wall", "event"] = Field(
        default="wall",
        description="wall: processing time, for live streams; event: the newest reading's time, for recordings.",
    )
    lateness_s: Seconds = Field(
        default=0.0, description="Allowed lateness: time for which a tick waits for readings out of order."
    )
    frame_timeout_s: Seconds | None = Field(
        default=None,
        description="Time for which an incomplete frame waits for its missing channels; one tick if left out.",
    )
    max_skew_s: Seconds = Field(default=5.0, description="Readings further ahead of the clock are rejected.")
    reprocess_late_ticks: int = Field(
        default=0,
        ge=0,
        le=600,
        description="Readings later than lateness_s by at most this number of ticks are inserted, and the stream is "
        "scored again from there; 0: they are rejected. Each tick costs memory in every stream.",
    )
    aggregate: dict[Name, Aggregation] = Field(
        default={},
        description="Aggregate of several values of a channel in one tick: last (if left out), mean, min or max. With "
        "any but last, no frame closes before its tick is over.",
    )
    max_streams: int = Field(
        default=10_000, ge=1, le=1_000_000, description="Readings of further streams are rejected."
    )
    evict_after_s: Annotated[Seconds, Field(gt=0)] | None = Field(
        default=None,
        description="Streams idle for this long are evicted, unless a command admitted them; never if left out.",
    )
    explain_ticks: int = Field(
        default=60,
        ge=0,
        le=3600,
        description="Number of frames kept of each stream to explain an alarm, up to twice as many; 0: none.",
    )
    adapt: Annotated[Adapt | None, BeforeValidator(_adapt, json_schema_input_type=bool | Adapt | None)] = Field(
        default=None,
        description="Whether score thresholds rise for streams with higher scores than those of the calibration. Add a "
        "drift alarm to it.",
    )
    alarms: dict[Name, AlarmEntry] = Field(min_length=1)
    overrides: list[OverrideEntry] = Field(
        default=[],
        description="Settings of single streams. For each alarm, and each part of a profile, the first entry applies "
        "that matches the stream's name and sets it; a command's settings of the stream override it.",
    )

    @model_validator(mode="after")
    def _silence_comes_first(self) -> Self:
        for name, alarm in self.alarms.items():
            silent_s = alarm.condition.for_s if isinstance(alarm.condition, SilentEntry) else 0.0
            if self.evict_after_s is not None and silent_s >= self.evict_after_s:
                raise ValueError(
                    f"evict_after_s {self.evict_after_s:g} evicts streams before alarm {name} is raised (legal: more "
                    f"than its silent.for_s, {silent_s:g})"
                )
        return self


class Publish(Section):
    """Messages that the daemon publishes."""

    base: str = Field(default="tocsin", pattern=r"^[^+#\s/]+(/[^+#\s/]+)*$", description="Prefix of all topics.")
    scores: bool = Field(default=False, description="Publish every frame's score, values and expected band.")


class StoreEntry(Section):
    """Persistent state in one file: the alarm log, streams, pending deliveries."""

    folder: Path = Field(description="Folder of one daemon alone; created if it is missing.")
    retain_days: float = Field(
        default=365.0, gt=0, le=36_500, description="Retention of events and commands in their logs."
    )
    max_mb: int = Field(
        default=1024, ge=16, description="Size limit of the alarm log; beyond it the oldest events are deleted."
    )
    retain_evicted_days: float = Field(
        default=7.0,
        gt=0,
        le=36_500,
        description="Retention of the state of evicted streams, from which they are restored.",
    )
    snapshot_every_s: Annotated[Seconds, Field(ge=1)] = Field(
        default=60.0, description="Interval of snapshots: after a crash at most its inputs are applied again."
    )
    max_pending: int = Field(
        default=100_000, ge=1000, description="Limit of pending deliveries per sink; beyond it the oldest are dropped."
    )


class StreamMetrics(Section):
    """Streams with metrics of their own."""

    streams: list[Annotated[str, Field(min_length=1)]] = Field(
        default=[],
        description="Names of streams; * matches any text, / included. None: no metric has a stream.",
    )
    max_streams: int = Field(
        default=50,
        ge=1,
        le=100,
        description="Limit; the first streams count. Each costs Prometheus twenty series or more.",
    )


class Http(Section):
    """HTTP server: metrics, health, and the API."""

    host: str = "127.0.0.1"
    port: Port = Field(default=9464, description="0: a free port.")
    token_file: Path | None = Field(
        default=None,
        description="File with a secret of 16 characters or more that authorizes commands. Without it commands are "
        "accepted only where host is a loopback address.",
    )


class Config(BaseSettings):
    """Whole configuration, such as `tocsin.yaml`."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix="TOCSIN_", env_nested_delimiter="__", validate_default=True
    )

    broker: Broker = Broker()
    sources: list[SourceEntry] = Field(min_length=1)
    watches: dict[Name, WatchEntry] = Field(min_length=1)
    alarms: Defaults = Field(default=Defaults(), description="Defaults of alarm policies by category.")
    groups: Groups = Groups()
    publish: Publish = Publish()
    notify: Notify = Notify()
    http: Http = Http()
    metrics: StreamMetrics = StreamMetrics()
    store: StoreEntry | None = Field(default=None, description="Left out: nothing is persistent.")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003  (pydantic-settings calls with these names)
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Give environment variables precedence over the file."""
        return env_settings, init_settings
