"""Serve an appliance with everything switched on, in the foreground, for any suite to be run against it.

A profile is `multi.toml`, with what another file of this folder says instead.
"""

import argparse
import os
import sys
import tomllib
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PROFILES = ("multi", "noformat", "nohash")


def settings_of(profile: str) -> dict[str, object]:
    """The settings that a profile stands for."""
    return {name: value for part in ("multi", profile) for name, value in _read(part).items()}


def write_settings(profile: str, directory: Path) -> Path:
    """Lay the profile down as the settings file beside the data directory's own files."""
    file = directory / f"{profile}.toml"
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    lines = [f"{name} = {_text(value)}\n" for name, value in settings_of(profile).items()]
    if "image_cache_dir" not in settings_of(profile):
        lines.append(f"image_cache_dir = {_text(str(directory / 'cache'))}\n")
    file.write_text("".join(lines))
    return file


def command(profile: str, directory: Path, image_port: str, identity_port: str, legacy_port: str) -> list[str]:
    """The command that serves this profile; an empty port is a free one."""
    return [
        *(sys.executable, str(ROOT / "appliance.py"), "serve", "--data-dir", str(directory)),
        *("--config", str(write_settings(profile, directory))),
        *("--image-port", image_port or "0", "--identity-port", identity_port or "0"),
        *("--legacy", "--legacy-admin-port", legacy_port or "0"),
    ]


def _read(profile: str) -> dict[str, object]:
    return tomllib.loads((HERE / f"{profile}.toml").read_text())


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return "[" + ", ".join(_text(part) for part in value) + "]"
    return str(value) if isinstance(value, int) else f"'{value}'"


def main() -> int:
    """Become the server that the command line describes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dir", required=True)
    parser.add_argument("--image-port", default="")
    parser.add_argument("--identity-port", default="")
    parser.add_argument("--legacy-admin-port", default="")
    parser.add_argument("--profile", default="multi", choices=PROFILES)
    options = parser.parse_args()
    directory = Path(options.dir or ROOT / "build" / "conformance" / options.profile)
    words = command(options.profile, directory, options.image_port, options.identity_port, options.legacy_admin_port)
    os.execv(words[0], words)


if __name__ == "__main__":
    sys.exit(main())
