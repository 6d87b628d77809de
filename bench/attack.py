"""What one hostile client costs everybody else: bounded loads against a real process, in one table.

    python -m bench.attack [--seconds 8] [--only half-heads,wrong-passwords] [--binary PATH]

For each case a fresh appliance is started, its hostile clients play (`bench/attackers.py`), and meanwhile another
tenant lists images over one kept connection, logs in and uploads. What that tenant feels is printed beside what it
felt before, with what the attack holds in the server. Ends with 1 if a list's 99th percentile is over the limit, or
an answer to that tenant was not what it asked for.
"""

import argparse
import http.client
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult

from appliance.values import MIB
from bench.attackers import CASES
from bench.cloud import PASSWORD
from bench.service import Served, served

LIMIT_MS = 50
"""The 99th percentile of another tenant's list that no attack may exceed."""

_PAUSE = 0.01
_PATIENCE = 30
_STOP = 45
"""Seconds from SIGTERM within which it is over: transfers are given `shutdown_grace`, 30."""
_UPLOAD = MIB
FULL_DISK = "full-disk"
_SMALL_DISK = 64 * MIB


@dataclass
class Felt:
    """What the other tenant saw: milliseconds of each list, seconds of a log-in and an upload, and what went wrong."""

    lists: list[float] = field(default_factory=list)
    log_in: float = 0.0
    upload: float = 0.0
    wrong: list[str] = field(default_factory=list)

    def percentile(self, share: float) -> float:
        ordered = sorted(self.lists) or [float("inf")]
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


class Tenant:
    """A member of a project of its own."""

    def __init__(self, cloud: Served, name: str) -> None:
        self._cloud = cloud
        self._name = name
        connection = http.client.HTTPConnection(cloud.identity.netloc)
        project = cloud.call(connection, "POST", "/v3/projects", {"project": {"name": name}})["project"]["id"]
        user = {"name": name, "password": PASSWORD, "domain_id": "default"}
        user_id = cloud.call(connection, "POST", "/v3/users", {"user": user})["user"]["id"]
        role = cloud.call(connection, "GET", "/v3/roles?name=member")["roles"][0]["id"]
        cloud.call(connection, "PUT", f"/v3/projects/{project}/users/{user_id}/roles/{role}")
        connection.close()
        self.token = self.log_in()

    def log_in(self) -> str:
        """A new token of the tenant's project."""
        user = {"name": self._name, "domain": {"id": "default"}, "password": PASSWORD}
        scope = {"project": {"name": self._name, "domain": {"id": "default"}}}
        auth = {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}
        status, headers, _ = self._once(self._cloud.identity, "POST", "/v3/auth/tokens", json.dumps({"auth": auth}))
        if status != 201:
            raise Refused(f"log-in: {status}")
        return headers["X-Subject-Token"]

    def upload(self) -> None:
        """Store a small new image."""
        form = {"name": "n", "disk_format": "raw", "container_format": "bare"}
        status, _, body = self._once(self._cloud.image, "POST", "/v2/images", json.dumps(form))
        if status != 201:
            raise Refused(f"create: {status}")
        path = f"/v2/images/{json.loads(body)['id']}/file"
        status, _, _ = self._once(self._cloud.image, "PUT", path, os.urandom(_UPLOAD), "application/octet-stream")
        if status != 204:
            raise Refused(f"upload: {status}")

    def feel(self, seconds: float) -> Felt:
        """Work for so long, and say what it was like."""
        felt = Felt()
        for name, work in (("log_in", self.log_in), ("upload", self.upload)):
            begin = time.monotonic()
            try:
                work()
            except (Refused, OSError, http.client.HTTPException) as error:
                felt.wrong.append(f"{name}: {error}")
            setattr(felt, name, time.monotonic() - begin)
        self.feel_lists(seconds, felt)
        return felt

    def feel_lists(self, seconds: float, felt: Felt | None = None) -> Felt:
        """List images for so long, and say what it was like."""
        felt = felt if felt is not None else Felt()
        end = time.monotonic() + seconds
        connection = http.client.HTTPConnection(self._cloud.image.netloc, timeout=_PATIENCE)
        while time.monotonic() < end:
            begin = time.monotonic()
            try:
                connection.request("GET", "/v2/images", headers={"X-Auth-Token": self.token})
                response = connection.getresponse()
                response.read()
                if response.status != 200:
                    felt.wrong.append(f"list: {response.status}")
            except (OSError, http.client.HTTPException) as error:
                felt.wrong.append(f"list: {error!r}")
                connection.close()
            felt.lists.append((time.monotonic() - begin) * 1000)
            time.sleep(_PAUSE)
        connection.close()
        return felt

    def images(self) -> list[str]:
        """The ids of the tenant's images."""
        _, _, body = self._once(self._cloud.image, "GET", "/v2/images?limit=1000", b"")
        return [image["id"] for image in json.loads(body)["images"]]

    def delete(self, image: str) -> None:
        """Delete an image."""
        status, _, _ = self._once(self._cloud.image, "DELETE", f"/v2/images/{image}", b"")
        if status != 204:
            raise Refused(f"{status}")

    def move_to(self, cloud: Served) -> None:
        """Go on with the same services at other addresses."""
        self._cloud = cloud

    def _once(
        self, address: SplitResult, method: str, path: str, body: str | bytes, kind: str = "application/json"
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        connection = http.client.HTTPConnection(address.netloc, timeout=_PATIENCE)
        try:
            fields = {"Content-Type": kind}
            if hasattr(self, "token"):
                fields["X-Auth-Token"] = self.token
            connection.request(method, path, body, fields)
            response = connection.getresponse()
            return response.status, response.headers, response.read()
        finally:
            connection.close()


class Refused(Exception):
    """An answer that an honest client must not get."""


def attack(case: str, program: list[str], seconds: float) -> tuple[str, bool]:
    """Run one case; its row of the table, and whether it was borne well."""
    with served(program) as cloud:
        victim, attacker = Tenant(cloud, "victim"), Tenant(cloud, "attacker")
        calm = victim.feel(1)
        before = cloud.memory()
        players = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "bench.attackers",
                case,
                cloud.image.netloc,
                cloud.identity.netloc,
                attacker.token,
                str(seconds + 4 * _PATIENCE),
            ],
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert players.stdout is not None
            if not players.stdout.readline():
                raise SystemExit(f"the attackers of {case} could not begin: their message is above")
            time.sleep(1)
            felt = victim.feel(seconds)
            grown = (cloud.memory() - before) / MIB
            threads = len(list(Path(f"/proc/{cloud.process.pid}/task").iterdir()))
            files = len(list(Path(f"/proc/{cloud.process.pid}/fd").iterdir()))
            stopped = _stop(cloud.process)
        finally:
            players.kill()
            players.communicate()
    borne = felt.percentile(0.99) <= LIMIT_MS and not felt.wrong and stopped < _STOP
    row = (
        f"{case:17} {statistics.median(calm.lists):7.1f} {statistics.median(felt.lists or [0]):7.1f}"
        f" {felt.percentile(0.99):8.1f} {felt.log_in:7.2f} {felt.upload:7.2f} {grown:+8.0f} {threads:7} {files:6}"
        f" {stopped:7.1f}  {'; '.join(sorted(set(felt.wrong))[:2]) or '-'}"
    )
    return row, borne


