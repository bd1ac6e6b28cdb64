"""The condition of an alarm in the configuration: exactly one key of the registered conditions, or a combination."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self

from pydantic import BeforeValidator, ConfigDict, Field, RootModel, create_model, model_validator

from tocsin.config.conditions.entry import ConditionEntry
from tocsin.config.conditions.registry import built_in, installed
from tocsin.config.types import Section
from tocsin.engine.conditions.combination import AllOf, AnyOf

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tocsin.bundle import Bundle
    from tocsin.config.conditions.entry import ConditionFault
    from tocsin.engine.conditions.combination import Combination


class ConditionChoice(Section):
    """Exactly one condition."""

    KEYS: ClassVar[tuple[str, ...]] = ()
    """Keys of the conditions that may be chosen."""

    @property
    def kind(self) -> str:
        """Key of the condition."""
        return next(key for key in self.KEYS if getattr(self, key) is not None)

    @property
    def condition(self) -> ConditionEntry:
        """Settings of the condition."""
        entry: ConditionEntry = getattr(self, self.kind)
        return entry

    @model_validator(mode="after")
    def _one_condition(self) -> Self:
        given = [key for key in self.KEYS if getattr(self, key) is not None]
        if len(given) != 1:
            legal = f"legal: exactly one of {', '.join(self.KEYS)}"
            raise ValueError(f"{' and '.join(given) or 'no condition'} given ({legal})")
        return self


def _field(entry: type[ConditionEntry]) -> tuple[Any, Any]:
    return entry | None, Field(default=None, description=entry.description)


def _broken_field(fault: str) -> tuple[Any, Any]:
    """Field of a plug-in that cannot be used: a fault where it is configured, and nowhere else."""

    def refuse(value: object) -> None:
        if value is not None:
            raise ValueError(fault)

    return Annotated[Any, BeforeValidator(refuse)], Field(default=None, description=fault)


def choice(name: str, base: type[ConditionChoice], fields: dict[str, Any]) -> type[ConditionChoice]:
    """Make a model of one choice among the conditions of a base and others.

    Args:
        name: Name of the model.
        base: Model with the conditions to begin with.
        fields: Type and field of each other condition, by key.
    """
    made: type[ConditionChoice] = create_model(name, __base__=base, __doc__=base.__doc__, __module__=__name__, **fields)
    made.KEYS = (*base.KEYS, *fields)
    return made


_usable, _faults = installed()
_entries = {**built_in(), **_usable}
_broken = {key: _broken_field(fault) for key, fault in _faults.items()}

if TYPE_CHECKING:
    Member = ConditionChoice
else:
    Member = choice(
        "Member", ConditionChoice, {k: _field(entry) for k, entry in _entries.items() if entry.combinable} | _broken
    )


class CombinationEntry(RootModel[list[Member]], ConditionEntry):
    """Two members or more."""

    model_config = ConfigDict(frozen=True)

    combination: ClassVar[type[Combination]]

    root: Annotated[list[Member], Field(min_length=2)]

    @property
    def members(self) -> tuple[tuple[str, ConditionEntry], ...]:
        return tuple((member.kind, member.condition) for member in self.root)

    def build(self, bundle: Bundle) -> Combination:
        return self.combination(tuple(member.build(bundle) for _, member in self.members))

    def check(self, bundle: Bundle) -> Iterator[ConditionFault]:
        for index, (key, member) in enumerate(self.members):
            for path, message in member.check(bundle):
                yield (index, key, *path), message


class AllOfEntry(CombinationEntry):
    """Members of `all_of`."""

    key: ClassVar[str] = "all_of"
    description: ClassVar[str] = "All of these hold."
    combination: ClassVar[type[Combination]] = AllOf


class AnyOfEntry(CombinationEntry):
    """Members of `any_of`."""

    key: ClassVar[str] = "any_of"
    description: ClassVar[str] = "One of these holds."
    combination: ClassVar[type[Combination]] = AnyOf


if TYPE_CHECKING:
    AlarmCondition = ConditionChoice
else:
    AlarmCondition = choice(
        "AlarmCondition",
        Member,
        {entry.key: _field(entry) for entry in _entries.values() if not entry.combinable}
        | {entry.key: _field(entry) for entry in (AllOfEntry, AnyOfEntry)},
    )
