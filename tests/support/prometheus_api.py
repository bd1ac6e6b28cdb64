"""A Prometheus, asked as Grafana asks it."""

from __future__ import annotations

import http
import json
import math
import re
import shutil
import time
import urllib.error
import urllib.parse
import urllib.request

import pytest

BUILT_IN = {"__rate_interval": "4s", "__all": ""}
OF_TWO_MODELS = re.compile("tocsin_shadow_(onsets|frames|difference)_total")
"""In queries of series that there are once two models run side by side."""


def command(folder, port, daemon, *, rules=()):
    """How to start one on a port that scrapes a daemon once a second; skips the test where it isn't installed."""
    program = shutil.which("prometheus")
    if program is None:
        pytest.skip("prometheus is not installed")
    (folder / "prometheus.yml").write_text(
        "global: {scrape_interval: 1s, evaluation_interval: 1s}\n"
        f"rule_files: {json.dumps(list(rules))}\n"
        f"scrape_configs: [{{job_name: tocsin, static_configs: [{{targets: ['127.0.0.1:{daemon}']}}]}}]\n"
    )
    files = [f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/tsdb"]
    return [program, *files, f"--web.listen-address=127.0.0.1:{port}"]


class Prometheus:
    """Its HTTP API, and the dashboards' variables as Grafana would fill them in."""

    def __init__(self, port):
        self._port = port
        self.began = time.time()
        self.variables = dict(BUILT_IN)
        self.choices = {}

    def ask(self, path, **parameters):
        url = f"http://127.0.0.1:{self._port}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=20) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            if error.code == http.HTTPStatus.SERVICE_UNAVAILABLE:  # it is still starting
                raise
            raise AssertionError(f"{parameters}: {json.load(error)['error']}") from error

    def now(self, expression):
        return self.ask("query", query=self.filled(expression))["result"]

    def figures(self, expression):
        """Every finite figure since the demonstration began, by series."""
        found = self.ask("query_range", query=self.filled(expression), start=self.began, end=time.time(), step="1s")[
            "result"
        ]
        by_series = {
            tuple(sorted(series["metric"].items())): [
                float(figure) for _, figure in series["values"] if math.isfinite(float(figure))
            ]
            for series in found
        }
        return {series: figures for series, figures in by_series.items() if figures}

    def filled(self, text):
        return re.sub(r"\$\{?(\w+)\}?", lambda match: self.variables[match[1]], text)

    def choose(self, variable):
        """Fill in one variable: all of it if several may be chosen, otherwise the first, or what was chosen before."""
        found = re.fullmatch(r"label_values\((.*), (\w+)\)", variable["query"])
        names = self.ask(f"label/{found[2]}/values", **{"match[]": self.filled(found[1])})
        assert names, f"nothing to choose from for {variable['name']}"
        self.choices[variable["name"]] = names
        wanted = self.variables.get(variable["name"])
        assert wanted is None or variable["multi"] or wanted in names
        if variable["multi"]:
            self.variables[variable["name"]] = "|".join(names)
        else:
            self.variables.setdefault(variable["name"], names[0])
