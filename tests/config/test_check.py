"""Every fault of a configuration is reported: where it stands, what it is, and what would be legal."""

from __future__ import annotations

import re
from textwrap import dedent

import pytest
import toy_bundle
from configurations import LINES

from tocsin.config import check


def test_a_sound_one_has_no_faults_and_loads_its_bundles(tmp_path, faults_of):
    assert faults_of(LINES) == []
    checked = check(tmp_path / "tocsin.yaml")
    assert checked.config.watches["ward"].alarms["hr-high"].above.limit == 120
    assert checked.bundles["ward"].model.name == "toy"


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        (
            "topic: vitals/{ward}/{bed}",
            "topic: tocsin/{what}/{bed}",
            "4: sources.0.topic: 'tocsin/{what}/{bed}' is below publish.base 'tocsin': the daemon would read its own",
        ),
        # Values and keys.
        ("host: localhost", "hots: x", "2: broker.hots: is not a known key"),
        ("host: localhost", "port: 70000", "2: broker.port: Input should be less than or equal to 65535 (found 70000)"),
        ("host: localhost", "port: high", "2: broker.port: Input should be a valid integer, .* (found 'high')"),
        ("host: localhost", "version: 4", "2: broker.version: Input should be '5' or '3.1.1' (found 4)"),
        ("host: localhost", "tls: {cert_file: x}", "2: broker.tls: cert_file and key_file belong together: give both"),
        ("priority: high", "priority: red", "11: .*hr-high.priority: .*'high', 'medium' or 'low' (found 'red')"),
        ("priority: high", "on_delay_s: -1", "11: .*.on_delay_s: .*greater than or equal to 0 (found -1)"),
        (
            "priority: high",
            "on_delay_s: 3 weeks",
            "11: .*on_delay_s: '3 weeks' is no duration (legal: seconds, or .* h or d)",
        ),
        ("limit: 120", "limit: .nan", "10: .*above.limit: Input should be a finite number (found nan)"),
        ("hr-high:", "HR high:", "9: watches.ward.alarms.HR high: is no name"),
        (
            "        above: {channel: hr, limit: 120}\n",
            "",
            "9: .*: no condition given (legal: exactly one of above, absent, ",
        ),
        (
            "priority: high",
            "anomaly: {}",
            "9: watches.ward.alarms.hr-high: above and anomaly given (legal: exactly one of above, absent, ",
        ),
        (
            "above: {channel: hr, limit: 120}",
            "silent: {for_s: 5}\n        on_delay_s: 1",
            "9: .*: a silent alarm has no delays: set silent.for_s",
        ),
        # How alarms are handled.
        ("priority: high", "on_clear: never", "11: .*hr-high.on_clear: .*'end', 'acknowledge' or 'latch'"),
        ("priority: high", "chattering: {}", "11: .*chattering: give either shelve_s or off_delay_s"),
        (
            "priority: high",
            "priority: medium\n        escalate: [{after_s: 60, to: low}]",
            "12: .*escalate.0.to: low is no rise for an alarm of priority medium: leave the step out",
        ),
        (
            "priority: high",
            "escalate: [{after_s: 60, to: high}, {after_s: 90, to: high}]",
            "9: .*hr-high: escalate goes up step by step: high after 90 s can't follow high after 60 s",
        ),
        (
            "priority: high",
            "inhibits: [{alarm: 'spo2-*', equal: [ward]}]",
            "11: .*inhibits.0.alarm: no other alarm is called 'spo2-*' (there are: none)",
        ),
        (
            "watches:",
            "groups: {flood: {begin: 3}}\nwatches:",
            "5: groups.flood: a flood that begins above 3 can't end below 5: set end lower",
        ),
        # Topics and streams.
        ("{ward}/{bed}", "#", "4: sources.0.topic: .*'#' has a wildcard: write {name} instead"),
        ("{ward}/{bed}", "icu", "4: sources.0.topic: 'vitals/icu' has no {capture} to name streams by: set stream"),
        (
            "{bed}\n",
            "{bed}\n    stream: '{room}'\n",
            "5: sources.0.stream: .*{room} is not in .* (it has: {ward}, {bed})",
        ),
        ("{bed}\n", "{bed}\n    watch: icu\n", "5: sources.0.watch: no watch 'icu' (there are: ward)"),
        ("{bed}\n", "{bed}\n    qos: 2\n", "5: sources.0.qos: Input should be 0 or 1 (found 2)"),
        # Models and channels.
        (
            "model: toy",
            "model: tyo",
            "7: watches.ward.model: no bundle 'tyo' (legal: a folder with a manifest.json, .*, or a shipped one: ",
        ),
        ("channel: hr,", "channel: rr,", "10: .*.above.channel: toy measures no 'rr' (it measures: hr, spo2)"),
        (
            "limit: 120",
            "limit: 301",
            "10: .*.above.limit: 301 can never be passed: hr is plausible from 0 to 300 /min, and other values",
        ),
        (
            "above: {channel: hr, limit: 120}",
            "probability: {}",
            "10: .*: probability needs a model of task alarm or classify, and toy is of task forecast: use anomaly",
        ),
        (
            "{bed}\n",
            "{bed}\n    channels: {rr: resp}\n",
            "5: sources.0.channels.rr: toy takes no channel 'rr' (it takes: hr, spo2)",
        ),
        ("{bed}\n", "{bed}\n    channels: {hr: t}\n", "5: sources.0.channels.hr: field 't' is mapped twice"),
        ("{bed}\n", "{bed}\n    channels: {}\n", "5: sources.0.channels: maps no channel"),
        # Conditions.
        (
            "above: {channel: hr, limit: 120}",
            "forecast: {channel: hr, above: 120, probability: 0.5}",
            "10: .*: forecast needs a model of task seq2seq, and toy is of task forecast",
        ),
        (
            "above: {channel: hr, limit: 120}",
            "forecast: {channel: hr, above: 120, below: 40, probability: 0.5}",
            "10: .*.forecast: a forecast crosses one limit: give either above or below",
        ),
        (
            "above: {channel: hr, limit: 120}",
            "rises: {channel: hr, by: 20, within_s: 0.5}",
            "10: .*.rises.within_s: 0.5 s is shorter than a tick of toy (legal: from 1 s)",
        ),
        (
            "above: {channel: hr, limit: 120}",
            "falls: {channel: rr, by: 20, within_s: 5}",
            "10: .*.falls.channel: toy measures no 'rr'",
        ),
        (
            "above: {channel: hr, limit: 120}",
            "news2: {pulse: hr, oxygen: o2}",
            "10: .*.news2.oxygen: toy measures no 'o2' (it measures: hr, spo2)",
        ),
        (
            "above: {channel: hr, limit: 120}",
            "news2: {oxygen: true}",
            "10: .*.news2: news2 needs at least one channel, such as pulse: hr",
        ),
        (
            "above: {channel: hr, limit: 120}",
            "flatline: {channel: rr, for_s: 5}",
            "10: .*.flatline.channel: toy measures no 'rr'",
        ),
        (
            "above: {channel: hr, limit: 120}",
            "all_of: [{above: {channel: hr, limit: 120}}, {below: {channel: rr, limit: 90}}]",
            "10: .*.all_of.1.below.channel: toy measures no 'rr'",
        ),
        (
            "above: {channel: hr, limit: 120}",
            "any_of: [{above: {channel: hr, limit: 120}}]",
            "10: .*.any_of: List should have at least 2 items",
        ),
        (
            "above: {channel: hr, limit: 120}",
            "all_of: [{above: {channel: hr, limit: 120}}, {anomaly: {budget: 1}}]",
            "9: .*.hr-high: a budget is that of a whole alarm: set threshold in a member of all_of or any_of",
        ),
        (
            "above: {channel: hr, limit: 120}",
            "all_of: [{above: {channel: hr, limit: 120}}, {silent: {for_s: 5}}]",
            "10: .*.all_of.1.silent: is not a known key",
        ),
        # Files and passwords.
        ("host: localhost", "tls: {ca_file: ca.pem}", "2: broker.tls.ca_file: file 'ca.pem' does not exist"),
        (
            "host: localhost",
            "username: n\n  password_file: pw",
            "3: broker.password_file: file 'pw' does not exist",
        ),
        ("host: localhost", "password: x", "1: broker: a password needs a username"),
        (
            "host: localhost",
            "username: n\n  password: x\n  password_file: tocsin.yaml",
            "1: broker: password and password_file exclude each other: keep one",
        ),
        ("broker:", "http: {token_file: tok}\nbroker:", "1: http.token_file: file 'tok' does not exist"),
        (
            "broker:",
            "http: {token_file: tocsin.yaml}\nbroker:",
            "1: http.token_file: token file .*tocsin.yaml holds .* characters (legal: 16 or more, printable ASCII",
        ),
    ],
)
def test_one_fault(faults_of, old, new, fault):
    assert old in LINES
    found = faults_of(LINES.replace(old, new))
    assert len(found) == 1, found
    pattern = ".*".join(re.escape(part) for part in fault.split(".*"))
    assert re.match(f"tocsin.yaml:{pattern}", found[0]), found[0]


