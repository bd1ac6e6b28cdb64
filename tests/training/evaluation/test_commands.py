"""The commands `tocsin evaluate` and `tocsin report`."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from typer import Typer
from typer.testing import CliRunner

from tocsin_training.evaluation import cli, plots, result

COLUMNS = ("--stream", "bed", "--label", "ill")


def command(name, *arguments):
    app = Typer()
    app.command()(getattr(cli, name))
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def evaluated(toy_folder, tmp_path_factory):
    """Evaluate the toy bundle at a threshold between its normal score, 83, and that of a tachycardia."""
    folder = tmp_path_factory.mktemp("evaluated")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        run = command(
            "evaluate", toy_folder / "toy", "--data", toy_folder / "test.parquet",
            "--train", toy_folder / "train.parquet", *COLUMNS, "--threshold", 100, "--on-delay", 2, "--out", "toy.json",
        )  # fmt: skip
    assert run.exit_code == 0, run.output
    return run, result.read(folder / "toy.json"), folder / "toy.json"


def test_the_engine_s_alarms_are_counted(evaluated):
    _, found, _ = evaluated
    own = found.detectors[0].own
    assert (own.events, own.detected, own.false, own.repeats) == (4, 3, 1, 0)
    assert own.delays_s[0] == own.delays_s[2] == 5 + 2, "it begins after 5 s and must last for 2 s"
    assert own.delays_s[1] == float("inf"), "bed 3"
    days = (12 * 400 - 4 * 60) / 86_400
    assert own.figures["false alarms a day"].value == pytest.approx(1 / days)
    assert own.figures["recall"].value == 0.75
    assert own.figures["recall"].low < 0.75 < own.figures["recall"].high
    assert own.figures["delay, median"].value == 7
    assert own.figures["delay, p90"].value == float("inf")
    assert found.extent.events == 4
    assert found.warm_up.median_s == 0


def test_baselines_are_in_the_same_table(evaluated):
    run, found, _ = evaluated
    names = [one.name for one in found.detectors]
    assert names[0] == "toy/1"
    assert {"random", "EWMA", "PCA, Q", "gradient boosting", "untrained RNN"} <= set(names)
    assert found.skipped["NEWS2"].startswith("needs vital signs")
    rate = found.detectors[0].own.figures["false alarms a day"].value
    for one in found.detectors[1:]:
        if one.equal is not None:
            assert one.equal.figures["false alarms a day"].value <= rate * (1 + 1e-9), one.name
    assert "random" in run.output
    assert "gradient boosting" in run.output
    random, boosted = (next(one for one in found.detectors if one.name == n) for n in ("random", "gradient boosting"))
    assert random.figures["AUROC"].value == pytest.approx(0.5, abs=0.1)
    lead, ours = random.behind["average precision"], found.detectors[0].figures["average precision"].value
    assert lead.value == pytest.approx(ours - random.figures["average precision"].value)
    assert lead.low > 0, "significantly better than a random score"
    assert boosted.figures["average precision"].value > 3 * random.figures["average precision"].value


def test_excerpts_are_chosen_by_rule(evaluated):
    _, found, _ = evaluated
    kinds = [stretch.kind for stretch in found.stretches]
    assert kinds == ["detected"] * 3 + ["missed", "false"]
    missed, false = found.stretches[3:]
    assert missed.stream == "bed-3"
    assert false.stream == "bed-1"
    assert false.up[0][0] == 302


class Page(HTMLParser):
    """Counts the elements of a page and its external resources."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.fetched = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        for name, value in attrs:
            if name in {"src", "href", "xlink:href"} and value and not value.startswith("#"):
                self.fetched.append(value)


def test_the_report_is_one_page_without_external_resources(evaluated, tmp_path):
    _, _, path = evaluated
    run = command("report", path, path, "--out", tmp_path / "page.html", "--title", "Toys")
    assert run.exit_code == 0, run.output
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    page = Page(text)
    assert page.fetched == []
    assert "url(http" not in text
    assert page.tags.count("h1") == 1
    assert page.tags.count("h2") == 2, "one per evaluation"
    assert page.tags.count("svg") == 2 * (2 + 5), "a curve, delays, five excerpts"
    assert text.count('role="img"') == page.tags.count("svg")
    ids = re.findall(r' id="([^"]+)"', text)
    assert len(ids) == len(set(ids))


def test_plots_are_reproduced_byte_for_byte(evaluated):
    _, found, _ = evaluated
    assert plots.delays(found, "one") == plots.delays(found, "one")


CONFIGURATION = """\
sources:
  - topic: beds/{{bed}}
watches:
  ward:
    model: {model}
    alarms:
      racing: {{anomaly: {{threshold: 100}}, on_delay_s: 2}}
      fast: {{above: {{channel: hr, limit: 120}}}}
      gone: {{absent: {{channel: hr, for_s: 10}}}}
"""


def test_a_configured_watch_raises_the_alarms_of_the_daemon(toy_folder, tmp_path, monkeypatch, evaluated):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tocsin.yaml").write_text(CONFIGURATION.format(model=toy_folder / "toy"))
    run = command(
        "evaluate", toy_folder / "toy", "--data", toy_folder / "test.parquet", *COLUMNS,
        "--config", "tocsin.yaml", "--no-baselines", "--out", "watch.json",
    )  # fmt: skip
    assert run.exit_code == 0, run.output
    found = result.read(tmp_path / "watch.json")
    assert found.setting.threshold_from == "tocsin.yaml, watch ward, alarm racing"
    score, watch = found.detectors
    assert score.own == evaluated[1].detectors[0].own, "the same threshold and delays"
    assert watch.name == "the whole watch"
    assert (watch.own.detected, watch.own.false, watch.own.repeats) == (3, 2, 3), (
        "each alarm is played back; limits first"
    )
    assert watch.own.delays_s[0] == 5


