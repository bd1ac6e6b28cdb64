"""Renamed keys of the configuration, so that a file or a variable with an old key is a fault with the new one."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

# Path of the old key, where * stands for one name or index, and the key's new name.
RENAMED: dict[tuple[str, ...], str] = {
    ("watches", "*", "adapt", "most"): "max_ratio",
    ("watches", "*", "adapt", "per_hour"): "max_rise_per_hour",
    ("watches", "*", "combine"): "aggregate",
    ("watches", "*", "linger_s"): "frame_timeout_s",
    ("watches", "*", "rewind"): "reprocess_late_ticks",
    ("groups", "flood", "per_s"): "window_s",
    ("groups", "flood", "spare"): "except_priorities",
    ("notify", "home_assistant", "prefix"): "discovery_prefix",
    ("store", "keep_streams_days"): "retain_evicted_days",
    ("store", "max_owed"): "max_pending",
}


def renamed(path: Sequence[str | int], *, is_variable: bool = False) -> str | None:
    """Message on an old key at `path`, with its new name; None if the key was not renamed.

    >>> renamed(("watches", "ward", "linger_s"))
    'is now frame_timeout_s (rename it)'
    >>> renamed(("store", "max_owed"), is_variable=True)
    'is now max_pending (set TOCSIN_STORE__MAX_PENDING instead)'
    """
    for old, new in RENAMED.items():
        if len(old) == len(path) and all(part in ("*", given) for part, given in zip(old, path, strict=True)):
            remedy = f"set {variable((*path[:-1], new))} instead" if is_variable else "rename it"
            return f"is now {new} ({remedy})"
    return None


def variable(path: Sequence[str | int]) -> str:
    """Environment variable that sets the value at `path`."""
    return "TOCSIN_" + "__".join(str(part).upper() for part in path)
