"""`export` and the report of `doctor`: what leaves a data directory for people and their tools."""

import csv
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.conftest import Program
from tests.data_directory import opened


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A data directory that is not in use, with one image whose name a spreadsheet would take for a formula."""
    path = tmp_path_factory.mktemp("export") / "data"
    with opened(path) as it:
        it.add(b"some data", name="=HYPERLINK(1)")
    yield path


def test_all_tables_go_into_one_sqlite_file(program: Program, directory: Path) -> None:
    said = program("export", program.home / "all.db", "--data-dir", directory).text
    with closing(sqlite3.connect(program.home / "all.db")) as connection:
        assert connection.execute("SELECT name FROM images").fetchall() == [("=HYPERLINK(1)",)]
    assert "rows of 24 tables are in" in said


def test_csv_is_a_file_for_each_table_and_no_formula(program: Program, directory: Path) -> None:
    program("export", program.home / "out", "images", "image_tags", "-f", "csv", "--data-dir", directory)
    assert {path.name for path in (program.home / "out").iterdir()} == {"images.csv", "image_tags.csv"}
    with open(program.home / "out" / "images.csv", newline="") as file:
        assert [row["name"] for row in csv.DictReader(file)] == ["'=HYPERLINK(1)"]


def test_one_table_goes_to_the_standard_output(program: Program, directory: Path) -> None:
    line = program("export", "-", "images", "-f", "jsonl", "--data-dir", directory).json
    assert (line["name"], line["status"], line["size"]) == ("=HYPERLINK(1)", "active", 9)


def test_a_directory_in_use_is_exported_too(admin: Program, server: object) -> None:
    directory = server.directory  # type: ignore[attr-defined]
    users = admin("export", "-", "users", "-f", "jsonl", "--data-dir", directory).text
    assert any(json.loads(line)["name"] == "admin" for line in users.splitlines())


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("new.db", "secrets"), "there is no table secrets to export"),
        (("-", "images"), "only one table, as csv or jsonl"),
        (("-", "-f", "csv"), "only one table, as csv or jsonl"),
    ],
    ids=["unknown table", "SQLite on a pipe", "all on a pipe"],
)
def test_wrong_usage_is_told(program: Program, directory: Path, words: tuple[str, ...], sentence: str) -> None:
    assert sentence in program("export", *words, "--data-dir", directory, code=2).sentence()


def test_an_export_overwrites_nothing(program: Program, directory: Path) -> None:
    (program.home / "there").write_text("mine")
    said = program("export", "there", "--data-dir", directory, code=1).sentence()
    assert "exists already" in said and (program.home / "there").read_text() == "mine"


def test_a_failed_export_leaves_nothing(program: Program, directory: Path) -> None:
    said = program("export", "no/such/place", "-f", "csv", "--data-dir", directory, code=1).sentence()
    assert "can't write no/such/place: No such file or directory" in said


def test_a_report_tells_versions_counts_and_findings_and_no_name(program: Program, directory: Path) -> None:
    program("doctor", "--report", "report.json", "--data-dir", directory)
    text = (program.home / "report.json").read_text()
    report = json.loads(text)
    assert report["database"]["rows"]["images"] == 1
    assert report["stores"]["main"]["segments"] == 1
    assert report["findings"] == {}
    assert "HYPERLINK" not in text


def test_a_report_is_private(program: Program, directory: Path) -> None:
    program("doctor", "--report", "report.json", "--data-dir", directory)
    assert (program.home / "report.json").stat().st_mode & 0o777 == 0o600


def test_a_report_is_made_of_a_damaged_database_too(program: Program, tmp_path: Path) -> None:
    with opened(tmp_path / "data"):
        pass
    (tmp_path / "data" / "appliance.db").write_bytes(b"no database at all" * 1000)
    program("doctor", "--report", "report.json", "--data-dir", tmp_path / "data", code=1)
    report = json.loads((program.home / "report.json").read_text())
    assert report["findings"] == {"database-damaged": 1}
    assert "error" in report["database"]


@pytest.mark.parametrize(
    "option",
    ["bucket:secret_key=canary", "bucket:password=canary", "bucket:auth_url=https://someone:canary@there"],
)
def test_secrets_of_stores_are_hidden(program: Program, directory: Path, option: str) -> None:
    shown = program("config", "show", "store_options", "--data-dir", directory, APPLIANCE_STORE_OPTIONS=option).text
    assert "(secret)" in shown and "canary" not in shown
