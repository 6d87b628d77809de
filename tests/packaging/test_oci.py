"""The OCI image: a layout that others can read, the same bytes again, and manifests that fit it."""

import gzip
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from appliance import __version__
from appliance.settings import VARIABLES

sys.path.insert(0, str(Path(__file__).parents[2] / "packaging"))

import build_oci

CONTAINER = Path(__file__).parents[2] / "packaging" / "container"


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Path]:
    """Packs a folder whose program is a line of shell, on a system of one library."""
    program = tmp_path / "build/folder/glance-appliance"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\necho $1\n")
    (program.parent / "link").symlink_to("glance-appliance")
    (tmp_path / "build/glance-appliance.cdx.json").write_text("{}\n")
    for name, place in (("BUILD", "build"), ("STAGE", "stage"), ("OUT", "dist")):
        monkeypatch.setattr(build_oci, name, tmp_path / place)

    def system(root: Path) -> None:
        (root / "lib").mkdir()
        (root / "lib/libc.so.6").write_bytes(b"a library")

    monkeypatch.setattr(build_oci, "lay_out_system", system)
    monkeypatch.setattr(build_oci, "_run", lambda *_, **__: "amd64\n")

    def run() -> Path:
        assert build_oci.main() == 0
        (made,) = (tmp_path / "dist").iterdir()
        return made

    return run


class Image:
    """An archive as a reader of OCI's layout sees it: each blob is looked up, and checked, by its descriptor."""

    def __init__(self, archive: Path) -> None:
        with tarfile.open(archive) as opened:
            self.files = {member.name: opened.extractfile(member).read() for member in opened}  # type: ignore[union-attr]
        assert json.loads(self.files["oci-layout"]) == {"imageLayoutVersion": "1.0.0"}
        (described,) = json.loads(self.files["index.json"])["manifests"]
        self.manifest = json.loads(self.blob(described))
        self.config = json.loads(self.blob(self.manifest["config"]))
        self.layers = [self.blob(each) for each in self.manifest["layers"]]

    def blob(self, described: dict[str, Any]) -> bytes:
        algorithm, _, digest = described["digest"].partition(":")
        data = self.files[f"blobs/{algorithm}/{digest}"]
        assert (hashlib.sha256(data).hexdigest(), len(data)) == (digest, described["size"])
        return data

    @property
    def entries(self) -> dict[str, tarfile.TarInfo]:
        found: dict[str, tarfile.TarInfo] = {}
        for layer in self.layers:
            with tarfile.open(fileobj=io.BytesIO(gzip.decompress(layer))) as opened:
                found |= {f"/{member.name}": member for member in opened}
        return found


def test_two_builds_are_the_same_bytes(build: Callable[[], Path], tmp_path: Path) -> None:
    first = build().read_bytes()
    os.utime(tmp_path / "build/folder/glance-appliance", (1, 2_000_000_000))
    before = os.umask(0o077)
    try:
        assert build().read_bytes() == first
    finally:
        os.umask(before)


def test_every_blob_is_what_its_descriptor_says_and_nothing_else_is_there(build: Callable[[], Path]) -> None:
    image = Image(build())
    named = {image.manifest["config"]["digest"], *(each["digest"] for each in image.manifest["layers"])}
    named.add(json.loads(image.files["index.json"])["manifests"][0]["digest"])
    assert {name for name in image.files if name.startswith("blobs/")} == {
        f"blobs/{digest.replace(':', '/')}" for digest in named
    }


def test_the_layers_are_those_that_the_configuration_counts(build: Callable[[], Path]) -> None:
    image = Image(build())
    plain = [f"sha256:{hashlib.sha256(gzip.decompress(layer)).hexdigest()}" for layer in image.layers]
    assert image.config["rootfs"] == {"type": "layers", "diff_ids": plain}
    assert len(image.config["history"]) == len(plain)


def test_older_dockers_find_the_same_blobs(build: Callable[[], Path]) -> None:
    image = Image(build())
    (docker,) = json.loads(image.files["manifest.json"])
    assert json.loads(image.files[docker["Config"]]) == image.config
    assert [image.files[name] for name in docker["Layers"]] == image.layers
    assert docker["RepoTags"] == [f"glance-appliance:{__version__}"]


