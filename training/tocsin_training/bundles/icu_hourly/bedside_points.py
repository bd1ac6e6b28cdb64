"""Bedside scores as a graph computes them: one hour at a time, with their history in the state.

Points are whole numbers, so matrix products may sum them. A test compares this with `bedside_scores.scores`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from tocsin_training.bundles.icu_hourly.bedside_scores import LATELY, ROOM_AIR
from tocsin_training.errors import TrainingError

if TYPE_CHECKING:
    from collections.abc import Sequence

PAST = LATELY - 1  # hours before this one
FAR = 1e9  # beyond every value

Chart = dict[str, tuple[int, list[tuple[float, int]]]]
"""Channel → the points of the lowest values, and from which value on how many are added."""

NEWS: Chart = {  # see `tocsin.engine.conditions.news2_chart`; rounded values, so one that exceeds 8 reaches 9
    "rr": (3, [(9, -2), (12, -1), (21, 2), (25, 1)]),
    "spo2": (3, [(92, -1), (94, -1), (96, -1)]),
    "sbp": (3, [(91, -1), (101, -1), (111, -1), (220, 3)]),
    "hr": (3, [(41, -2), (51, -1), (91, 1), (111, 1), (131, 1)]),
    "temp": (3, [(351, -2), (361, -1), (381, 1), (391, 1)]),
}
TENTHS = ("temp",)
SOFA: Chart = {
    "platelets": (4, [(20, -1), (50, -1), (100, -1), (150, -1)]),
    "bilirubin_total": (0, [(1.2, 1), (2, 1), (6, 1), (12, 1)]),
    "creatinine": (0, [(1.2, 1), (2, 1), (3.5, 1), (5, 1)]),
    "map": (1, [(70, -1)]),
}
SIRS = (  # channel, sign, beyond what, which of the four criteria
    ("temp", 1, 38, 0),
    ("temp", -1, 36, 0),
    ("hr", 1, 90, 1),
    ("rr", 1, 20, 2),
    ("paco2", -1, 32, 2),
    ("wbc", 1, 12, 3),
    ("wbc", -1, 4, 3),
)
RATIOS = [
    *("hr", "sbp", "map", "dbp", "rr", "temp", "spo2", "fio2", "sao2"),
    *("bun", "creatinine", "chloride", "hco3", "wbc", "platelets"),
]


class Points(nn.Module):
    """Scores of the last values of a ward's readings."""

    of_sirs: Tensor
    of_qsofa: Tensor
    of_ratio: Tensor
    sign: Tensor
    limit: Tensor
    criterion: Tensor
    four: Tensor
    six: Tensor
    qsofa_sign: Tensor
    qsofa_limit: Tensor

    def __init__(self, names: Sequence[str]) -> None:
        """Find the channels among the readings' names.

        Raises:
            TrainingError: A channel is missing.
        """
        super().__init__()
        names = list(names)
        try:
            self.news = Charted(NEWS, names, TENTHS)
            self.sofa = Charted(SOFA, names)
            self.register_buffer("of_sirs", torch.tensor([names.index(name) for name, *_ in SIRS]))
            self.register_buffer("of_qsofa", torch.tensor([names.index("sbp"), names.index("rr")]))
            self.register_buffer("of_ratio", torch.tensor([names.index(name) for name in RATIOS]))
        except ValueError as error:
            raise TrainingError(f"the bedside scores lack a channel: {error}; add it to the recipe") from error
        self.register_buffer("sign", torch.tensor([float(sign) for _, sign, _, _ in SIRS]))
        self.register_buffer("limit", torch.tensor([float(sign * limit) for _, sign, limit, _ in SIRS]))
        self.register_buffer("criterion", torch.eye(4)[[which for *_, which in SIRS]])
        self.register_buffer("four", torch.ones(4, 1))
        self.register_buffer("six", torch.ones(LATELY, 1))
        self.register_buffer("qsofa_sign", torch.tensor([-1.0, 1.0]))
        self.register_buffer("qsofa_limit", torch.tensor([-100.0, 22.0]))

    def forward(self, last: Tensor, known: Tensor, news: Tensor, hours: Tensor) -> tuple[Tensor, Tensor]:
        """Scores (M, D) as `bedside_scores.scores`, with the sum of recent NEWS2 for its mean; and its history.

        Args:
            last: (M, R) last values.
            known: (M, R) whether there is one.
            news: (M, PAST + 2) history of NEWS2 before this hour.
            hours: (M, 1) since the stay began, including this one.
        """
        total, most, lately = torch.split(news, [1, 1, PAST], dim=1)
        now = self.news(last, known)
        total, most = total + now, torch.maximum(most, now)
        lately = torch.cat([lately, now], dim=1)
        sirs = ((last[:, self.of_sirs] * self.sign > self.limit) & known[:, self.of_sirs]).float()
        qsofa = ((last[:, self.of_qsofa] * self.qsofa_sign >= self.qsofa_limit) & known[:, self.of_qsofa]).float()
        columns = [
            *self._ratios(last, known),
            now,
            most,
            total / hours,
            lately @ self.six,  # the sum, a whole number; a mean splits rows in the same places
            self.sofa(last, known),
            torch.clamp(sirs @ self.criterion, max=1.0) @ self.four,
            qsofa @ self.four[:2],
        ]
        return torch.cat(columns, dim=1), torch.cat([total, most, lately[:, 1:]], dim=1)

    def _ratios(self, last: Tensor, known: Tensor) -> list[Tensor]:
        """Ratios (M, 1) each; unknown if a part is."""
        parts = torch.split(torch.where(known[:, self.of_ratio], last[:, self.of_ratio], torch.nan), 1, dim=1)
        hr, sbp, mean, dbp, rr, temp, spo2, fio2, sao2, bun, creatinine, chloride, hco3, wbc, platelets = parts
        fio2 = torch.where(torch.isnan(fio2), ROOM_AIR, fio2)
        pulse = sbp - dbp
        oxygen = spo2 / fio2
        return [
            hr / sbp,
            hr / mean,
            pulse,
            pulse / sbp,
            (sbp + 2.0 * dbp) / 3.0,
            bun / creatinine,
            oxygen,
            sao2 / fio2,
            oxygen / rr,
            chloride + hco3,
            hr - 10.0 * (temp - 37.0),
            wbc / platelets,
        ]


