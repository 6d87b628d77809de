"""A data directory has one owner, and the next one is told who that is."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from appliance.datadir import DataDir
from appliance.errors import Fatal


def test_a_second_owner_is_refused_and_told_who_holds_it(tmp_path: Path) -> None:
    first = DataDir(tmp_path / "d")
    first.acquire("serve")
    with pytest.raises(Fatal, match=rf"in use by process {os.getpid()} \(serve\)"):
        DataDir(tmp_path / "d").acquire("serve")
    first.release()
    second = DataDir(tmp_path / "d")
    second.acquire("backup")
    second.release()


def test_the_lock_dies_with_its_process(tmp_path: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from appliance.datadir import DataDir; "
        "d = DataDir(Path(sys.argv[1])); d.acquire('serve'); os.kill(os.getpid(), 9)"
    )
    ended = subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    assert ended.returncode == -9
    after = DataDir(tmp_path)
    after.acquire("serve")
    after.release()


def test_a_new_directory_is_for_its_owner_only(tmp_path: Path) -> None:
    directory = DataDir(tmp_path / "new" / "d")
    directory.acquire("serve")
    assert (tmp_path / "new" / "d").stat().st_mode & 0o777 == 0o700
    directory.release()


def test_a_path_that_is_a_file_is_refused_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("")
    with pytest.raises(Fatal, match="can't use .* as the data directory"):
        DataDir(tmp_path / "f").acquire("serve")