def test_a_threshold_that_is_no_probability(faults_of):
    of_risk = LINES.replace("model: toy", "model: risk")
    for threshold in (0, 1, 1.5, -0.1):
        text = of_risk.replace("above: {channel: hr, limit: 120}", f"probability: {{threshold: {threshold}}}")
        (fault,) = faults_of(text)
        assert fault.startswith("tocsin.yaml:10: watches.ward.alarms.hr-high.probability.threshold: ")
        assert fault.endswith(f": {threshold} is no probability (legal: between 0 and 1)")
    assert faults_of(of_risk.replace("above: {channel: hr, limit: 120}", "probability: {threshold: 0.3}")) == []
    assert faults_of(of_risk.replace("above: {channel: hr, limit: 120}", "probability: {}")) == []
    assert "use probability" in faults_of(of_risk.replace("above: {channel: hr, limit: 120}", "anomaly: {}"))[0]


def test_a_period_of_its_own_is_for_bundles_of_any_period(tmp_path, faults_of):
    toy_bundle.write(tmp_path / "any", name="any", any_period=True)
    asked = LINES.replace("model: toy", "model: any\n    period_s: 2 min")
    assert faults_of(asked) == []
    assert check(tmp_path / "tocsin.yaml").bundles["ward"].model.period_ns == 120_000_000_000
    assert faults_of(asked.replace("model: any", "model: toy")) == [
        "tocsin.yaml:8: watches.ward.period_s: toy was trained for ticks of 1 s and no others: leave period_s out"
    ]