def full_disk(program: list[str]) -> tuple[str, bool]:
    """Fill a small disk through the API, restart, and empty it again; its line, and whether that went well."""
    with tempfile.TemporaryDirectory() as name:
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={_SMALL_DISK}", "tmpfs", name], check=False)
        if mounted.returncode:
            return f"{FULL_DISK:17} not tried: mounting a small disk takes an administrator of this machine", True
        try:
            return _fill_and_empty(program, Path(name) / "data")
        finally:
            subprocess.run(["umount", name], check=True)


def _fill_and_empty(program: list[str], directory: Path) -> tuple[str, bool]:
    cloud = Served(directory, program)
    victim = Tenant(cloud, "victim")
    wrong: list[str] = []

    def tried(what: str, work: Callable[[], object]) -> None:
        try:
            work()
        except (Refused, OSError, http.client.HTTPException, AssertionError) as error:
            wrong.append(f"{what}: {error}")

    stored = 0
    try:
        while stored < _SMALL_DISK // _UPLOAD:
            victim.upload()
            stored += 1
    except Refused as error:
        refusal = str(error)
    else:
        refusal = "never"
        wrong.append("the disk did not fill up")
    felt = victim.feel_lists(2)
    tried("log-in on the full disk", victim.log_in)
    cloud.stop()
    cloud = Served(directory, program)
    victim.move_to(cloud)
    images = victim.images()
    for image in images:
        tried("delete", lambda image=image: victim.delete(image))  # type: ignore[misc]
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        time.sleep(0.5)
        try:
            victim.upload()
            break
        except Refused:
            continue
    else:
        wrong.append("no room came back")
    cloud.stop()
    line = (
        f"{FULL_DISK:17} {stored} images of 1 MiB, then {refusal}; list p99 {felt.percentile(0.99):.1f} ms; restarted,"
        f" {len(images)} deleted, uploaded again: {'; '.join(wrong) or 'all went well'}"
    )
    return line, not wrong and felt.percentile(0.99) <= LIMIT_MS


def _stop(process: subprocess.Popen[str]) -> float:
    """Seconds from SIGTERM to the end; who does not end in time is killed."""
    begin = time.monotonic()
    process.terminate()
    try:
        process.wait(_STOP)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    return time.monotonic() - begin


def main() -> int:
    """Play the cases and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--only", default=",".join([*CASES, FULL_DISK]))
    parser.add_argument("--binary", help="single executable to attack in place of this checkout")
    options = parser.parse_args()
    program = [options.binary] if options.binary else [sys.executable, "appliance.py"]
    print("another tenant's list in ms, log-in and upload of 1 MiB in s; the server's memory in MiB, threads, files;")
    print("seconds from SIGTERM to the end while the attack goes on; what that tenant was refused")
    print(
        f"{'case':17} {'calm':>7} {'median':>7} {'p99':>8} {'log-in':>7} {'upload':>7} {'memory':>8} {'threads':>7}"
        f" {'files':>6} {'stop':>7}  refused"
    )
    good = True
    for case in options.only.split(","):
        row, borne = full_disk(program) if case == FULL_DISK else attack(case, program, options.seconds)
        good = good and borne
        print(f"{row}{'' if borne else '   <-- over the limit'}", flush=True)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
