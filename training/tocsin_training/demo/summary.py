"""Summary of a demonstration: times of Tocsin's alarms and of fixed limits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tocsin_training.demo.view import PHYSIOLOGICAL
from tocsin_training.simulation.ward.bedside_limits import alarms
from tocsin_training.simulation.ward.episodes import EpisodeCategory

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tocsin_training.demo.scenario import ScriptedWard
    from tocsin_training.demo.view import WardView
    from tocsin_training.simulation.ward.episodes import Episode

DELAY_S = 15  # a monitor's usual delay, beside none
TECHNICAL = "technical"


def lines(scripted: ScriptedWard, view: WardView, elapsed_s: float, figures: Mapping[str, float]) -> list[str]:
    """Lines of the summary, with the bundle's own figures over 200 patients."""
    text = [f"After {elapsed_s:.0f} s of the ward's time:"]
    named = {episode.stream for episode in scripted.script}
    text += [_of(episode, scripted, view, elapsed_s) for episode in scripted.script if episode.onset_s < elapsed_s]
    others = [event for event in view.transitions if event.transition == "raise" and event.stream not in named]
    text += [f"  {event.stream}: {event.alarm} at {event.at_s:.0f} s ({event.category})" for event in others]
    quiet = len(view.beds) - len({event.stream for event in others} | named)
    text.append(f"  {quiet} of {len(view.beds)} beds: no deterioration and no alarm")
    if figures:
        text.append("Measured with the same bundle and engine on simulated patients (docs/ward-lead.md):")
        text += [f"  {name}: {value:g}" for name, value in figures.items()]
    return text


def _of(episode: Episode, scripted: ScriptedWard, view: WardView, elapsed_s: float) -> str:
    head = f"  {episode.stream}: {episode.kind} from {episode.onset_s} s; "
    physiological = view.raised(episode.stream, PHYSIOLOGICAL, episode.onset_s)
    if episode.category is EpisodeCategory.ARTEFACT:
        technical = view.raised(episode.stream, TECHNICAL, episode.onset_s)
        alarmed = (
            f"technical alarm {technical[0].alarm} at {technical[0].at_s:.0f} s" if technical else "no technical alarm"
        )
        return head + alarmed + f", {len(physiological) or 'no'} physiological alarm"
    at_once, delayed = (_limits_at(episode, scripted, delay_s) for delay_s in (0, DELAY_S))
    limits = f"fixed limits {_when(at_once, elapsed_s)}, with {DELAY_S} s delay {_when(delayed, elapsed_s)}"
    if not physiological:
        return head + f"Tocsin has raised no alarm; {limits}"
    at_s = physiological[0].at_s
    lead = "" if at_once is None else f"; {_led(at_once - at_s)}"
    return head + f"Tocsin alarmed at {at_s:.0f} s; {limits}{lead}"


def _led(lead_s: float) -> str:
    return f"lead {lead_s:.0f} s" if lead_s >= 0 else f"{-lead_s:.0f} s after the limits"


def _when(at_s: int | None, elapsed_s: float) -> str:
    if at_s is None:
        return "never"
    return f"at {at_s} s" if at_s <= elapsed_s else f"would have at {at_s} s"


def _limits_at(episode: Episode, scripted: ScriptedWard, delay_s: int) -> int | None:
    """Time at which fixed limits alarm for a scripted episode (in the twin), in seconds since the first reading."""
    twin = scripted.seen(int(episode.relief_s) + 1)
    values = twin[scripted.ward.streams.index(episode.stream)]
    began = np.flatnonzero(alarms(values, delay_s).any(axis=1))
    after = began[began >= episode.onset_s]
    return int(after[0]) if len(after) else None
