"""What was put into the executable when it was built, beside the program."""

import dataclasses
import sys
from pathlib import Path

from appliance.errors import Fatal
from appliance.settings import Settings

LICENCES = "licenses.txt"
NO_SAMPLES = "none"
"""As the setting `sample_images`: register none, not even bundled ones."""


def with_bundled_samples(settings: Settings) -> Settings:
    """The settings, with the executable's own sample images where none are named."""
    bundled = Path(getattr(sys, "_MEIPASS", "")) / "sample-images"
    if settings.sample_images == NO_SAMPLES:
        return dataclasses.replace(settings, sample_images="")
    # A checkout has a folder of that name too, with other things in it.
    if settings.sample_images or not getattr(sys, "frozen", False) or not bundled.is_dir():
        return settings
    return dataclasses.replace(settings, sample_images=str(bundled))


def licences() -> str:
    """The licences of all that the executable is made of."""
    if not getattr(sys, "frozen", False):
        raise Fatal(
            "the licences of all parts are gathered when the executable is built; here each package has its own, "
            "in the folder where pip installed it"
        )
    return (Path(getattr(sys, "_MEIPASS", "")) / LICENCES).read_text(encoding="utf-8")
