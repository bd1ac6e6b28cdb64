"""History features as a graph computes them: `history.features`, one step at a time from the stream's state.

An hour without a frame counts as one without measurements; `delta` gives their number. Variances take the place of
spreads: trees split them at the same rows, and they need no root.

Every number is made by additions, products, quotients and comparisons of single floats in a fixed order. Those have
the same bits in PyTorch and in ONNX Runtime, so that every split falls the same way in both. Sums by a kernel do not;
matrix products sum whole numbers only.
"""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from tocsin.engine.model import ChannelKind
from tocsin_training.bundles.icu_hourly import bedside_points
from tocsin_training.bundles.icu_hourly.history import VITALS, WINDOWS
from tocsin_training.nets.cells import shared

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tocsin.bundle.manifest import ChannelEntry

PAST = max(WINDOWS) - 1  # hours before this one that the longest window holds
SHIFTS = (16, 8, 4, 2, 1)  # hours; together more than PAST
FAR = 1e9  # beyond every reading
SO_FAR = ("last", "count", "total", "squares", "lowest", "highest", "first", "before", "age")
"""Statistics of each reading; `total` and `squares` of its distance from `first`, `age` in hours after this one."""


class HistoryFeatures(nn.Module):
    """Feature extractor of icu-hourly, see `tree_ensemble.FeatureExtractor`.

    Attributes:
        state_size: Floats of state a stream.
        features: F.
    """

    of_reading: Tensor
    of_vital: Tensor
    of_order: Tensor
    of_other: Tensor
    when: Tensor
    orders: Tensor
    vitals: Tensor

    def __init__(self, channels: Sequence[ChannelEntry], period_s: float) -> None:
        """Build the extractor for C channels: `VITALS` are vital signs, other readings laboratory orders."""
        super().__init__()
        self.period_s = period_s
        readings = [i for i, channel in enumerate(channels) if channel.kind is ChannelKind.READING]
        names = [channels[i].name for i in readings]
        vital = [name in VITALS for name in names]
        self.points = bedside_points.Points(names)
        self.register_buffer("of_reading", torch.tensor(readings))
        self.register_buffer("of_other", torch.tensor([i for i in range(len(channels)) if i not in readings]))
        self.register_buffer("of_vital", torch.tensor([i for i, known in enumerate(vital) if known]))
        self.register_buffer("of_order", torch.tensor([i for i, known in enumerate(vital) if not known]))
        self.register_buffer("when", torch.arange(-PAST, 0, dtype=torch.float32)[:, None])  # hours, now is 0
        self.register_buffer("orders", torch.ones(vital.count(False), 1))
        self.register_buffer("vitals", torch.ones(vital.count(True), 1))
        self.readings = len(readings)
        self.sizes = [
            *[self.readings] * len(SO_FAR),
            PAST * vital.count(True),
            PAST * self.readings,
            1,  # hours
            bedside_points.PAST + 2,
        ]
        self.state_size = sum(self.sizes)

    def forward(
        self, x: Tensor, mask: Tensor, delta: Tensor, state: Tensor, owner: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Run one hour.

        Args:
            x: (M, C) variants of N rows, those rows themselves first.
            mask: (M, C).
            delta: (N, C) seconds.
            state: (N, S).
            owner: (M,) the row that each is a variant of; None without variants.

        Returns:
            Features (M, F), NaN where unknown, and the state (N, S) after the real rows.
        """
        n = delta.shape[0]
        *retained, values, seen, hours, news = torch.split(state, self.sizes, dim=1)
        since = delta[:, self.of_reading] / self.period_s  # (N, R) hours
        passed = torch.clamp(torch.round(torch.amax(since - retained[-1], dim=1, keepdim=True)), min=1.0)  # (N, 1)
        values, seen = shifted(values, passed - 1.0, PAST), shifted(seen, passed - 1.0, PAST)
        hours = hours + passed

        m = mask[:, self.of_reading]  # (M, R)
        now = x[:, self.of_reading] * m
        so_far = _so_far(now, m, [shared(part, owner) for part in retained[:-1]])
        last, count = so_far[0], so_far[1]
        known = count > 0
        age = shared(since, owner) * (1.0 - m)
        parts = [torch.where(known, last, torch.nan), count, torch.where(known, age, torch.nan), *_summary(so_far)]

        ordered = m[:, self.of_order]
        for past in self._windows(values, seen, retained[0][:, self.of_vital]):
            *of_vital, orders, looks = [shared(part, owner) for part in past]
            parts += _window(now[:, self.of_vital], m[:, self.of_vital], of_vital)
            orders = orders + ordered
            looks = looks + m[:, self.of_vital] @ self.vitals
            parts += [orders, orders @ self.orders, looks, torch.clamp(orders, max=1.0) @ self.orders]

        of_order = known[:, self.of_order]
        latest = torch.amin(torch.where(of_order, age[:, self.of_order], FAR), dim=1, keepdim=True)
        count = count[:, self.of_order]
        total = shared(hours, owner)
        bedside, news = self.points(last, known, shared(bedside_points.passed(news, passed - 1.0), owner), total)
        others = mask[:, self.of_other] > 0
        parts += [
            torch.where(latest < FAR, latest, torch.nan),
            torch.clamp(count, max=1.0) @ self.orders,
            (count @ self.orders) / total,
            bedside,
            torch.where(others, x[:, self.of_other], torch.nan),
        ]
        after = [
            *(part[:n] for part in so_far),
            age[:n],
            torch.cat([values[:, len(self.vitals) :], now[:n, self.of_vital]], dim=1),
            torch.cat([seen[:, self.readings :], m[:n]], dim=1),
            hours,
            news[:n],
        ]
        return torch.cat(parts, dim=1), torch.cat(after, dim=1)

    def _windows(self, values: Tensor, seen: Tensor, last: Tensor) -> list[list[Tensor]]:
        """For each window its hours before this one, see `_window`; then orders (N, L) and looks (N, 1)."""
        m = seen.reshape(-1, PAST, self.readings)
        looks, orders = m[..., self.of_vital], m[..., self.of_order]
        x = values.reshape(looks.shape)
        away = (x - last[:, None]) * looks  # from the last value before this hour: 0 where nothing has moved
        back = looks * self.when
        sums = torch.cat([looks, away, away * away, away * self.when, back, back * self.when, orders], dim=2)
        seldom = (1.0 - looks) * FAR
        least = torch.cat([x * looks + seldom, seldom - x * looks], dim=2)
        features: list[list[Tensor]] = []
        added: Tensor | None = None
        lowest: Tensor | None = None
        end = PAST
        for hours in WINDOWS:  # each holds the one before
            block = slice(PAST + 1 - hours, end)
            more, lower = folded(sums[:, block], operator.add), folded(least[:, block], torch.minimum)
            added = more if added is None else added + more
            lowest = lower if lowest is None else torch.minimum(lowest, lower)
            end = block.start
            vital = len(self.vitals)
            *parts, ordered = torch.split(added, [vital] * 6 + [len(self.orders)], dim=1)
            features.append([*parts, *torch.split(lowest, vital, dim=1), last, ordered, parts[0] @ self.vitals])
        return features


def _so_far(now: Tensor, m: Tensor, retained: Sequence[Tensor]) -> list[Tensor]:
    """`SO_FAR` without the age, including this hour; (M, R) each."""
    last, count, total, squares, lowest, highest, first, before = retained
    there, again = m > 0, count > 0
    first = torch.where(again, first, now)
    away = (now - first) * m
    return [
        torch.where(there, now, last),
        count + m,
        total + away,
        squares + away * away,
        torch.where(there, torch.where(again, torch.minimum(lowest, now), now), lowest),
        torch.where(there, torch.where(again, torch.maximum(highest, now), now), highest),
        first,
        torch.where(there, last, before),
    ]


def _summary(so_far: Sequence[Tensor]) -> list[Tensor]:
    """Mean, minimum, maximum, variance, change since the previous and since the first value; (M, R) each."""
    last, count, total, squares, lowest, highest, first, before = so_far
    known = count > 0
    number = torch.clamp(count, min=1.0)
    mean = total / number
    features = [first + mean, lowest, highest, _variance(squares / number, mean)]
    features = [torch.where(known, part, torch.nan) for part in features]
    return [
        *features,
        torch.where(count > 1, last - before, torch.nan),
        torch.where(known, last - first, torch.nan),
    ]


def _window(now: Tensor, m: Tensor, past: Sequence[Tensor]) -> list[Tensor]:
    """Mean, minimum, maximum, variance and slope per hour of a window that ends now; (M, L) each.

    `past` holds number, sum, sum of squares, sum of hours times values, of hours and of their squares; the minimum, the
    minimum of the negatives; and the origin that values are measured from.
    """
    number, total, squares, moment, when, whens, lowest, highest, origin = past
    away = (now - origin) * m
    number, total, squares = number + m, total + away, squares + away * away
    known, divisor = number > 0, torch.clamp(number, min=1.0)
    mean = total / divisor
    seldom = (1.0 - m) * FAR
    features = [
        origin + mean,
        torch.minimum(lowest, now + seldom),
        -torch.minimum(highest, seldom - now),
        _variance(squares / divisor, mean),
    ]
    trend = number > 2  # noqa: PLR2004  (two make no trend)
    lever = torch.where(trend, whens - when * when / divisor, 1.0)
    slope = (moment - when * total / divisor) / lever
    return [*(torch.where(known, part, torch.nan) for part in features), torch.where(trend, slope, torch.nan)]


def _variance(square: Tensor, mean: Tensor) -> Tensor:
    return torch.clamp(square - mean * mean, min=0.0)


def folded(rows: Tensor, by: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """Reduce (N, L, K) to (N, K), half by half in a fixed order."""
    while rows.shape[1] > 1:
        half = rows.shape[1] // 2
        odd = rows[:, 2 * half :]
        rows = by(rows[:, :half], rows[:, half : 2 * half])
        if odd.shape[1]:
            rows = torch.cat([rows, odd], dim=1)
    return rows[:, 0]


def shifted(ring_buffer: Tensor, hours: Tensor, length: int) -> Tensor:
    """Shift a ring buffer (N, length K), the latest hour last, by hours (N, 1) without content.

    >>> shifted(torch.tensor([[1.0, 2.0, 3.0]]), torch.tensor([[1.0]]), 3)
    tensor([[2., 3., 0.]])
    """
    width = ring_buffer.shape[1] // length
    for by in SHIFTS:
        due = hours >= by
        hours = hours - by * due
        gone = min(by, length) * width
        ring_buffer = torch.where(
            due, torch.cat([ring_buffer[:, gone:], torch.zeros_like(ring_buffer[:, :gone])], dim=1), ring_buffer
        )
    return ring_buffer
