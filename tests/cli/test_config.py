"""`config` and `policy`: what is in force, where it comes from, and what is wrong with it."""

from pathlib import Path

import pytest

from appliance.cli.main import main
from appliance.settings import FIELDS


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "var").mkdir()
    return tmp_path / "var"


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, list[str]]:
    code = main(words)
    return code, capsys.readouterr().out.splitlines()


def test_each_setting_is_shown_with_its_source(
    directory: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (directory / "appliance.toml").write_text('region = "R"\nimage_port = 1\n')
    monkeypatch.setenv("APPLIANCE_IMAGE_PORT", "2")
    code, lines = run(capsys, "config", "show", "region", "image_port", "host", "-f", "csv")
    assert code == 0
    assert lines[1:] == ["host,127.0.0.1,default", "image_port,2,variable", "region,R,var/appliance.toml"]


def test_all_settings_are_shown(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert len(run(capsys, "config", "show", "-f", "value")[1]) == len(FIELDS)


def test_only_what_was_changed_is_shown(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "config", "show", "--changed", "-f", "value", "-c", "setting")[1] == []
    assert run(capsys, "config", "show", "--changed", "--data-dir", "x", "-f", "value", "-c", "setting")[1] == [
        "data_dir"
    ]


def test_a_secret_is_not_shown(
    directory: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APPLIANCE_ADMIN_PASSWORD", "s3cret")
    for form in ("table", "json", "csv"):
        assert "s3cret" not in "".join(run(capsys, "config", "show", "-f", form)[1])


def test_nothing_wrong_is_exit_code_0(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "config", "check") == (0, ["nothing is wrong with the settings"])


def test_everything_wrong_is_told_at_once(
    directory: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (directory / "appliance.toml").write_text('image_prt = 1\nlegacy = "maybe"\n')
    monkeypatch.setenv("APPLIANCE_HOTS", "x")
    monkeypatch.setenv("APPLIANCE_IDENTITY_PORT", "high")
    code, lines = run(capsys, "config", "check")
    assert code == 1
    assert lines == [
        "there is no setting APPLIANCE_HOTS; did you mean APPLIANCE_HOST?",
        "APPLIANCE_IDENTITY_PORT can't be 'high': it is a whole number",
        "var/appliance.toml has an unknown setting: image_prt; did you mean image_port?",
        "legacy in var/appliance.toml can't be 'maybe': say true or false",
    ]


@pytest.mark.parametrize(("text", "said"), [("a = [", "appliance.toml: "), ('admin_password_file = "no"', "no: ")])
def test_a_file_that_can_not_be_read_is_told(
    directory: Path, capsys: pytest.CaptureFixture[str], text: str, said: str
) -> None:
    (directory / "appliance.toml").write_text(text)
    code, lines = run(capsys, "config", "check")
    assert code == 1 and said in lines[0]


def test_policies_are_listed_by_parts_of_their_names(capsys: pytest.CaptureFixture[str]) -> None:
    code, lines = run(capsys, "policy", "list", "create_region", "-f", "csv")
    assert code == 0 and lines[1:] == ["identity,identity:create_region,rule:admin_required,project system,default"]
    listed = run(capsys, "policy", "list", "--service", "image", "-f", "value", "-c", "policy")[1]
    assert "get_image" in listed and not [name for name in listed if name.startswith("identity:")]


def test_a_policy_that_is_none_is_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["policy", "list", "no_such_policy"]) == 1
    assert capsys.readouterr().err == "glance-appliance: no policy is called no_such_policy\n"
