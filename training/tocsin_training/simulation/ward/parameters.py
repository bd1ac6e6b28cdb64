"""Parameters of the ward simulator, with their sources.

Comparisons between detectors depend on these figures, so each carries its source; figures without one say *assumption*.
Several sources were read by their abstracts only; where a figure was rounded or carried over from another setting, the
source says so.

Pressure is continuous: a finger cuff (volume clamp) on a step-down ward, calibrated by an arm cuff now and then. A
plain arm cuff gives four values an hour, which is no stream at 1 Hz, and an arterial line is no ward monitor. The
finger cuff also brings the errors that wards have: a hand that moves away from the heart's height shifts both
pressures until the next calibration, which is a gap.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

NEWS2 = "Royal College of Physicians 2017, NEWS2 chart: the columns that score 0 or 1"
MACKOWIAK = "Mackowiak 1992, JAMA 268:1578"
HOORN = "Hoorn study, reference values of baroreflex sensitivity at age 50-75: 5.0 to 8.9 ms/mmHg"
HRAVNAK = (
    "Hravnak 2008, Arch Intern Med 168:1300 (step-down unit, 326 patients, 18,248 h: 111 events that met MET criteria)"
)
BRETELER = (
    "Breteler 2020, Anesthesiology 132:424 (step-down and surgical ward: data loss 6-27 % for HR, 13-34 % for RR)"
)
MOTION_350 = "A characterization of motion affecting pulse oximetry in 350 patients, Anesth Analg 2002;94:S54"
ATLS = "ATLS classification of blood loss, as in Rossaint 2016, Crit Care 20:100, table 2"
PRODIGY = "Khanna 2020, Anesth Analg 131:1012 (PRODIGY: 46 % of 1,335 patients on opioids had respiratory depression)"
FINAPRES = "Imholz 1998, Cardiovasc Res 38:605 (43 papers: systolic -0.8 SD 11.9, diastolic -1.6 SD 8.3 mmHg)"
RAAMAT = "Raamat 2009, Med Eng Phys 31:522 (hand raised by 40 cm: -31 mmHg at the finger)"
VAN_GOOR = "van Goor 2022, PLoS ONE 17:e0268065 (circadian rhythm of HR, RR, temperature on a ward)"
MORRIS = "Morris 2013, Am J Hypertens 26:822 (in bed rest sleep lowers pressure by 8/4 mmHg)"
KARJALAINEN = "Karjalainen 1986, Arch Intern Med 146:1169 (8.5 beats/min for each degree of fever)"
MONITOR = "typical of bedside monitors' manuals: HR over 8-12 beats, SpO2 over 4-16 s, RR over 8 breaths or 30 s"
ASSUMPTION = "assumption"


@dataclass(frozen=True, slots=True)
class Range:
    """A figure that differs between patients or episodes: uniform between two ends.

    Attributes:
        low: The lower end.
        high: The upper end; the same as `low` for a constant.
        unit: UCUM.
        source: Where the figure comes from.
    """

    low: float
    high: float
    unit: str
    source: str

    def draw(self, rng: np.random.Generator) -> float:
        """Draw one value."""
        return float(rng.uniform(self.low, self.high))


@dataclass(frozen=True, slots=True)
class Wander:
    """An Ornstein-Uhlenbeck process.

    Attributes:
        sd: Its standard deviation, in `unit`.
        tau_s: Time constant of its autocorrelation, in seconds.
        unit: UCUM.
        source: Where the figures come from.
    """

    sd: float
    tau_s: float
    unit: str
    source: str


# ---- who lies there -----------------------------------------------------------------------------------------

BASELINE_HR = Range(60, 95, "/min", f"{NEWS2}: 51-90 scores 0, 91-110 scores 1; the middle of it")
BASELINE_SPO2 = Range(94.5, 98.5, "%", f"{NEWS2}: 96 and more scores 0, 94-95 scores 1")
BASELINE_RR = Range(13, 19, "/min", f"{NEWS2}: 12-20 scores 0")
BASELINE_SBP = Range(112, 138, "mm[Hg]", f"{NEWS2}: 111-219 scores 0; upper end {ASSUMPTION}")
BASELINE_DBP = Range(62, 78, "mm[Hg]", f"{ASSUMPTION}: within the bedside limits 50-90 with room for a day's wander")
BASELINE_TEMP = Range(36.4, 37.3, "Cel", f"{MACKOWIAK}: mean 36.8, SD 0.4")

BAROREFLEX = Range(2.0, 8.0, "ms/mm[Hg]", f"{HOORN}; lower end {ASSUMPTION} for the ill")
BAROREFLEX_LAG_S = Range(4.0, 8.0, "s", f"{ASSUMPTION}: vagal arm within a beat, sympathetic arm some 10 s")
FEVER_HR = Range(8.5, 8.5, "/min/Cel", KARJALAINEN)
FEVER_RR = Range(1.5, 1.5, "/min/Cel", ASSUMPTION)

# ---- what rhythms there are: amplitude is half of peak to trough --------------------------------------------

CIRCADIAN_HR = Range(2.0, 5.0, "/min", f"{VAN_GOOR}: rhythmic; amplitude {ASSUMPTION}")
CIRCADIAN_MAP = Range(2.0, 4.0, "mm[Hg]", f"{MORRIS}: half of the fall in sleep")
CIRCADIAN_RR = Range(0.3, 1.0, "/min", f"{VAN_GOOR}: rhythmic; amplitude {ASSUMPTION}")
CIRCADIAN_TEMP = Range(0.15, 0.35, "Cel", f"{MACKOWIAK}: 0.5 from trough to peak")
CIRCADIAN_PEAK_H = Range(15.0, 19.0, "h", f"{MACKOWIAK}: temperature peaks from 16 to 18 h; the others {ASSUMPTION}")
RESPIRATORY_SINUS_HR = Range(0.5, 2.5, "/min", f"{ASSUMPTION}: small at ward patients' age")
RESPIRATORY_MAP = Range(0.5, 2.0, "mm[Hg]", f"{ASSUMPTION}: pressure swings by a few mmHg with breathing")

# ---- what wanders -------------------------------------------------------------------------------------------

WANDER_HR = Wander(3.5, 900, "/min", ASSUMPTION)
WANDER_HR_FAST = Wander(1.2, 8, "/min", ASSUMPTION)
WANDER_MAP = Wander(4.5, 900, "mm[Hg]", f"{ASSUMPTION}; SD over 24 h near 10 mmHg is common, most of it slow")
WANDER_MAP_FAST = Wander(2.0, 8, "mm[Hg]", f"{ASSUMPTION}: Mayer waves of some 10 s")
WANDER_PULSE_PRESSURE = Wander(2.5, 600, "mm[Hg]", ASSUMPTION)
WANDER_RR = Wander(1.5, 300, "/min", ASSUMPTION)
WANDER_RR_FAST = Wander(1.0, 20, "/min", ASSUMPTION)
WANDER_SPO2 = Wander(0.5, 400, "%", ASSUMPTION)
WANDER_TEMP = Wander(0.08, 7200, "Cel", ASSUMPTION)
WANDER_ARRHYTHMIA = Wander(7.0, 3, "/min", f"{ASSUMPTION}: an irregular rhythm seen through the monitor's averaging")

# ---- how it is measured: time constant of the monitor's averaging, noise, resolution, in the channels' order

AVERAGING_S = (
    Range(4, 4, "s", MONITOR),
    Range(4, 4, "s", MONITOR),
    Range(12, 12, "s", MONITOR),
    Range(2, 2, "s", f"{ASSUMPTION}: two to three beats"),
    Range(2, 2, "s", f"{ASSUMPTION}: two to three beats"),
    Range(60, 60, "s", f"{ASSUMPTION}: the probe's own heat capacity"),
)
NOISE_SD = (
    Range(0.5, 0.5, "/min", ASSUMPTION),
    Range(0.4, 0.4, "%", f"{ASSUMPTION}; oximeters' stated accuracy of 2 % is mostly bias, not noise"),
    Range(0.7, 0.7, "/min", ASSUMPTION),
    Range(1.5, 1.5, "mm[Hg]", f"{ASSUMPTION}; {FINAPRES} is mostly bias"),
    Range(1.2, 1.2, "mm[Hg]", f"{ASSUMPTION}; {FINAPRES} is mostly bias"),
    Range(0.03, 0.03, "Cel", ASSUMPTION),
)
RESOLUTION = (1.0, 1.0, 1.0, 1.0, 1.0, 0.1)  # whole numbers and tenths of a degree, as monitors show them
FLOOR = (0.0, 0.0, 0.0, 0.0, 0.0, 20.0)
CEILING = (300.0, 100.0, 120.0, 300.0, 250.0, 45.0)

# ---- how often, a patient and day ---------------------------------------------------------------------------

RATE_SEPSIS = Range(0.02, 0.02, "/d", f"a share of {HRAVNAK}: 0.146 events/d in all; split {ASSUMPTION}")
RATE_HAEMORRHAGE = Range(0.01, 0.01, "/d", f"a share of {HRAVNAK}; split {ASSUMPTION}")
RATE_APNOEA = Range(0.09, 0.09, "/d", f"a share of {HRAVNAK}, well under {PRODIGY}; split {ASSUMPTION}")
RATE_TACHYARRHYTHMIA = Range(0.026, 0.026, "/d", f"a share of {HRAVNAK}; split {ASSUMPTION}")
RATE_ACTIVITY = Range(10, 10, "/d", f"{ASSUMPTION}: turned, washed, sat up, walked to the bathroom")
RATE_MOTION = Range(
    60, 60, "/d", f"{MOTION_350}: 7 % of adults in intensive care move while watched; rate {ASSUMPTION}"
)
RATE_PROBE_OFF = Range(6, 6, "/d", f"{HRAVNAK}: SpO2 absent in 30 % of hours; here some 7 % of time, {ASSUMPTION}")
RATE_FLAT_LINE = Range(1, 1, "/d", ASSUMPTION)
RATE_CUFF_ERROR = Range(6, 6, "/d", f"{ASSUMPTION}: as often as the hand moves between calibrations")
RATE_DROP_OUT = Range(18, 18, "/d", f"{BRETELER}: with the duration below some 6 % of time is lost")

# ---- deteriorations -----------------------------------------------------------------------------------------

SEPSIS_RAMP_S = Range(3600, 4 * 3600, "s", f"{ASSUMPTION}: hours, as the 6.3 h by which an index led in {HRAVNAK}")
SEPSIS_HOLD_S = Range(1800, 3600, "s", f"{ASSUMPTION}: until it is treated")
SEPSIS_HR = Range(12, 28, "/min", f"{ASSUMPTION}, beside fever and baroreflex; SIRS asks for more than 90/min")
SEPSIS_RR = Range(6, 12, "/min", f"{ASSUMPTION}; SIRS asks for more than 20/min, qSOFA for 22/min")
SEPSIS_MAP = Range(-32, -15, "mm[Hg]", f"{ASSUMPTION}; qSOFA asks for a systolic pressure of 100 mmHg or less")
SEPSIS_TEMP = Range(0.8, 2.2, "Cel", f"{ASSUMPTION}; SIRS asks for more than 38.0 Cel")
SEPSIS_SPO2 = Range(-4.0, -1.0, "%", ASSUMPTION)

HAEMORRHAGE_RAMP_S = Range(300, 1800, "s", f"{ASSUMPTION}: 30 % of the blood in 5 to 30 minutes")
HAEMORRHAGE_HOLD_S = Range(600, 1800, "s", f"{ASSUMPTION}: until it is treated")
HAEMORRHAGE_HR = Range(15, 30, "/min", f"{ATLS}: class III, 120-140/min, together with the baroreflex")
HAEMORRHAGE_RR = Range(8, 16, "/min", f"{ATLS}: classes II and III, 20-40/min")
HAEMORRHAGE_MAP = Range(-40, -22, "mm[Hg]", f"{ATLS}: decreased in class III; how far is {ASSUMPTION}")
HAEMORRHAGE_PULSE_PRESSURE = Range(-24, -12, "mm[Hg]", f"{ATLS}: decreased from class II on; how far is {ASSUMPTION}")

APNOEA_RAMP_S = Range(10, 30, "s", ASSUMPTION)
APNOEA_HOLD_S = Range(60, 240, "s", f"{PRODIGY} counts apnoeas above 30 s and depressions of 3 min")
APNOEA_SPO2_DELAY_S = Range(
    18,
    35,
    "s",
    "sleep apnoea, 10 subjects (Stud Health Technol Inform): some 20 s from the end of airflow to a fall of 3 %",
)
APNOEA_SPO2_SLOPE = Range(0.10, 0.35, "%/s", f"{ASSUMPTION}: 10 to 20 % a minute on room air after the delay")
APNOEA_SPO2_LOWEST = Range(70, 84, "%", f"{PRODIGY} counts 85 % and less; how far is {ASSUMPTION}")

TACHYARRHYTHMIA_RAMP_S = Range(3, 10, "s", f"{ASSUMPTION}: sudden")
TACHYARRHYTHMIA_HOLD_S = Range(600, 5400, "s", ASSUMPTION)
TACHYARRHYTHMIA_HR = Range(125, 165, "/min", f"{ASSUMPTION}: new atrial fibrillation, conducted fast")
TACHYARRHYTHMIA_MAP = Range(-18, -5, "mm[Hg]", f"{ASSUMPTION}: less filling")

RECOVERY_S = Range(300, 900, "s", f"{ASSUMPTION}: time constant of the way back once treated")

# ---- what is benign -----------------------------------------------------------------------------------------

ACTIVITY_RAMP_S = Range(20, 60, "s", ASSUMPTION)
ACTIVITY_HOLD_S = Range(60, 300, "s", ASSUMPTION)
ACTIVITY_RECOVERY_S = Range(60, 120, "s", ASSUMPTION)
ACTIVITY_HR = Range(5, 20, "/min", ASSUMPTION)
ACTIVITY_RR = Range(1, 5, "/min", ASSUMPTION)
ACTIVITY_MAP = Range(2, 10, "mm[Hg]", ASSUMPTION)

# ---- artefacts ----------------------------------------------------------------------------------------------

MOTION_MEDIAN_S = 8.0  # MOTION_350: 62 % below 10 s, 5 % above 1 min: a log-normal with this median ...
MOTION_LOG_SD = 1.22  # ... and this spread has 57 % and 5 %
MOTION_LONGEST_S = 300.0
MOTION_HR_SD = Range(4, 15, "/min", ASSUMPTION)
MOTION_SPO2_BIAS = Range(-12, 0, "%", f"{ASSUMPTION}: motion pulls oximeters towards 85 %")
MOTION_SPO2_SD = Range(1, 4, "%", ASSUMPTION)
MOTION_RR_SD = Range(2, 8, "/min", f"{ASSUMPTION}: impedance takes motion for breaths")

PROBE_OFF_JUNK_S = Range(2, 8, "s", f"{ASSUMPTION}: light past the finger, until the monitor notices")
PROBE_OFF_JUNK_SPO2 = Range(68, 92, "%", ASSUMPTION)
PROBE_OFF_S = Range(60, 1800, "s", f"{ASSUMPTION}: until it is put back")

FLAT_LINE_S = Range(30, 600, "s", ASSUMPTION)

CUFF_HAND_CM = Range(-30, 30, "cm", ASSUMPTION)
CUFF_PER_CM = Range(0.775, 0.775, "mm[Hg]/cm", RAAMAT)
CUFF_OFFSET_S = Range(30, 900, "s", ASSUMPTION)
CUFF_CALIBRATION_S = Range(15, 40, "s", f"{ASSUMPTION}: the arm cuff's inflation")

DROP_OUT_MEAN_S = 290.0  # exponential; BRETELER: with RATE_DROP_OUT 6 % of time, the low end of what was measured
DROP_OUT_SHORTEST_S = 3.0
