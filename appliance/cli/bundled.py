"""What was put into the executable when it was built, beside the program."""

import dataclasses
import sys
from pathlib import Path

from appliance.settings import Settings

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
