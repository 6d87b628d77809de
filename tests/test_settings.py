"""Where a setting's value comes from, and what is refused."""

from pathlib import Path

import pytest

from appliance.errors import WrongUsage
from appliance.setting_sources import load
from appliance.settings import FIELDS, SECRETS, variable


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


def secret_file(tmp_path: Path, text: str = "from a file\nnot this line\n") -> str:
    (tmp_path / "secret").write_text(text)
    return str(tmp_path / "secret")


@pytest.mark.parametrize("name", SECRETS)
def test_every_secret_can_come_from_a_file_at_each_level(name: str, tmp_path: Path) -> None:
    file = secret_file(tmp_path)
    flags: dict[str, str] = {"data_dir": str(tmp_path)}
    assert getattr(load({**flags, f"{name}_file": file}, {}), name) == "from a file"
    assert getattr(load(flags, {variable(f"{name}_file"): file}), name) == "from a file"
    (tmp_path / "appliance.toml").write_text(f'{name}_file = "{file}"\n')
    assert getattr(load(flags, {}), name) == "from a file"


def test_a_secret_and_a_file_of_it_win_by_their_levels(tmp_path: Path) -> None:
    file = secret_file(tmp_path)
    flags = {"data_dir": str(tmp_path)}
    both = load({**flags, "admin_password_file": file}, {"APPLIANCE_ADMIN_PASSWORD": "environment"})
    assert both.admin_password == "from a file"
    both = load({**flags, "admin_password": "flag"}, {"APPLIANCE_ADMIN_PASSWORD_FILE": file})
    assert both.admin_password == "flag"
    with pytest.raises(WrongUsage, match="admin_password and admin_password_file can't both be given"):
        load({**flags, "admin_password": "x", "admin_password_file": file}, {})


def test_credentials_of_systemd_are_secrets(tmp_path: Path) -> None:
    directory = tmp_path / "credentials"
    directory.mkdir()
    (directory / "admin_password").write_text("sealed\n")
    (directory / "unrelated").write_text("x")
    environment = {"CREDENTIALS_DIRECTORY": str(directory)}
    (tmp_path / "appliance.toml").write_text('admin_password = "in the open"\n')
    assert load({"data_dir": str(tmp_path)}, environment).admin_password == "sealed"
    environment["APPLIANCE_ADMIN_PASSWORD"] = "by hand"
    assert load({"data_dir": str(tmp_path)}, environment).admin_password == "by hand"


@pytest.mark.parametrize(("text", "sentence"), [(None, "No such file"), ("", "is empty"), ("\nx", "is empty")])
def test_a_file_without_a_secret_is_wrong_usage(text: str | None, sentence: str, tmp_path: Path) -> None:
    if text is not None:
        secret_file(tmp_path, text)
    with pytest.raises(WrongUsage, match=sentence):
        load({"data_dir": str(tmp_path), "admin_password_file": str(tmp_path / "secret")}, {})


def test_what_looks_like_a_secret_is_listed_as_one() -> None:
    # The URL of a database may have a password in it.
    named = {name for name in FIELDS if name.endswith(("_password", "_token", "_secret"))}
    assert set(SECRETS) == named | {"database"}
    assert all(f"{name}_file" in FIELDS for name in SECRETS)
