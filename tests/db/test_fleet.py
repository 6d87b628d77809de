"""Rows of the fleet, on both engines."""

from functools import partial

import pytest

from appliance.db.engine.base import Database
from appliance.db.fleet import EntryRow, FeedRecord, FleetImage, FleetRows, PeerRecord
from appliance.db.image.images import ImageRecord, ImageRows, LocationRecord
from appliance.errors import Conflict

GOLDEN = FeedRecord("golden", "k" * 64, "golden", True, {"tag": ["x"]}, ["edge"])


@pytest.fixture
def rows(db: Database) -> FleetRows:
    rows = FleetRows(db)
    db.transact(lambda tx: rows.add_feed(tx, GOLDEN))
    return rows


def entry(sequence: int, image: str, *, is_put: bool = True) -> EntryRow:
    return EntryRow(sequence, image, is_put, f"body {sequence}", "s")


def test_a_feed_is_read_as_it_was_written(rows: FleetRows) -> None:
    assert rows.feed("golden") == GOLDEN and rows.feeds() == [GOLDEN]
    assert rows.feed_of("k" * 64, "golden") == GOLDEN and rows.feed("other") is None


def test_a_feed_is_there_once(db: Database, rows: FleetRows) -> None:
    again = FeedRecord("another-name", "k" * 64, "golden", False)
    with pytest.raises(Conflict):
        db.transact(lambda tx: rows.add_feed(tx, again))


def test_a_peer_is_there_once(db: Database, rows: FleetRows) -> None:
    peer = PeerRecord("edge", "e" * 64, "", "", 1)
    db.transact(lambda tx: rows.add_peer(tx, peer))
    for other in (PeerRecord("edge", "f" * 64, "", "", 1), PeerRecord("other", "e" * 64, "", "", 1)):
        with pytest.raises(Conflict):
            db.transact(partial(rows.add_peer, peer=other))
    assert rows.peers() == [peer]


def test_a_log_is_appended_to_where_it_ends(db: Database, rows: FleetRows) -> None:
    db.transact(lambda tx: rows.append(tx, "golden", 0, [entry(1, "a"), entry(2, "b")], "h2"))
    with pytest.raises(Conflict):
        db.transact(lambda tx: rows.append(tx, "golden", 0, [entry(1, "c")], "h1"))
    feed = rows.feed("golden")
    assert feed is not None and (feed.sequence, feed.head) == (2, "h2")
    assert rows.entries("golden", 1, 10) == [entry(2, "b")]


def test_the_last_entry_of_each_image_counts(db: Database, rows: FleetRows) -> None:
    log = [entry(1, "a"), entry(2, "b"), entry(3, "a", is_put=False), entry(4, "b")]
    db.transact(lambda tx: rows.append(tx, "golden", 0, log, "h"))
    assert list(rows.current("golden")) == [log[2], log[3]]
    assert list(rows.current("golden", 0, 2)) == [log[0], log[1]]
    assert rows.last_entry("golden", "a") == log[2] and rows.last_entry("golden", "c") is None


def test_the_state_of_an_image_is_written_over(db: Database, rows: FleetRows) -> None:
    for state in ("here", "kept"):
        one = FleetImage("a", 1, 2, state, "", {"name": "x"})
        db.transact(partial(rows.put_images, feed="golden", images=[one]))
    assert rows.images("golden") == {"a": FleetImage("a", 1, 2, "kept", "", {"name": "x"})}


def test_a_feed_goes_with_its_log(db: Database, rows: FleetRows) -> None:
    db.transact(lambda tx: rows.append(tx, "golden", 0, [entry(1, "a")], "h"))
    db.transact(lambda tx: rows.put_images(tx, "golden", [FleetImage("a", 1)]))
    assert db.transact(lambda tx: rows.remove_feed(tx, "golden"))
    assert not rows.entries("golden", 0, 10) and not rows.images("golden")


def test_what_is_on_its_way_is_remembered_until_it_is_used(db: Database, rows: FleetRows) -> None:
    for number in (1, 2):
        db.transact(partial(rows.add_arrival, store="file", content_id=number, feed="golden", at=number * 100))
    assert rows.left_over(150) == [("file", 1)]
    assert db.transact(lambda tx: rows.remove_arrival(tx, "file", 1))
    assert not db.transact(lambda tx: rows.remove_arrival(tx, "file", 1))
    assert rows.arrivals("golden") == [("file", 2)]


def test_a_filter_names_images_with_data(db: Database, rows: FleetRows) -> None:
    images = ImageRows(db)

    def add(image_id: str, **values: object) -> None:
        image = ImageRecord(image_id, "p1", 1, 1, status="active", size=1)
        for name, value in values.items():
            setattr(image, name, value)

        def change(tx: object) -> None:
            images.insert(tx, image)  # type: ignore[arg-type]
            if image.size is not None:
                images.add_location(tx, image_id, LocationRecord("file", 1))  # type: ignore[arg-type]

        db.transact(change)

    add("a", tags=["x", "y"], visibility="public")
    add("b", tags=["x"], properties={"os": "debian"}, owner="p2")
    add("c", tags=["x"], status="deactivated")
    add("d", tags=["x"], status="queued", size=None)
    for wanted, found in (
        ({"tag": ["x"]}, {"a", "b", "c"}),
        ({"tag": ["x", "y"]}, {"a"}),
        ({"property": {"os": "debian"}}, {"b"}),
        ({"visibility": ["public", "private"]}, {"a"}),
        ({"owner": ["p2"], "tag": ["x"]}, {"b"}),
        ({"id": ["a", "c", "d"]}, {"a", "c"}),
        ({"all": True}, {"a", "b", "c"}),
    ):
        assert rows.matching(wanted).keys() == found, wanted
