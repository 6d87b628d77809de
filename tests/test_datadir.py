"""A data directory has one owner, and the next one is told who that is."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from appliance.cli import serve
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


def test_a_second_owner_is_refused_after_the_lock_file_was_deleted(tmp_path: Path) -> None:
    first = DataDir(tmp_path / "d")
    first.acquire("serve")
    (tmp_path / "d" / "lock").unlink()
    with pytest.raises(Fatal, match="in use by another process"):
        DataDir(tmp_path / "d").acquire("serve")
    assert DataDir(tmp_path / "d").holder() == "another process"
    first.release()


def test_a_directory_that_others_can_read_is_narrowed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "d"
    (path / "keys").mkdir(parents=True)
    path.chmod(0o755)
    for name in ("appliance.db", "appliance.db-wal", "clouds.yaml", "keys/one.pem"):
        (path / name).touch(0o644)
    directory = DataDir(path)
    directory.acquire("serve")
    directory.release()
    assert modes(path) == {0o700, 0o600}
    assert "for its owner alone now" in caplog.text


def test_a_directory_that_everybody_writes_to_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "d"
    path.mkdir()
    path.chmod(0o1777)
    with pytest.raises(Fatal, match="choose a data directory of its own"):
        DataDir(path).acquire("serve")


def modes(path: Path) -> set[int]:
    """The modes of a directory's files, and its own."""
    return {stat.S_IMODE(each.stat().st_mode) for each in (path, *path.rglob("*")) if each == path or each.is_file()}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")
def test_a_read_only_file_system_is_called_that(tmp_path: Path) -> None:
    mount = tmp_path / "mount"
    mount.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", mount], capture_output=True, check=False)
    if done.returncode != 0:
        pytest.skip("a file system can't be mounted here")
    try:
        with pytest.raises(Fatal, match="Read-only file system; mount it for writing"):
            DataDir(mount).acquire("serve")
        with pytest.raises(Fatal, match="is on a file system that is mounted read-only"):
            serve.check(mount, 0)
    finally:
        subprocess.run(["umount", mount], check=True)