def test_it_runs_as_nobody_and_only_the_data_directory_is_theirs(build: Callable[[], Path]) -> None:
    image = Image(build())
    assert image.config["config"]["User"] == "65532:65532"
    theirs = {name for name, entry in image.entries.items() if entry.uid == 65532}
    assert theirs == {"/var/lib/glance-appliance"} == set(image.config["config"]["Volumes"])
    assert image.entries["/var/lib/glance-appliance"].mode == 0o700


def test_the_program_runs_and_nothing_is_set_uid_or_for_everybody_to_write(build: Callable[[], Path]) -> None:
    entries = Image(build()).entries
    assert entries["/usr/lib/glance-appliance/glance-appliance"].mode == 0o755
    assert entries["/usr/bin/glance-appliance"].linkname == "../lib/glance-appliance/glance-appliance"
    assert [name for name, entry in entries.items() if entry.mode & 0o6000] == []
    open_to_all = [name for name, entry in entries.items() if entry.mode & 0o002 and not entry.issym()]
    assert open_to_all == ["/tmp"]


def test_its_variables_are_settings(build: Callable[[], Path]) -> None:
    names = {line.partition("=")[0] for line in Image(build()).config["config"]["Env"]}
    assert {name for name in names if name.startswith("APPLIANCE_")} <= VARIABLES


@pytest.mark.skipif(not shutil.which("skopeo"), reason="skopeo is not installed")
def test_skopeo_reads_it(build: Callable[[], Path]) -> None:
    done = subprocess.run(["skopeo", "inspect", f"oci-archive:{build()}"], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["Architecture"] == "amd64"


def test_without_a_program_it_says_what_comes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(build_oci, "BUILD", tmp_path)
    assert build_oci.main() == 1
    assert capsys.readouterr().err == f"no image: {tmp_path} has nothing to pack: `make binary` comes first\n"


# -- the manifests


def compose() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((CONTAINER / "compose.yaml").read_text())
    return document


def kubernetes() -> dict[str, Any]:
    documents = yaml.safe_load_all((CONTAINER / "kubernetes.yaml").read_text())
    return {document["kind"]: document for document in documents}


def test_variables_of_the_manifests_are_settings() -> None:
    pod = kubernetes()["StatefulSet"]["spec"]["template"]["spec"]
    named = {one["name"] for one in pod["containers"][0]["env"]}
    named |= set(compose()["services"]["glance"]["environment"])
    assert named <= VARIABLES


def test_the_manifests_run_this_version() -> None:
    pod = kubernetes()["StatefulSet"]["spec"]["template"]["spec"]
    named = {pod["containers"][0]["image"], compose()["services"]["glance"]["image"]}
    assert named == {f"glance-appliance:{__version__}"}


def test_the_manifests_take_every_right_away() -> None:
    pod = kubernetes()["StatefulSet"]["spec"]["template"]["spec"]
    mine, shared = pod["containers"][0]["securityContext"], pod["securityContext"]
    assert (mine["readOnlyRootFilesystem"], mine["allowPrivilegeEscalation"]) == (True, False)
    assert mine["capabilities"] == {"drop": ["ALL"]}
    assert (shared["runAsNonRoot"], shared["runAsUser"], shared["fsGroup"]) == (True, build_oci.USER, build_oci.USER)
    service = compose()["services"]["glance"]
    assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])


def test_one_data_directory_has_one_replica() -> None:
    assert kubernetes()["StatefulSet"]["spec"]["replicas"] == 1


def test_ports_and_selectors_fit_together() -> None:
    found = kubernetes()
    spec = found["StatefulSet"]["spec"]
    assert (
        found["Service"]["spec"]["selector"]
        == spec["selector"]["matchLabels"]
        == spec["template"]["metadata"]["labels"]
    )
    ports = {one["name"]: one["containerPort"] for one in spec["template"]["spec"]["containers"][0]["ports"]}
    assert {one["targetPort"]: one["port"] for one in found["Service"]["spec"]["ports"]}.items() <= ports.items()
    mounted = {one["name"] for one in spec["template"]["spec"]["containers"][0]["volumeMounts"]}
    volumes = {one["name"] for one in spec["template"]["spec"]["volumes"]}
    assert mounted == volumes | {one["metadata"]["name"] for one in spec["volumeClaimTemplates"]}
