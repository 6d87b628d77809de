"""Renew what the console takes from others: `make vendor`, where there are Node and npm.

A file of JavaScript with the view library, one of icons, and one of licences, in the console's `static/vendor`. They
are committed, so that nobody else needs Node. The releases are pinned in `packaging/console/package-lock.json`, and the
same pins give the same bytes.
"""

import json
import subprocess
import sys
from pathlib import Path

from node_modules import from_npm

ROOT = Path(__file__).resolve().parents[1]
PINS = ROOT / "packaging" / "console"
BUILD = ROOT / "build" / "vendor"
TARGET = ROOT / "appliance" / "api" / "console" / "static" / "vendor"
MODULES = BUILD / "node_modules"
PACKED = ("preact", "@preact/signals", "@preact/signals-core", "htm", "lucide-static")
ENTRY = """
export { render } from "preact";
export { useEffect, useRef, useState, useMemo } from "preact/hooks";
export { signal, computed, effect, batch } from "@preact/signals";
export { html } from "htm/preact";
"""
ICONS = (
    "activity", "box", "circle-alert", "circle-check", "copy", "database", "download", "key-round", "layers",
    "layout-dashboard", "link", "log-out", "moon", "network", "pencil", "play", "plug", "plus", "refresh-cw",
    "search", "server", "share-2", "shield-check", "sun", "terminal", "trash", "upload", "user", "users", "x",
)  # fmt: skip


def bundle() -> None:
    """Write the three files."""
    TARGET.mkdir(parents=True, exist_ok=True)
    (BUILD / "entry.mjs").write_text(ENTRY)
    options = ["--bundle", "--minify", "--format=esm", "--target=es2022", "--legal-comments=none"]
    command = [str(MODULES / ".bin" / "esbuild"), "entry.mjs", *options, f"--outfile={TARGET / 'view.js'}"]
    subprocess.run([*command, "--log-level=warning"], cwd=BUILD, check=True)
    (TARGET / "icons.js").write_text(icons())
    (TARGET / "licenses.txt").write_text(licenses())


def icons() -> str:
    """The drawings as data: the page's policy lets no text become markup."""
    nodes = json.loads((MODULES / "lucide-static" / "icon-nodes.json").read_text())
    drawn = {name: nodes[name] for name in ICONS}
    return f"export const icons = {json.dumps(drawn, separators=(',', ':'))};\n"


def licenses() -> str:
    """What was taken, from whom, and under which terms."""
    parts = []
    for name in PACKED:
        package = json.loads((MODULES / name / "package.json").read_text())
        text = next(file for file in sorted((MODULES / name).iterdir()) if file.name.lower().startswith("licen"))
        parts.append(f"{name} {package['version']} ({package['license']})\n\n{text.read_text().strip()}\n")
    return f"\n{'=' * 100}\n\n".join(parts)


if __name__ == "__main__":
    if sentence := from_npm("new files of others", PINS, BUILD):
        sys.exit(sentence)
    bundle()
