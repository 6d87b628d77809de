"""The sample image inside the executable is taken unless the settings name others, or none."""

import sys
from pathlib import Path

import pytest

from appliance.cli.about import with_bundled_samples
from appliance.settings import Settings


@pytest.fixture
def bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What an unpacked executable with samples looks like from within."""
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    monkeypatch.setattr(sys, "_MEIPASS", str(tmp_path), raising=False)
    (tmp_path / "sample-images").mkdir()
    return tmp_path / "sample-images"


def samples(asked: str = "") -> str:
    return with_bundled_samples(Settings(sample_images=asked)).sample_images


def test_bundled_samples_are_the_default(bundle: Path) -> None:
    assert samples() == str(bundle)


@pytest.mark.parametrize(("asked", "taken"), [("/srv/samples", "/srv/samples"), ("none", "")])
def test_what_is_asked_for_wins(bundle: Path, asked: str, taken: str) -> None:
    assert samples(asked) == taken


def test_an_executable_without_samples_has_none(bundle: Path) -> None:
    bundle.rmdir()
    assert samples() == ""


def test_a_checkout_has_none() -> None:
    assert samples() == "" and samples("none") == ""
