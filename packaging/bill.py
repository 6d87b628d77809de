"""The two documents that go with the executable: its licences as one text, and a bill of materials (CycloneDX).

The same components give the same bytes.
"""

import json
import re
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from inventory import OURS, Component

RULE = "=" * 100
NAMESPACE = uuid.UUID("d0c6c1f4-6b4c-5a52-9a55-0f3f0f2f5a4e")
KNOWN = frozenset((
    "0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "ISC", "MIT", "MIT-0", "PSF-2.0", "Python-2.0.1",
    "ZPL-2.1", "Zlib", "blessing", "bzip2-1.0.6",
))  # fmt: skip
"""Licences that the bill names by their SPDX identifier."""
EXPRESSION = re.compile(r"[\w.()-]+( (AND|OR|WITH) [\w.()-]+)+")


def licences(components: Iterable[Component]) -> str:
    """A table of the components, and each licence text once, headed by those that it is for."""
    listed = list(components)
    texts: dict[str, list[str]] = {}
    for component in listed:
        for text in component.texts:
            texts.setdefault(text.strip(), []).append(_called(component))
    table = [f"{_called(component):45} {component.licence}" for component in listed]
    parts = ["\n".join([f"What {OURS} is made of, and under which licences.", "", *table])]
    parts += ["\n".join([RULE, *names, RULE, "", text]) for text, names in texts.items() if text]
    return "\n\n".join(parts) + "\n"


def cyclonedx(components: Iterable[Component], version: str, built: int) -> str:
    """The bill of materials, of a build at this time, in seconds since 1970."""
    described = [_described(component) for component in components if component.name != OURS]
    bill = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": "",
        "version": 1,
        "metadata": {
            "timestamp": datetime.fromtimestamp(built, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "component": {
                "type": "application",
                "bom-ref": OURS,
                "name": OURS,
                "version": version,
                "licenses": [{"license": {"id": "Apache-2.0"}}],
            },
        },
        "components": described,
        "dependencies": [{"ref": OURS, "dependsOn": [one["bom-ref"] for one in described]}],
    }
    bill["serialNumber"] = f"urn:uuid:{uuid.uuid5(NAMESPACE, json.dumps(bill))}"
    return json.dumps(bill, indent=1) + "\n"


def _described(component: Component) -> dict[str, Any]:
    described: dict[str, Any] = {"type": "library", "bom-ref": component.purl, "name": component.name}
    if component.version:
        described["version"] = component.version
    described["purl"] = component.purl
    described["licenses"] = [_licence(component.licence)]
    if component.files:
        described["evidence"] = {"occurrences": [{"location": file} for file in sorted(component.files)]}
    return described


def _licence(said: str) -> dict[str, Any]:
    if said in KNOWN:
        return {"license": {"id": said}}
    if EXPRESSION.fullmatch(said):
        return {"expression": said}
    return {"license": {"name": said}}


def _called(component: Component) -> str:
    return f"{component.name} {component.version}".strip()
