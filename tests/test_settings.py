"""Where a setting's value comes from, and what is refused."""

from pathlib import Path

import pytest

from appliance.errors import WrongUsage
from appliance.settings import load


def test_flags_win_over_environment_over_file_over_default(tmp_path: Path) -> None:
    (tmp_path / "appliance.toml").write_text('image_port = 1\nidentity_port = 2\nhost = "file"\n')
    environment = {"APPLIANCE_IMAGE_PORT": "3", "APPLIANCE_IDENTITY_PORT": "4"}
    settings = load({"data_dir": str(tmp_path), "image_port": "5"}, environment)
    assert (settings.image_port, settings.identity_port, settings.host) == (5, 4, "file")
    assert settings.token_lifetime == 3600


@pytest.mark.parametrize(
    ("text", "size"), [("10", 10), ("2K", 2048), ("3MB", 3 << 20), ("1g", 1 << 30), ("1T", 1 << 40), ("-1", -1)]
)
def test_sizes_take_suffixes(text: str, size: int, tmp_path: Path) -> None:
    assert load({"data_dir": str(tmp_path), "image_size_cap": text}, {}).image_size_cap == size


@pytest.mark.parametrize(("text", "value"), [("true", True), ("0", False), ("Off", False), ("YES", True)])
def test_switches_read_the_usual_words(text: str, value: bool, tmp_path: Path) -> None:
    assert load({"data_dir": str(tmp_path)}, {"APPLIANCE_SINGLE_PORT": text}).single_port is value


def test_lists_are_comma_separated_outside_the_file(tmp_path: Path) -> None:
    (tmp_path / "appliance.toml").write_text('disk_formats = ["raw"]\n')
    assert load({"data_dir": str(tmp_path)}, {}).disk_formats == ("raw",)
    assert load({"data_dir": str(tmp_path), "disk_formats": "raw,qcow2"}, {}).disk_formats == ("raw", "qcow2")


@pytest.mark.parametrize(
    ("flags", "environment", "file", "sentence"),
    [
        ({"image_port": "many"}, {}, "", "--image-port can't be 'many'"),
        ({}, {"APPLIANCE_IMAGE_PORT": ""}, "", "APPLIANCE_IMAGE_PORT can't be ''"),
        ({}, {"APPLIANCE_SINGLE_PORT": "perhaps"}, "", "say true or false"),
        ({}, {}, "wings = 2", "unknown setting: wings"),
        ({}, {}, "image_port = [", "appliance.toml"),
        ({"config": "/nonexistent/file"}, {}, "", "is not a file"),
    ],
)
def test_what_does_not_fit_is_wrong_usage(
    flags: dict[str, str], environment: dict[str, str], file: str, sentence: str, tmp_path: Path
) -> None:
    (tmp_path / "appliance.toml").write_text(file)
    with pytest.raises(WrongUsage, match=sentence):
        load({"data_dir": str(tmp_path), **flags}, environment)