class Charted(nn.Module):
    """Sum of a chart's points; unknown values score nothing."""

    of: Tensor
    edges: Tensor
    more: Tensor
    worth: Tensor
    tenths: Tensor

    def __init__(self, chart: Chart, names: Sequence[str], tenths: Sequence[str] | None = None) -> None:
        """Read a chart; values are rounded half up, those of `tenths` to tenths, unless that is None."""
        super().__init__()
        self.rounded = tenths is not None
        width = max(len(edges) for _, edges in chart.values())
        padded = [[*edges, *[(FAR, 0)] * (width - len(edges))] for _, edges in chart.values()]
        self.register_buffer("of", torch.tensor([names.index(name) for name in chart]))
        self.register_buffer("edges", torch.tensor([[float(edge) for edge, _ in row] for row in padded]))
        self.register_buffer("more", torch.tensor([[float(more)] for row in padded for _, more in row]))
        self.register_buffer("worth", torch.tensor([[float(worth)] for worth, _ in chart.values()]))
        self.register_buffer("tenths", torch.tensor([10.0 if name in (tenths or ()) else 1.0 for name in chart]))

    def forward(self, last: Tensor, known: Tensor) -> Tensor:
        """(M, R) each, to (M, 1)."""
        values, there = last[:, self.of], known[:, self.of].float()
        if self.rounded:
            values = torch.floor(values * self.tenths + 0.5)
        reached = (values[..., None] >= self.edges).float() * there[..., None]
        points: Tensor = reached.flatten(1) @ self.more + there @ self.worth
        return points


def passed(news: Tensor, hours: Tensor) -> Tensor:
    """History of NEWS2 (N, PAST + 2) after hours (N, 1) without a change."""
    total, most, lately = torch.split(news, [1, 1, PAST], dim=1)
    latest = lately[:, -1:]
    total = total + hours * latest
    current = torch.clamp(hours, max=7.0)  # 4 + 2 + 1, more than there are
    for by in (4, 2, 1):
        due = current >= by
        current = current - by * due
        lately = torch.where(due, torch.cat([lately[:, by:], latest.expand(-1, by)], dim=1), lately)
    return torch.cat([total, most, lately], dim=1)
