"""`python -m dashboards`: write the JSON that Grafana reads."""

from pathlib import Path

from dashboards import rendered

if __name__ == "__main__":
    folder = Path(__file__).parents[2] / "config" / "grafana" / "dashboards"
    for name, text in rendered().items():
        (folder / name).write_text(text, encoding="utf-8")
