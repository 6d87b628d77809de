"""`policy list` and `policy check`: what counts, where it is from, and what somebody may do."""

from pathlib import Path

import pytest

from appliance.cli.main import main

UPLOADS = "studio: role:image-uploader and project_id:%(project_id)s\npublicize_image: rule:studio\n"

Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The one that the commands are given in, with a policy file that the settings name."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "var").mkdir()
    (tmp_path / "var" / "appliance.toml").write_text('policy_file = "policy.yaml"\n')
    (tmp_path / "policy.yaml").write_text(UPLOADS)
    return tmp_path


def run(capsys: Captured, *words: str) -> tuple[int, list[str]]:
    code = main(("policy", *words))
    return code, capsys.readouterr().out.splitlines()


def test_a_rule_is_listed_with_its_source(capsys: Captured) -> None:
    rows = ["publicize_image,policy.yaml,project", "studio,policy.yaml,"]
    columns = ("-c", "policy", "-c", "source", "-c", "scopes")
    assert run(capsys, "list", "publicize", "studio", "-f", "csv", *columns)[1][1:] == rows
    assert run(capsys, "list", "copy_image", "-f", "csv", *columns)[1][1:] == ["copy_image,default,project"]


OWN = ("--as", "project_id:p", "--target", "project_id=p")
CHECKS: list[tuple[tuple[str, ...], str]] = [
    (("publicize_image", "--as", "role:image-uploader", *OWN), "yes"),
    (("publicize_image", "--as", "role:Image-Uploader", *OWN), "yes"),
    (("publicize_image", "--as", "role:image-uploader", "--as", "project_id:q", "--target", "project_id=p"), "no"),
    (("publicize_image", "--as", "role:admin"), "no"),
    (("copy_image", "--as", "role:admin"), "yes"),
    (("copy_image", "--as", "role:admin", "--as", "system_scope:all"), "no: not with a token of the system"),
    (("copy_image", "--as", "role:admin", "--as", "domain_id:d"), "no: not with a token of the domain"),
    (("get_image", "--as", "role:reader", "--target", "visibility=public"), "yes"),
    (("identity:list_users", "--as", "role:reader", "--as", "system_scope:all"), "yes"),
    (("identity:get_user", "--as", "user_id:u", "--target", "target.user.id=u"), "yes"),
    (
        ("identity:get_user", "--as", "role:reader", "--as", "domain_id:d", "--target", "target.user.domain_id=d"),
        "yes",
    ),
]


@pytest.mark.parametrize(("words", "answer"), CHECKS)
def test_a_policy_is_tried(capsys: Captured, words: tuple[str, ...], answer: str) -> None:
    code, lines = run(capsys, "check", *words, "-f", "value", "-c", "allowed")
    assert (code, lines) == (0 if answer == "yes" else 1, [answer])


def test_without_names_it_is_told_what_somebody_may_do_at_all(capsys: Captured) -> None:
    code, lines = run(
        capsys, "check", "--as", "role:image-uploader", *OWN, "-f", "csv", "-c", "policy", "-c", "allowed"
    )
    assert code == 0
    assert {"publicize_image,yes", "get_status,yes", "upload_image,no", "identity:get_region,yes"} < set(lines)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("check", "publicise_image"), "there is no policy publicise_image"),
        (("check", "get_image", "--as", "admin"), "'admin' is not NAME:VALUE"),
        (("check", "get_image", "--target", "public"), "'public' is not NAME=VALUE"),
        (("list", "nothing-like-it"), "no policy is called nothing-like-it"),
    ],
)
def test_what_makes_no_sense_is_told(capsys: Captured, words: tuple[str, ...], said: str) -> None:
    assert main(("policy", *words)) != 0
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["list", "check"])
def test_a_mistake_in_a_file_is_told_with_its_line(capsys: Captured, directory: Path, verb: str) -> None:
    (directory / "policy.yaml").write_text("\nget_imgae: role:reader\n")
    assert main(("policy", verb)) == 2
    assert "line 2 of policy.yaml: there is no policy get_imgae" in capsys.readouterr().err
