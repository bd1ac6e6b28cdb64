"""Refusals in the log: enough to find a broken sensor, never so many that it fills a disk."""

from __future__ import annotations

import logging
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tocsin.ingest.reject import Reject

_LOG = logging.getLogger(__name__)

INTERVAL_NS = 60 * 1_000_000_000
MAX_KEYS = 10_000
MAX_LINES = 50


@dataclass(slots=True)
class _Seen:
    logged_at: int
    held_back: int = 0


class RejectLog:
    """Logs a reason and stream at most once a minute, and says how many it held back since.

    A broken sensor repeats itself many times a second, and whoever may publish can make up any number of streams:
    so lines a minute and memory are bounded, too.
    """

    def __init__(self, *, interval_ns: int = INTERVAL_NS, max_keys: int = MAX_KEYS, max_lines: int = MAX_LINES) -> None:
        """Start with nothing seen.

        Args:
            interval_ns: How long a reason and stream stays quiet after a line.
            max_keys: How many reasons and streams are remembered; the ones logged longest ago are forgotten first.
            max_lines: How many lines an interval takes in all.
        """
        self._interval_ns = interval_ns
        self._max_keys = max_keys
        self._max_lines = max_lines
        self._seen: OrderedDict[tuple[str, str | None], _Seen] = OrderedDict()  # the longest quiet first
        self._window_start = 0
        self._window_lines = 0

    def lines(self, rejects: Iterable[Reject], now: int) -> list[str]:
        """Choose what is worth a line.

        Args:
            rejects: What was refused.
            now: Nanoseconds since 1970 UTC.
        """
        if not 0 <= now - self._window_start < self._interval_ns:  # a clock that was set back opens a new window
            self._window_start, self._window_lines = now, 0
        lines = []
        for reject in rejects:
            key = (str(reject.reason), reject.stream)
            seen = self._seen.get(key)
            if seen is not None and 0 <= now - seen.logged_at < self._interval_ns:
                seen.held_back += 1
            elif self._window_lines < self._max_lines:
                self._window_lines += 1
                self._seen[key] = _Seen(logged_at=now)
                self._seen.move_to_end(key)
                if len(self._seen) > self._max_keys:
                    self._seen.popitem(last=False)
                lines.append(_line(reject, seen.held_back if seen is not None else 0))
        return lines

    def report(self, rejects: Iterable[Reject], now: int) -> None:
        """Log what is worth a line, as warnings."""
        for line in self.lines(rejects, now):
            _LOG.warning("%s", line)


def _line(reject: Reject, held_back: int) -> str:
    whose = f" (stream {reject.stream})" if reject.stream is not None else ""
    times = f" ({reject.count} times in this message)" if reject.count > 1 else ""
    more = f"; {held_back} more messages like it since the last line" if held_back else ""
    return f"refused ({reject.reason}) on {reject.topic}{whose}: {reject.detail}{times}{more}"
