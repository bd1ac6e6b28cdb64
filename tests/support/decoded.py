"""What a decoder made of messages, written as tests like to read it."""

from __future__ import annotations

import math


def rows(decoded):
    """Stream, time and values of each reading; None where nothing was measured."""
    r = decoded.readings
    return [
        (r.streams[s], t, [None if math.isnan(v) else v for v in values])
        for s, t, values in zip(r.stream, r.t.tolist(), r.values.tolist(), strict=True)
    ]


def reasons(decoded):
    """Why each reject was one, and its detail."""
    return [(str(reject.reason), reject.detail) for reject in decoded.rejects]
