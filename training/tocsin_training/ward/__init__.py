"""A simulated ward: patients' vital signs at 1 Hz, with labelled deteriorations and artefacts; numpy alone."""

from tocsin_training.ward.episodes import Category, Episode, Kind
from tocsin_training.ward.simulator import CHANNELS, Ward

__all__ = ["CHANNELS", "Category", "Episode", "Kind", "Ward"]