def test_records_without_events_are_judged_by_false_alarms_alone(toy_folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = command(
        "evaluate", toy_folder / "toy", "--data", toy_folder / "test.parquet",
        "--train", toy_folder / "train.parquet", "--stream", "bed", "--threshold", 100,
    )  # fmt: skip
    assert run.exit_code == 0, run.output
    assert "The records hold no events: every alarm is false." in " ".join(run.output.split())
    assert "is ahead of" not in run.output, "there is nothing to compare with"
    assert "–" not in run.output


def test_faults_name_the_thing_and_the_remedy(toy_folder, tmp_path):
    run = command("evaluate", toy_folder / "toy", "--data", tmp_path)
    assert run.exit_code == 2
    assert "has no recipe.yaml that says where records come from; name a table by --data" in run.output
    run = command("evaluate", toy_folder / "toy", "--data", toy_folder / "test.parquet", "--channels", "hr")
    assert "--channels: 'hr' is no CHANNEL=COLUMN" in run.output
    run = command("evaluate", toy_folder / "toy", "--data", toy_folder / "test.parquet", "--channels", "hr=HR,hr=RR")
    assert "--channels: hr is 'HR' and 'RR'" in run.output
    run = command("evaluate", toy_folder / "toy", "--data", toy_folder / "test.parquet", "--channels", "pulse=hr")
    assert "channels says where pulse stands, which the model doesn't take (it takes hr" in run.output
    run = command("evaluate", toy_folder / "toy", "--data", toy_folder / "test.parquet", "--unit", "fortnight")
    assert "'fortnight' is not one of 'ns'" in run.output
    run = command("evaluate", toy_folder / "toy", "--data", toy_folder / "test.parquet", "--threshold", -5)
    assert "threshold -5 of toy decides nothing (legal: 0 or more)" in run.output
    run = command("evaluate", toy_folder / "toy", "--period", 60)
    assert "toy/1 was made for ticks of 1 s alone; leave --period out" in run.output
    sensor = Path(__file__).parents[3] / "models" / "sensor" / "1"
    run = command("evaluate", sensor, "--period", 0)
    assert run.exit_code == 2
    assert "--period 0: a tick takes some time; give seconds, more than 0" in run.output
    for given, message in (
        ("nan", "threshold nan of sensor"),
        (7, "threshold 7 of sensor"),
        (1, "threshold 1 of sensor"),
    ):
        run = command("evaluate", sensor, "--threshold", given)
        assert run.exit_code == 2
        assert f"{message} decides nothing (legal: a probability below 1)" in run.output
    for name, given, better in (
        ("evaluate", sensor, "evaluation.json"),
        ("report", tmp_path / "odd.json", "report.html"),
    ):
        run = command(name, given, "--out", tmp_path)
        assert run.exit_code == 2
        message = f"error: --out {tmp_path} is a folder; give a file, such as {tmp_path / better}"
        assert message in run.output.replace("\n", ""), "before any work"
    run = command("evaluate", sensor, "--data", tmp_path, "--label", "ill", "--stream", "bed")
    assert f"--stream, --label: of a table, and --data {tmp_path} is none" in run.output.replace("\n", "")
    run = command("evaluate", sensor, "--on-delay", "inf")
    assert run.exit_code == 2
    run = command("evaluate", sensor, "--source", "nowhere")
    assert "--source 'nowhere' is no module:function" in run.output
    run = command("evaluate", sensor, "--watch", "ward")
    assert "--watch ward is of a configuration; name that by --config" in run.output
    run = command("evaluate", tmp_path)
    assert run.exit_code == 2
    assert f"error: no bundle '{tmp_path}'" in run.output.replace("\n", "")
    assert "remedy: give a folder with a manifest.json, or a shipped one's NAME/VERSION" in run.output
    run = command("evaluate", "ward-generator/1", "--data", "/nowhere")
    assert "ward-generator generates streams and judges none; evaluate a bundle of another task" in run.output
    run = command("evaluate", "sensor/1", "--part", "tset")
    assert "simulated sensors have no part 'tset'" in run.output, "a shipped bundle"
    (tmp_path / "odd.json").write_text(json.dumps({"schema_version": 1}))
    run = command("report", tmp_path / "odd.json")
    assert run.exit_code == 2
    assert "setting: Field required; give a file that this version's `tocsin evaluate` wrote" in run.output


def test_a_page_that_cannot_be_written_is_reported(evaluated, tmp_path):
    (tmp_path / "file").write_text("")
    run = command("report", evaluated[2], "--out", tmp_path / "file" / "page.html")
    assert run.exit_code == 2
    assert "/file is no folder; give another place" in run.output.replace("\n", "")
    before = evaluated[2].read_bytes()
    run = command("report", evaluated[2], "--out", evaluated[2])
    assert f"--out {evaluated[2]} is a result to report on" in run.output.replace("\n", "")
    assert evaluated[2].read_bytes() == before