def test_a_field_for_two_channels(faults_of):
    assert faults_of(LINES.replace("{bed}\n", "{bed}\n    channels: {hr: a, spo2: a}\n")) == [
        "tocsin.yaml:5: sources.0.channels.hr: field 'a' is mapped twice",
        "tocsin.yaml:5: sources.0.channels.spo2: field 'a' is mapped twice",
    ]


TWO = (
    LINES.replace("{bed}\n", "{bed}\n    watch: ward\n")
    + """\
  pumps:
    model: toy
    alarms:
      hr-high:
        above: {channel: hr, limit: 130}
"""
)


@pytest.mark.parametrize(
    ("source", "shared"),
    [
        ("  - {topic: 'pumps/{hall}/{pump}', watch: pumps}", True),
        ("  - {topic: 'pumps/{pump}', watch: pumps}", False),
        ("  - {topic: 'pumps/{hall}/{pump}', stream: 'pumps/{pump}/{hall}', watch: pumps}", False),
        ("  - {topic: 'pumps/{pump}', stream: 'icu/{pump}', watch: pumps}", True),
    ],
)
def test_alarms_of_watches_that_share_a_stream_have_names_of_their_own(faults_of, source, shared):
    faults = faults_of(TWO.replace("watches:", f"{source}\nwatches:"))
    fault = "watches.pumps.alarms.hr-high: watch 'ward' has an alarm of this name too, and both can watch one stream"
    assert [fault in found for found in faults] == [True] * shared


def test_a_source_names_its_watch_where_there_are_several(faults_of):
    two = LINES + "  other: {model: toy, alarms: {odd: {anomaly: {}}}}\n"
    assert faults_of(two) == ["tocsin.yaml:4: sources.0: which watch takes these? set watch to one of ward, other"]
    assert faults_of(two.replace("{bed}\n", "{bed}\n    watch: other\n")) == []


def test_all_faults_at_once_in_the_order_of_their_lines(faults_of):
    text = dedent(
        """\
        watches:
          ward:
            model: tyo
            alarms:
              odd: {anomaly: {}}
          other:
            model: toy
            lateness_s: soon
            alarms:
              odd: {anomaly: {}}
        sources:
          - topic: vitals/#
            watch: unknown
          - {topic: "vitals/{bed}", watch: ward, qos: 7}
        broker:
          prot: 1883
          password_file: nowhere
          username: nurse
        more: true
        """
    )
    found = faults_of(text)
    assert [fault.split(": ")[:2] for fault in found] == [
        ["tocsin.yaml:3", "watches.ward.model"],
        ["tocsin.yaml:8", "watches.other.lateness_s"],
        ["tocsin.yaml:12", "sources.0.topic"],
        ["tocsin.yaml:13", "sources.0.watch"],
        ["tocsin.yaml:14", "sources.1.qos"],
        ["tocsin.yaml:16", "broker.prot"],
        ["tocsin.yaml:19", "more"],
    ]
    # What doesn't fit the schema can't be looked into; mended, it is.
    assert "tocsin.yaml:16: broker.password_file: file 'nowhere' does not exist" in faults_of(
        text.replace("  prot: 1883\n", "")
    )


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("broker:\n  port: 1\n  port: 2\n", 'tocsin.yaml:3: found duplicate key "port"'),
        ("broker:\n\tport: 1\n", r"tocsin.yaml:2: found character '\t' that cannot start any token"),
        ("broker: [1\nhttp: 2\n", "tocsin.yaml:2: expected ',' or ']', but got ':'"),
        ("topic: [v/{bed}]\n", "tocsin.yaml:1: expected ',' or ']', but got '{': text with { and } may need quotes"),
        ("broker: *b\n", "tocsin.yaml:1: found undefined alias 'b'"),
        ("a: 1\n---\nb: 1\n", "tocsin.yaml:2: but found another document"),
        ("http: {}\nhost: \x01\n", r"tocsin.yaml:2: character '\x01' is not allowed"),
        (b"host: \xff\n", "tocsin.yaml: is not UTF-8: byte 6"),
        ("a: " + "[" * 5000, "tocsin.yaml: is nested too deeply, or not YAML"),
        ("- 1\n", "tocsin.yaml: is not a mapping of keys to values"),
        ("just text", "tocsin.yaml: is not a mapping of keys to values"),
        ("", "tocsin.yaml: is not a mapping of keys to values"),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else None,
)
def test_what_is_no_yaml_at_all(faults_of, text, fault):
    found = faults_of(text)
    assert len(found) == 1
    assert found[0].startswith(fault)


