"""A bundle brings images to another site, whole, under their ids; the next one brings what is new."""

import os
import subprocess
from pathlib import Path

import pytest

from appliance.errors import Conflict, Corrupt, Forbidden
from tests.data_directory import ADMIN, data
from tests.fleet.sites import Site, document, members

MOST_OF_A_REBUILD = 900_000
"""More than the blocks around a change, and far less than the image."""


def test_an_image_arrives_with_everything_that_is_seen_of_it(center: Site, edge: Site) -> None:
    payload = data()
    image_id = center.add(payload, "debian")
    center.change(image_id, protected=True, min_disk=3, os_hidden=True, os_distro="debian", tags=["a", "b"])
    center.publish()
    imported = edge.take(center.bundle(), center)
    assert imported.report.created == [image_id] and edge.read(image_id) == payload
    sent, came = center.get(image_id), edge.get(image_id)
    for name in (
        *("name", "visibility", "protected", "os_hidden", "min_disk", "disk_format", "container_format", "size"),
        *("checksum", "os_hash_algo", "os_hash_value", "properties", "tags", "owner", "created_at", "virtual_size"),
    ):
        assert getattr(came, name) == getattr(sent, name), name
    assert came.status == "active" and not edge.findings()


@pytest.mark.parametrize("payload", [b"", b"x", bytes(3_000_000), bytes(1_000_000) + b"y" + bytes(900_000)])
def test_an_image_of_any_shape_arrives(center: Site, edge: Site, payload: bytes) -> None:
    image_id = center.add(payload)
    center.publish()
    edge.take(center.bundle(), center)
    assert edge.read(image_id) == payload and not edge.findings()


def test_a_second_import_changes_nothing(center: Site, edge: Site) -> None:
    image_id = center.add(data())
    center.publish()
    bundle = center.bundle()
    edge.take(bundle, center)
    before, blocks = edge.get(image_id), edge.segments()
    again = edge.take(bundle)
    assert not (again.report.created or again.report.changed or again.came)
    assert edge.get(image_id) == before and edge.segments() == blocks


def test_the_next_bundle_brings_only_new_blocks(center: Site, edge: Site) -> None:
    payload = os.urandom(6_000_000)
    center.add(payload, "monday")
    center.publish()
    receipt = edge.take(center.bundle(), center).receipt
    rebuilt = payload[:1_000_000] + os.urandom(20_000) + payload[1_020_000:]
    tuesday = center.add(rebuilt, "tuesday")
    bundle = center.bundle(since=receipt)
    assert len(bundle) < MOST_OF_A_REBUILD
    imported = edge.take(bundle)
    assert imported.report.created == [tuesday] and edge.read(tuesday) == rebuilt
    assert imported.came < MOST_OF_A_REBUILD


def test_yesterdays_blocks_serve_even_if_yesterdays_image_is_gone(center: Site, edge: Site) -> None:
    payload = os.urandom(6_000_000)
    monday = center.add(payload, "monday")
    center.publish()
    receipt = edge.take(center.bundle(), center).receipt
    center.delete(monday)
    tuesday = center.add(payload[:-5000], "tuesday")
    bundle = center.bundle(since=receipt)
    assert len(bundle) < MOST_OF_A_REBUILD
    report = edge.take(bundle).report
    assert (report.created, report.removed) == ([tuesday], [monday])
    assert edge.read(tuesday) == payload[:-5000] and edge.ids() == {tuesday}


def test_a_change_of_a_property_needs_no_blocks(center: Site, edge: Site) -> None:
    image_id = center.add(data())
    center.publish()
    receipt = edge.take(center.bundle(), center).receipt
    center.change(image_id, name="renamed", os_version="13")
    bundle = center.bundle(since=receipt)
    assert document(bundle)["blocks"] == 0
    assert edge.take(bundle).report.changed == [image_id]
    assert edge.get(image_id).name == "renamed" and edge.get(image_id).properties["os_version"] == "13"


def test_images_of_the_same_bytes_travel_once(center: Site, edge: Site) -> None:
    payload = os.urandom(2_000_000)
    ids = {center.add(payload), center.add(payload)}
    center.publish()
    bundle = center.bundle()
    assert len(bundle) < 2_200_000
    assert set(edge.take(bundle, center).report.created) == ids


def test_a_deactivated_image_arrives_so(center: Site, edge: Site) -> None:
    image_id = center.add(data())
    center.images.deactivate(ADMIN, image_id)
    center.publish()
    edge.take(center.bundle(), center)
    assert edge.get(image_id).status == "deactivated"


