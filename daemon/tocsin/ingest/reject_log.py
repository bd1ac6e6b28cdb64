"""Log of rejects, limited in rate and memory."""

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
    suppressed: int = 0


class RejectLog:
    """Logs rejects of a reason and stream at most once a minute, with the number suppressed since.

    Lines a minute and memory are bounded too: a publisher can make up any number of streams.
    """

    def __init__(self, *, interval_ns: int = INTERVAL_NS, max_keys: int = MAX_KEYS, max_lines: int = MAX_LINES) -> None:
        """Set the limits.

        Args:
            interval_ns: Time between two lines of a reason and stream, nanoseconds.
            max_keys: Number of reasons and streams that are tracked; those logged longest ago are dropped first.
            max_lines: Maximum number of lines in an interval.
        """
        self._interval_ns = interval_ns
        self._max_keys = max_keys
        self._max_lines = max_lines
        self._seen: OrderedDict[tuple[str, str | None], _Seen] = OrderedDict()  # in the order of their last lines
        self._window_start = 0
        self._window_lines = 0

    def lines(self, rejects: Iterable[Reject], now: int) -> list[str]:
        """Format the rejects that are within the limits.

        Args:
            rejects: Rejects of a batch.
            now: Nanoseconds since 1970 UTC.
        """
        if not 0 <= now - self._window_start < self._interval_ns:  # a clock that was set back opens a new window
            self._window_start, self._window_lines = now, 0
        lines = []
        for reject in rejects:
            key = (str(reject.reason), reject.stream)
            seen = self._seen.get(key)
            if seen is not None and 0 <= now - seen.logged_at < self._interval_ns:
                seen.suppressed += 1
            elif self._window_lines < self._max_lines:
                self._window_lines += 1
                self._seen[key] = _Seen(logged_at=now)
                self._seen.move_to_end(key)
                if len(self._seen) > self._max_keys:
                    self._seen.popitem(last=False)
                lines.append(_line(reject, seen.suppressed if seen is not None else 0))
        return lines

    def report(self, rejects: Iterable[Reject], now: int) -> None:
        """Log the rejects that are within the limits, as warnings."""
        for line in self.lines(rejects, now):
            _LOG.warning("%s", line)


def _line(reject: Reject, suppressed: int) -> str:
    of_stream = f" (stream {reject.stream})" if reject.stream is not None else ""
    times = f" ({reject.count} times in this message)" if reject.count > 1 else ""
    more = f"; {suppressed} more messages like it since the last line" if suppressed else ""
    return f"rejected ({reject.reason}) on {reject.topic}{of_stream}: {reject.detail}{times}{more}"