def test_a_pattern_without_quotes_is_a_mapping_to_yaml(faults_of):
    text = LINES.replace("{ward}/{bed}", "{ward}/{bed}\n    stream: {bed}")
    assert faults_of(text) == [
        "tocsin.yaml:5: sources.0.stream: should be text, and is a mapping: text with { and } may need quotes"
    ]


@pytest.mark.parametrize(
    ("before", "after", "fault"),
    [
        ("limit: 120}", "limit: 120}\n        on_delay_s: 1.0e+12", "alarms.hr-high.on_delay_s: Input should be less"),
        ("model: toy", "model: toy\n    lateness_s: 1 d", "lateness_s: 86400 holds 8.64e+04 frames open in every"),
        (
            "model: toy",
            "model: toy\n    max_skew_s: 4000 d",
            "max_skew_s: Input should be less than or equal to 315360000",
        ),
        ("host: localhost", "keepalive_s: 70000", "broker.keepalive_s: Input should be less than or equal to 65535"),
    ],
)
def test_durations_that_nothing_could_keep(faults_of, before, after, fault):
    [found] = faults_of(LINES.replace(before, after))
    assert fault in found


def test_a_name_that_is_none(faults_of):
    [found] = faults_of(LINES.replace("hr-high:", "hr/high:"))
    assert found == (
        "tocsin.yaml:9: watches.ward.alarms.hr/high: is no name (legal: lower-case letters, digits, - and _, of which "
        "the last two can't be first)"
    )


def test_a_file_that_is_not_there(tmp_path):
    assert [str(f) for f in check(tmp_path / "nowhere.yaml").faults] == [
        f"{tmp_path}/nowhere.yaml: cannot be read: No such file or directory"
    ]
    assert "Is a directory" in str(check(tmp_path).faults[0])


@pytest.mark.parametrize("key", ["_env_file", "_cli_parse_args", "1", "null", "broken"])
def test_keys_that_no_one_knows(faults_of, key):
    shown = {"null": "None"}.get(key, key)
    assert faults_of(f"{LINES}{key}: x\n") == [f"tocsin.yaml:12: {shown}: is not a known key"]


def test_keys_merged_in_by_an_anchor(faults_of):
    text = LINES.replace("above: {channel: hr, limit: 120}", "<<: &quick {on_delay_s: 5 s}\n        anomaly: {}")
    assert faults_of(text) == []
    assert "on_delay_s" in faults_of(text.replace("5 s", "soon"))[0]


def test_a_broken_bundle_is_named_with_its_fault(tmp_path, faults_of):
    (tmp_path / "toy" / "model.onnx").write_bytes(b"other")
    (fault,) = faults_of(LINES)
    assert fault.startswith(f"tocsin.yaml:7: watches.ward.model: bundle {tmp_path}/toy: model.onnx has sha256")


def test_a_version_of_mqtt_is_a_number_to_yaml(tmp_path, faults_of):
    for written in ("5", '"5"', "3.1.1"):
        assert faults_of(LINES.replace("host: localhost", f"version: {written}")) == []
        assert check(tmp_path / "tocsin.yaml").config.broker.version == written.strip('"')


def test_streams_are_not_evicted_before_they_are_silent(faults_of):
    text = LINES + "      gone: {silent: {for_s: 10 min}}\n"
    (fault,) = faults_of(text.replace("    model: toy\n", "    model: toy\n    evict_after_s: 300\n"))
    assert fault.endswith(
        "evict_after_s 300 evicts streams before alarm gone is raised (legal: more than its silent.for_s, 600)"
    )
    assert faults_of(text.replace("    model: toy\n", "    model: toy\n    evict_after_s: 1 h\n")) == []


def test_a_channel_whose_values_are_combined_must_be_one_of_the_model(faults_of):
    (fault,) = faults_of(LINES.replace("    model: toy\n", "    model: toy\n    aggregate: {hr: mean, rr: max}\n"))
    assert "toy measures no 'rr' (it measures: hr, spo2)" in fault
