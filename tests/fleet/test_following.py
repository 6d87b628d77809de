"""What follows of the origin's changes, and what of the changes that were made here stays."""

import pytest

from tests.data_directory import ADMIN, data
from tests.fleet.sites import Site


class Pair:
    """A site and one that follows it."""

    def __init__(self, center: Site, edge: Site, policy: str = "") -> None:
        self.center, self.edge = center, edge
        self.image = center.add(data(), "debian")
        center.change(self.image, os_version="12", tags=["t", "golden"])
        center.publish("golden", tag=["t"])
        self.receipt = edge.take(center.bundle(), center, policy=policy).receipt

    def follow(self) -> list[str]:
        """The next bundle; what the import has to say."""
        imported = self.edge.take(self.center.bundle(since=self.receipt))
        self.receipt = imported.receipt
        return imported.report.notes


@pytest.fixture
def pair(center: Site, edge: Site) -> Pair:
    return Pair(center, edge)


def test_every_change_follows(pair: Pair) -> None:
    pair.center.change(
        pair.image, name="other", visibility="community", protected=True, min_ram=64, os_hidden=True, os_version="13"
    )
    pair.center.change(pair.image, tags=["t", "new"], os_type="linux")
    assert pair.follow() == []
    sent, came = pair.center.get(pair.image), pair.edge.get(pair.image)
    for name in ("name", "visibility", "protected", "min_ram", "os_hidden", "properties", "tags"):
        assert getattr(came, name) == getattr(sent, name), name


def test_a_deletion_follows(pair: Pair) -> None:
    pair.center.delete(pair.image)
    assert pair.follow() == [] and not pair.edge.ids()


def test_an_image_that_leaves_the_feed_goes_and_comes_back_under_its_id(pair: Pair) -> None:
    pair.center.change(pair.image, tags=["golden"])
    pair.follow()
    assert not pair.edge.ids()
    pair.center.change(pair.image, tags=["t"])
    pair.follow()
    assert pair.edge.ids() == {pair.image}
    assert pair.edge.read(pair.image) == pair.center.read(pair.image)


def test_with_the_policy_keep_nothing_goes(center: Site, edge: Site) -> None:
    pair = Pair(center, edge, "keep")
    center.delete(pair.image)
    assert pair.follow() == [f"image {pair.image}: it is in the feed no more, and kept"]
    assert edge.ids() == {pair.image}


def test_what_was_changed_here_stays_and_is_told(pair: Pair) -> None:
    pair.edge.change(pair.image, name="mine", os_version="local", tags=["golden"], site="edge")
    pair.center.change(pair.image, name="theirs", os_version="13", min_disk=5, tags=["t", "golden", "new"])
    assert pair.follow() == [f"image {pair.image}: changed here: name, property os_version, tags"]
    came = pair.edge.get(pair.image)
    assert (came.name, came.min_disk, came.tags) == ("mine", 5, ["golden", "new"])
    assert came.properties["os_version"] == "local" and came.properties["site"] == "edge"


def test_an_image_that_was_changed_here_is_not_removed(pair: Pair) -> None:
    pair.edge.change(pair.image, protected=True)
    pair.center.delete(pair.image)
    assert pair.follow() == [
        f"image {pair.image}: it is in the feed no more, and kept for what was changed here: protected"
    ]
    assert pair.edge.ids() == {pair.image}


def test_a_protected_image_that_its_origin_lets_go_is_removed(pair: Pair) -> None:
    pair.center.change(pair.image, protected=True)
    pair.follow()
    pair.center.change(pair.image, tags=["golden"])
    pair.follow()
    assert not pair.edge.ids()


def test_an_image_that_was_deleted_here_does_not_come_back(pair: Pair) -> None:
    pair.edge.delete(pair.image)
    pair.center.change(pair.image, name="other")
    assert pair.follow() == [f"image {pair.image}: it was deleted here, and stays so"]
    assert not pair.edge.ids()


def test_another_image_with_the_id_stays(center: Site, edge: Site) -> None:
    taken = center.add(data(), "theirs")
    center.publish()
    edge.images.create(ADMIN, {"id": taken, "name": "mine", "disk_format": "raw", "container_format": "bare"})
    notes = edge.take(center.bundle(), center).report.notes
    assert notes == [f"image {taken}: another image has its id here; delete that one first"]
    assert edge.get(taken).name == "mine"


def test_an_image_in_two_feeds_stays_as_long_as_one_has_it(center: Site, edge: Site) -> None:
    image_id = center.add(data())
    center.publish("one")
    center.publish("two", tag=["t"])
    edge.take(center.bundle("one"), center)
    receipt = edge.take(center.bundle("two"), center).receipt
    center.change(image_id, tags=["other"])
    edge.take(center.bundle("two", since=receipt))
    assert edge.ids() == {image_id}
    center.delete(image_id)
    edge.take(center.bundle("one"))
    assert not edge.ids()


def test_the_hidden_part_of_a_site_is_in_no_feed(center: Site, edge: Site) -> None:
    center.add(data(), "secret", visibility="private")
    shown = center.add(data(), "shown")
    center.publish()
    bundle = center.bundle()
    assert b"secret" not in bundle
    edge.take(bundle, center)
    assert edge.ids() == {shown}
