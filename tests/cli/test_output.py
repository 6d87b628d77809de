"""What people read: sizes, times, progress; and what programs do."""

import json
from typing import Any

import pytest

from appliance.cli.output import Output, _fitted, ago, duration, size_text, text
from appliance.cli.progress import Progress
from appliance.errors import WrongUsage

NOW = 1_800_000_000.0  # 2027-01-15T08:00:00Z


@pytest.mark.parametrize(
    ("size", "said"), [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (21_757_952, "20.8 MiB"), (5 << 40, "5.0 TiB")]
)
def test_a_size_has_a_unit(size: int, said: str) -> None:
    assert size_text(size) == said


@pytest.mark.parametrize(
    ("moment", "said"),
    [
        ("2027-01-15T08:00:00Z", "now"),
        ("2027-01-15T07:59:18Z", "42 seconds ago"),
        ("2027-01-15T07:00:00Z", "1 hour ago"),
        ("2027-01-15T07:00:00", "1 hour ago"),
        ("2027-01-15T07:00:00.000000+00:00", "1 hour ago"),
        ("2027-01-17T08:00:01Z", "in 2 days"),
        ("2024-01-15T08:00:00Z", "3 years ago"),
        ("", ""),
        ("yesterday", ""),
    ],
)
def test_a_time_is_told_by_how_long_ago_it_is(moment: str, said: str) -> None:
    assert ago(moment, NOW) == said


@pytest.mark.parametrize(("seconds", "said"), [(0, "0:00"), (42.4, "0:42"), (3723, "1:02:03"), (-1, "0:00")])
def test_a_duration_is_a_clocks(seconds: float, said: str) -> None:
    assert duration(seconds) == said


def test_progress_says_how_long_the_rest_takes() -> None:
    progress = Progress("disk", 4 << 20)
    progress.add(1 << 20)
    line = progress.line(10.0, 100)
    assert line.startswith("disk [####") and line.endswith("25%  1.0 MiB of 4.0 MiB  102.4 KiB/s  0:30 left")
    assert progress.line(10.0, 100, ended=True).endswith("in 0:10")


@pytest.mark.parametrize("columns", [20, 39, 79, 200])
def test_progress_fits_the_line(columns: int) -> None:
    progress = Progress("a-rather-long-name-of-an-image", 4 << 20)
    progress.add(1 << 20)
    assert len(progress.line(10.0, columns)) <= columns


def test_progress_of_unknown_length_counts() -> None:
    progress = Progress("pipe", None)
    progress.add(1 << 20)
    assert progress.line(2.0, 80) == "pipe 1.0 MiB  512.0 KiB/s"


def test_columns_shrink_but_ids_do_not() -> None:
    assert _fitted(("id", "name"), (36, 60), 80) == [36, 44]
    assert _fitted(("id", "name"), (36, 60), 40) is None
    assert _fitted(("id", "name"), (36, 10), 80) == [36, 10]


@pytest.mark.parametrize(
    ("value", "said"), [(None, ""), (True, "true"), (["a", "b"], "a, b"), ({"a": 1}, '{"a": 1}'), ("a\033[2J", "a�[2J")]
)
def test_a_value_never_steers_the_terminal(value: object, said: str) -> None:
    assert text(value) == said


ROWS: list[dict[str, Any]] = [{"id": "1", "name": "a,b", "size": 2048}, {"id": "2", "name": None, "size": None}]


@pytest.mark.parametrize(
    ("form", "printed"),
    [
        ("csv", 'id,name\n1,"a,b"\n2,\n'),
        ("value", "1 a,b\n2 \n"),
        ("yaml", "- id: '1'\n  name: a,b\n- id: '2'\n  name: null\n"),
    ],
)
def test_each_form_has_the_columns_that_were_asked_for(
    form: str, printed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Output(form, ("id", "name")).many(ROWS, ("size",))
    assert capsys.readouterr().out == printed


def test_json_has_all_fields_unless_columns_are_chosen(capsys: pytest.CaptureFixture[str]) -> None:
    Output("json").many(ROWS, ("id",))
    assert json.loads(capsys.readouterr().out) == ROWS


def test_an_unknown_column_is_refused_with_the_known_ones() -> None:
    with pytest.raises(WrongUsage, match="there is no column nothing; there are id, name, size"):
        Output("value", ("nothing",)).many(ROWS, ("id",))
