"""The alert rules and the dashboard ask for figures that the appliance really has."""

import json
import re
import ssl
import threading
import urllib.request
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]
from prometheus_client.parser import text_string_to_metric_families

from appliance.settings import Settings
from appliance.wiring import Appliance

MONITORING = Path(__file__).parents[2] / "packaging" / "monitoring"
NAME = re.compile(r"glance_appliance_\w+")


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> str:
    settings = Settings(
        data_dir=tmp_path_factory.mktemp("metrics") / "d",
        image_port=0,
        identity_port=0,
        metrics_port=0,
        tls_cert="self",
        disk_reserve=0,
    )
    with Appliance(settings) as appliance:
        report = appliance.start()
        serving = threading.Thread(target=appliance.run)
        serving.start()
        trusting = ssl.create_default_context(cafile=settings.data_dir / "tls" / "ca.pem")
        urllib.request.urlopen(f"{report.identity_url}/v3", context=trusting).close()
        with urllib.request.urlopen(report.metrics_url, context=trusting) as answer:
            text = str(answer.read().decode())
        appliance.stop()
        serving.join()
    return text


def samples(text: str) -> set[str]:
    return {sample.name for family in text_string_to_metric_families(text) for sample in family.samples}


def rules() -> list[dict[str, str]]:
    found = yaml.safe_load((MONITORING / "alerts.yaml").read_text())
    rules: list[dict[str, str]] = [rule for group in found["groups"] for rule in group["rules"]]
    return rules


def test_every_figure_of_a_rule_is_there(text: str) -> None:
    named = {name for rule in rules() for name in NAME.findall(rule["expr"])}
    # These come with the first one that there is.
    assert named - samples(text) <= {"glance_appliance_log_ins_total", "glance_appliance_nodes"}


def test_every_figure_of_the_dashboard_is_there(text: str) -> None:
    board = json.loads((MONITORING / "dashboard.json").read_text())
    named = {name for panel in board["panels"] for one in panel["targets"] for name in NAME.findall(one["expr"])}
    assert named - samples(text) <= {"glance_appliance_log_ins_total", "glance_appliance_images"}


def test_every_rule_says_how_bad_it_is_and_what_it_means() -> None:
    assert [rule["alert"] for rule in rules() if not (rule.get("labels") and rule.get("annotations"))] == []


def test_no_label_holds_an_id(text: str) -> None:
    labels = {
        value
        for family in text_string_to_metric_families(text)
        for one in family.samples
        for value in one.labels.values()
    }
    assert [value for value in labels if re.search(r"[0-9a-f]{8}", value)] == []
