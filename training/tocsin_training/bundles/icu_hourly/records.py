"""Records of `icu-vitals/stays.parquet`: one row per stay and hour."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from tocsin_training.bundles.icu_hourly import utility
from tocsin_training.data.dataset import StreamDataset, StreamRecord
from tocsin_training.errors import TrainingError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tocsin_training.data.dataset import DataRequest

FILE = "icu-vitals/stays.parquet"
COLUMNS = {
    "hr": "HR",
    "spo2": "O2Sat",
    "temp": "Temp",
    "sbp": "SBP",
    "map": "MAP",
    "dbp": "DBP",
    "rr": "Resp",
    "etco2": "EtCO2",
    "base_excess": "BaseExcess",
    "hco3": "HCO3",
    "fio2": "FiO2",
    "ph": "pH",
    "paco2": "PaCO2",
    "sao2": "SaO2",
    "ast": "AST",
    "bun": "BUN",
    "alp": "Alkalinephos",
    "calcium": "Calcium",
    "chloride": "Chloride",
    "creatinine": "Creatinine",
    "bilirubin_direct": "Bilirubin_direct",
    "glucose": "Glucose",
    "lactate": "Lactate",
    "magnesium": "Magnesium",
    "phosphate": "Phosphate",
    "potassium": "Potassium",
    "bilirubin_total": "Bilirubin_total",
    "troponin_i": "TroponinI",
    "hct": "Hct",
    "hgb": "Hgb",
    "ptt": "PTT",
    "wbc": "WBC",
    "fibrinogen": "Fibrinogen",
    "platelets": "Platelets",
    "age": "Age",
    "male": "Gender",
    "medical_unit": "Unit1",
    "hospital_hours": "HospAdmTime",
    "hours": "ICULOS",
}
"""Channel → column. `hospital_hours`, in hospital before intensive care, is the column with its sign turned."""


def stays(request: DataRequest) -> StreamDataset:
    """One part of the stays, labelled, with the gain of an alarm over silence in each row."""
    return StreamDataset.of(request.channels, request.period_s, request.delta_cap_s, records(request))


def records(request: DataRequest) -> Iterator[StreamRecord]:
    """One part of the stays, as recorded.

    Raises:
        TrainingError: File, channels or part are missing.
    """
    path = request.folder / FILE
    if not path.exists():
        raise TrainingError(f"{path} is not there; give the folder that holds {FILE} by --data")
    strange = [channel.name for channel in request.channels if channel.name not in COLUMNS]
    if strange:
        raise TrainingError(f"channels {', '.join(strange)} are not in {FILE}; it has {', '.join(COLUMNS)}")
    names = [channel.name for channel in request.channels]
    table = pl.read_parquet(path).filter(pl.col("split") == request.part).sort("stay", "ICULOS")
    if table.is_empty():
        raise TrainingError(f"{path} has no part {request.part!r}; it has train, valid and test")
    values = table.select(pl.col(COLUMNS[name]).cast(pl.Float64).fill_null(float("nan")) for name in names).to_numpy()
    if "hospital_hours" in names:
        column = names.index("hospital_hours")
        values[:, column] = np.maximum(-values[:, column], 0.0)  # a few admissions are dated after the first hour
    hours = table["ICULOS"].to_numpy().astype(np.int64)
    label = table["SepsisLabel"].to_numpy().astype(np.float32)
    stay = table["stay"].to_numpy()
    bounds = np.concatenate([[0], np.flatnonzero(np.diff(stay)) + 1, [len(stay)]])
    for a, b in itertools.pairwise(bounds):
        silence, alarm = utility.rows(label[a:b])
        gain = (alarm - silence).astype(np.float32)
        yield StreamRecord(str(stay[a]), hours[a:b], values[a:b], label[a:b], gain)