def test_plain_tar_opens_it_and_sha512sum_checks_it(center: Site, tmp_path: Path) -> None:
    center.add(data())
    center.publish()
    (tmp_path / "b.tar").write_bytes(center.bundle())
    subprocess.run(["tar", "xf", "b.tar"], cwd=tmp_path, check=True)
    done = subprocess.run(["sha512sum", "-c", "SHA512SUMS"], cwd=tmp_path, check=True, capture_output=True, text=True)
    listed = {line.partition(": ")[0] for line in done.stdout.splitlines()}
    assert listed == members((tmp_path / "b.tar").read_bytes()).keys() - {"SHA512SUMS"}


def test_a_bundle_of_the_wrong_base_names_what_is_missing(center: Site, edge: Site, third: Site) -> None:
    center.add(data())
    center.publish()
    receipt = edge.take(center.bundle(), center).receipt
    center.add(data())
    with pytest.raises(Conflict, match="goes on from entry 1 .* here it is at entry 0"):
        third.take(center.bundle(since=receipt), center)
    assert not third.ids() and third.fleet.context.rows.feed("golden") is None


def test_blocks_that_were_deleted_here_are_missed_before_anything_changes(center: Site, edge: Site) -> None:
    payload = os.urandom(1_000_000)
    monday = center.add(payload)
    center.publish()
    receipt = edge.take(center.bundle(), center).receipt
    center.add(payload + b"x" * 30_000, "tuesday")
    bundle = center.bundle(since=receipt)
    edge.delete(monday)
    edge.collect()
    with pytest.raises(Conflict, match=r"lacks \d+ blocks of image .* \(tuesday\)"):
        edge.take(bundle)
    assert not edge.ids() and edge.fleet.context.feed("golden").sequence == 1
    edge.take(center.bundle())
    assert len(edge.ids()) == 1


def test_a_receipt_of_another_feed_is_refused(center: Site, edge: Site) -> None:
    center.add(data())
    center.publish()
    center.publish("other", tag=["t"])
    receipt = edge.take(center.bundle("other"), center).receipt
    with pytest.raises(Forbidden, match="the receipt is for the feed other"):
        center.bundle("golden", since=receipt)


def test_a_receipt_that_was_changed_is_refused(center: Site, edge: Site) -> None:
    center.add(data())
    center.publish()
    receipt = edge.take(center.bundle(), center).receipt
    with pytest.raises(Forbidden, match="signature of the receipt"):
        center.bundle("golden", since=receipt.replace(r"sequence\":1", r"sequence\":0"))


def test_a_torn_bundle_goes_on_where_it_was(center: Site, edge: Site) -> None:
    payload = os.urandom(6_000_000)
    image_id = center.add(payload)
    center.publish()
    bundle = center.bundle()
    with pytest.raises(Corrupt, match="ends early"):
        edge.take(bundle[: len(bundle) // 2], center)
    assert not edge.ids() and not edge.findings()
    imported = edge.take(bundle, center)
    assert 0 < imported.came < 4_000_000 and edge.read(image_id) == payload
    assert not edge.findings() and not edge.fleet.context.rows.arrivals("golden")


def test_a_relay_needs_no_trust(center: Site, edge: Site, third: Site) -> None:
    payload = data()
    image_id = center.add(payload)
    center.publish()
    edge.take(center.bundle(), center)
    with pytest.raises(Forbidden, match="not of"):
        third.take(edge.bundle(), edge)
    third.take(edge.bundle(), center)
    assert third.read(image_id) == payload


def test_an_origin_that_nobody_knows_is_named(center: Site, edge: Site) -> None:
    center.add(data())
    center.publish()
    with pytest.raises(Forbidden, match=f"--origin {center.fleet.key.fingerprint}"):
        edge.take(center.bundle())


def test_a_peer_is_known_by_its_key(center: Site, edge: Site) -> None:
    image_id = center.add(data())
    center.publish()
    edge.fleet.peers.pair("center", center.fleet.key.fingerprint.replace("-", ""), key=center.fleet.key.public)
    assert edge.take(center.bundle()).report.created == [image_id]


def test_images_go_to_the_project_that_is_asked_for(center: Site, edge: Site) -> None:
    image_id = center.add(data())
    center.publish()
    receipt = edge.take(center.bundle(), center, project="theirs").receipt
    center.change(image_id, name="other")
    edge.take(center.bundle(since=receipt))
    assert (edge.get(image_id).owner, edge.get(image_id).name) == ("theirs", "other")


def test_what_arrived_is_given_back_and_what_lives_stays(center: Site, edge: Site) -> None:
    payload = data()
    image_id = center.add(payload)
    center.publish()
    edge.take(center.bundle(), center)
    edge.collect()
    assert edge.read(image_id) == payload and not edge.findings()
    edge.delete(image_id)
    edge.collect()
    assert not edge.segments()
