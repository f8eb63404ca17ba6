"""What is handed to Prometheus and Grafana names what there is, and does what it says.

What needs `promtool` is skipped where there is none (the Debian package `prometheus` has it).
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import ClientSession, web
from prometheus_client import Metric

from server.app import create_runner
from server.settings import ServerSettings
from tests.prometheus import Scrape
from tests.test_docs import rows_of
from workers.metrics.registry import new_registry

ROOT = Path(__file__).parents[1]
ALERTS = ROOT / "docs" / "prometheus" / "alerts.yml"
TESTED = ALERTS.with_name("alerts_test.yml")
DASHBOARD = ROOT / "docs" / "grafana" / "imagecensus.json"

#: A name in an expression: one of ours, or of the process.
NAME = re.compile(r"\b(?:imagecensus|process)_\w+")
OURS = "imagecensus_"
OF_HISTOGRAMS = ("_bucket", "_count", "_sum")


async def described(settings: Any) -> dict[str, Metric]:
    """Every metric that a server has, by its name as it is written in expressions."""
    runner = create_runner(settings(ServerSettings))
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        async with ClientSession() as session:
            for path in ("/ping", "/metrics"):  # the second tells of the first
                async with session.get(url + path) as response:
                    text = await response.text()
    finally:
        await runner.cleanup()
    return {
        metric.name + ("_total" if metric.type == "counter" else ""): metric
        for metric in Scrape(text).metrics
    }


def expressions() -> list[tuple[str, str]]:
    """Every expression of dashboard, rules and their tests: where, and what it says."""
    dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    found = [
        (panel["title"], target["expr"])
        for panel in dashboard["panels"]
        for target in panel.get("targets", [])
    ]
    found += [
        (one["name"], one["definition"])
        for one in dashboard["templating"]["list"]
        if one["type"] == "query"
    ]
    groups = yaml.safe_load(ALERTS.read_text(encoding="utf-8"))["groups"]
    found += [(rule["alert"], rule["expr"]) for group in groups for rule in group["rules"]]
    for test in yaml.safe_load(TESTED.read_text(encoding="utf-8"))["tests"]:
        found += [(test["name"], one["series"]) for one in test["input_series"]]
    page = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    shown = re.findall(r"query: (.*)", page)
    for block in re.findall(r"```promql\n(.*?)```", page, re.DOTALL):
        shown += block.splitlines()
    return found + [("metrics.md", text) for text in shown]


async def test_every_metric_is_documented_and_no_other(settings_of: Any) -> None:
    """docs/metrics.md has a row for each, with its kind and its labels."""
    told = await described(settings_of)
    metrics = {name: metric for name, metric in told.items() if name.startswith(OURS)}
    rows = {name: cells for name, cells in rows_of("metrics.md").items() if name.startswith(OURS)}

    assert sorted(rows) == sorted(metrics)
    for name, metric in metrics.items():
        kind, labels, meaning = rows[name]
        assert kind == metric.type, name
        assert meaning, name
        said = [set(sample.labels) - {"le"} for sample in metric.samples]
        if said:
            assert set(re.findall(r"`(\w+)`", labels)) == said[0], name


async def test_dashboard_and_alerts_name_what_there_is(settings_of: Any) -> None:
    """Each metric of theirs is told by a server; labels are its labels."""
    metrics = await described(settings_of)
    histograms = {name for name, metric in metrics.items() if metric.type == "histogram"}
    known = set(metrics) - histograms
    known |= {name + end for name in histograms for end in OF_HISTOGRAMS}
    for where, expression in expressions():
        names = NAME.findall(expression)
        assert names, (where, expression)
        assert set(names) <= known, (where, expression)


def test_labels_in_expressions_are_documented() -> None:
    """A label that is misspelt selects nothing, and nobody is told."""
    rows = rows_of("metrics.md")
    labels = {
        name: set(re.findall(r"`(\w+)`", cells[1]))
        for name, cells in rows.items()
        if name.startswith(OURS)
    }
    for where, expression in expressions():
        for name, selected in re.findall(r"\b(imagecensus_\w+)\{(.*?)\}", expression):
            of = re.sub("_(bucket|count|sum)$", "", name)
            has = labels.get(name, labels.get(of, set())) | {"instance", "le"}
            assert set(re.findall(r"(\w+)=?[=~!]", selected)) <= has, (where, name)


def test_the_dashboard_can_be_imported() -> None:
    """Panels with a place, queries and a source that is asked for; no two in one place."""
    dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    panels = dashboard["panels"]

    assert dashboard["id"] is None
    assert dashboard["schemaVersion"] >= 38
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells
        if panel["type"] != "row":
            assert panel["targets"]
            assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
            assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])


def test_every_alert_is_tried_and_documented() -> None:
    """Each is set off by a test of its own, and has a row in docs/metrics.md."""
    groups = yaml.safe_load(ALERTS.read_text(encoding="utf-8"))["groups"]
    alerts = {rule["alert"] for group in groups for rule in group["rules"]}
    tests = yaml.safe_load(TESTED.read_text(encoding="utf-8"))["tests"]
    fired = {
        one["alertname"]
        for test in tests
        for one in test["alert_rule_test"]
        if one.get("exp_alerts")
    }

    assert fired == alerts
    assert {name for name in rows_of("metrics.md") if name.startswith("Imagecensus")} == alerts


def test_the_registry_is_of_nobody_else() -> None:
    """Two of them tell the same of the process, and share nothing."""
    one, two = new_registry(), new_registry()
    assert {metric.name for metric in one.collect()} == {metric.name for metric in two.collect()}
    assert {"imagecensus_build_info", "python_info"} <= {m.name for m in one.collect()}


def promtool(*arguments: str, said: str | None = None) -> str:
    """What it answers; fails where it finds fault."""
    program = shutil.which("promtool")
    if program is None:
        pytest.skip("there is no promtool (the Debian package `prometheus` has it)")
    answer = subprocess.run(
        [program, *arguments],
        input=said,
        cwd=ALERTS.parent,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return answer.stdout + answer.stderr


def test_promtool_takes_the_rules() -> None:
    """As Prometheus reads them."""
    assert "SUCCESS" in promtool("check", "rules", ALERTS.name)


def test_promtool_tries_the_rules() -> None:
    """What sets each off, and what does not."""
    assert "SUCCESS" in promtool("test", "rules", TESTED.name)


def test_promtool_takes_every_expression(tmp_path: Path) -> None:
    """Those of dashboard and documents as well: as rules that record them."""
    held = {"$__rate_interval": "5m", "$instance": ".*"}
    rules = []
    for number, (_, expression) in enumerate(expressions()):
        if "label_values" in expression:
            continue
        text = expression
        for name, value in held.items():
            text = text.replace(name, value)
        rules.append({"record": f"tried:{number}", "expr": text})
    path = tmp_path / "tried.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "tried", "rules": rules}]}))

    assert "SUCCESS" in promtool("check", "rules", str(path))
