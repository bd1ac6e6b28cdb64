"""The trees beside the networks of icu-hourly: its teacher's kind, told the history as the graph tells it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tocsin_training import beside
from tocsin_training.icu.recollection import Recollection
from tocsin_training.icu.teacher import Boosting

if TYPE_CHECKING:
    from tocsin_training.sequences import Sequences


class Grower(Boosting):
    """Trees that learn which rows ringing gains in, from what a stream's state recollects."""

    def __init__(self, data: Sequences, period_s: float) -> None:
        """Tell them of every row, as the graph will."""
        self.teller = Recollection(data.channels, period_s)
        super().__init__(data, beside.told(self.teller, data))
