"""The Grafana dashboards, as code: `make dashboards` writes config/grafana/dashboards/*.json."""

from __future__ import annotations

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from dashboards import daemon, ward

DASHBOARDS = {"ward": ward.dashboard, "daemon": daemon.dashboard}


def rendered() -> dict[str, str]:
    """Each dashboard's JSON, by its file's name."""
    encoder = JSONEncoder(sort_keys=True, indent=2, ensure_ascii=False)
    files = {}
    for name, make in DASHBOARDS.items():
        made = make().build()
        for number, panel in enumerate(made.panels or [], start=1):
            panel.id_val = number
        files[f"{name}.json"] = encoder.encode(made) + "\n"
    return files
