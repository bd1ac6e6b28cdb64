"""Schema of the configuration.

Unknown keys are faults. Durations, with names in `_s`, are seconds or a number with a unit (`"2 min"`). Environment
variables override the file: `TOCSIN_BROKER__HOST` is `broker.host`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
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
from tocsin.config.sources import SourceEntry
from tocsin.config.types import Name, Seconds, Section
from tocsin.engine.events import Category, Priority
from tocsin.engine.frames.assembler import Aggregation

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
