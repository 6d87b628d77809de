"""What an administrator does with the fleet: documents in, documents out, the same over HTTP and at rest."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from appliance.db.fleet import FeedRecord, FleetImage, PeerRecord
from appliance.errors import Invalid, NotFound
from appliance.fleet.bundle_import import Imported
from appliance.fleet.context import check_policy
from appliance.fleet.keys import fingerprint
from appliance.fleet.pace import Hours
from appliance.fleet.service import Fleet
from appliance.fleet.syncing import Behind, FollowTerms
from appliance.fleet.web import PEM
from appliance.values import Micros, seconds_text

Document = Mapping[str, Any]
Shown = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing that can be done: `work` is called with the document that was sent, and the parts of the path."""

    method: str
    path: str
    work: Callable[..., Shown | None]


class FleetOperations:
    """The operations, each at its place below `/appliance/v1/fleet`."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet

    def operations(self) -> list[Operation]:
        return [
            Operation("GET", "", self.site),
            Operation("GET", "/peers", self.peers),
            Operation("POST", "/peers", self.pair),
            Operation("PATCH", "/peers/<name>", self.change_peer),
            Operation("DELETE", "/peers/<name>", self.part),
            Operation("POST", "/peers/<name>/feeds", self.follow),
            Operation("GET", "/feeds", self.feeds),
            Operation("POST", "/feeds", self.create_feed),
            Operation("GET", "/feeds/<name>", self.feed),
            Operation("PATCH", "/feeds/<name>", self.change_feed),
            Operation("DELETE", "/feeds/<name>", self.delete_feed),
            Operation("GET", "/sync", self.sync),
            Operation("POST", "/sync/<name>", self.sync_now),
        ]

    def do(self, method: str, path: str, document: Document) -> Shown | None:
        """Do what a request to this path would do. Raises `NotFound` if there is no such thing."""
        given = path.split("/")
        for operation in self.operations():
            names = operation.path.split("/")
            if operation.method == method and len(names) == len(given):
                parts = dict(zip(names, given, strict=True))
                if all(name == value for name, value in parts.items() if not name.startswith("<")):
                    values = {name.strip("<>"): value for name, value in parts.items() if name.startswith("<")}
                    return operation.work(document, **values)
        raise NotFound(f"There is nothing at {path}.")

    # -- this site and others ------------------------------------------------------------------------------------------

    def site(self, document: Document) -> Shown:
        """By what others know this site."""
        return {"fingerprint": self._fleet.key.fingerprint, "key": self._fleet.key.public}

    def peers(self, document: Document) -> Shown:
        return {"peers": [_peer(peer) for peer in self._fleet.peers.every()]}

    def pair(self, document: Document) -> Shown:
        """Know another site from now on."""
        name, accepted = _text(document, "name"), _text(document, "fingerprint")
        more = {part: _text(document, part) for part in ("key", "url")} | {"pin": _trust(document)}
        return {"peer": _peer(self._fleet.peers.pair(name, accepted, **more))}

    def change_peer(self, document: Document, name: str) -> Shown:
        """Say anew where a site is, or by what its certificate is known."""
        if unknown := document.keys() - {"url", "pin", "ca"}:
            raise Invalid(f"{', '.join(sorted(unknown))} of the peer {name} can't be changed.")
        values = {"url": _text(document, "url")} if "url" in document else {}
        if document.keys() & {"pin", "ca"}:
            values["pin"] = _trust(document)
        return {"peer": _peer(self._fleet.peers.change(name, values))}

    def part(self, document: Document, name: str) -> None:
        self._fleet.peers.remove(name)

    def follow(self, document: Document, name: str) -> Shown:
        """Follow a feed of a peer from now on."""
        terms = FollowTerms(
            name=_text(document, "name"),
            origin=_text(document, "origin"),
            project=_text(document, "project") or None,
            policy=_text(document, "policy") or "mirror",
            every=_number(document, "every"),
            hours=_text(document, "hours"),
            rate=_number(document, "rate"),
            tree=_text(document, "tree"),
        )
        return {"feed": self._shown(self._fleet.syncer.follow(name, _text(document, "feed"), terms))}

    # -- syncing -------------------------------------------------------------------------------------------------------

    def sync(self, document: Document) -> Shown:
        """How far the feeds are that come from elsewhere."""
        return {"sync": [_behind(one, self._fleet.context.clock()) for one in self._fleet.syncer.behind()]}

    def sync_now(self, document: Document, name: str) -> Shown:
        """Have a feed brought up to date in the background."""
        self._fleet.syncer.wake(name)
        return {"sync": name}

    # -- feeds ---------------------------------------------------------------------------------------------------------

    def feeds(self, document: Document) -> Shown:
        return {"feeds": [self._shown(feed) for feed in self._fleet.context.rows.feeds()]}

    def feed(self, document: Document, name: str) -> Shown:
        """A feed with its images, as the log says now."""
        feed = self._fleet.publisher.refresh(name)
        images = self._fleet.context.rows.images(name).values()
        return {"feed": self._shown(feed), "images": [_image(image) for image in images]}

    def create_feed(self, document: Document) -> Shown:
        wanted, readers = document.get("filter"), document.get("readers", [])
        if not isinstance(wanted, Mapping) or not isinstance(readers, list):
            raise Invalid("A feed has a name, a filter, and a list of readers.")
        self._check_readers(readers)
        limits = _serving(document)
        self._fleet.publisher.create(_text(document, "name"), wanted, readers, limits)
        return {"feed": self._shown(self._fleet.publisher.refresh(_text(document, "name")))}

    def change_feed(self, document: Document, name: str) -> Shown:
        """Change who may read a feed, or on which terms it is followed."""
        feed = self._fleet.context.feed(name)
        known = {"readers", "serve_hours", "serve_rate"}
        known |= set() if feed.is_own else {"policy", "project", "every", "hours", "rate"}
        if unknown := document.keys() - known:
            raise Invalid(f"{', '.join(sorted(unknown))} of the feed {name} can't be changed.")
        values = dict(document)
        if "policy" in values:
            check_policy(values["policy"])
        Hours(_text(values, "hours"))
        _number(values, "every")
        _number(values, "rate")
        _text(values, "project")
        _serving(values)
        self._check_readers(values.get("readers", []))
        if values:
            rows = self._fleet.context.rows
            self._fleet.context.db.transact(lambda tx: rows.change_feed(tx, name, values))
        return {"feed": self._shown(self._fleet.context.feed(name))}

    def delete_feed(self, document: Document, name: str) -> None:
        self._fleet.publisher.delete(name)

    def _check_readers(self, readers: list[Any]) -> None:
        for reader in readers:
            if reader != "all":
                self._fleet.peers.find(str(reader))

    def _shown(self, feed: FeedRecord) -> Shown:
        states = [image.state for image in self._fleet.context.rows.images(feed.name).values()]
        common = {
            "name": feed.name,
            "origin": fingerprint(feed.origin),
            "source": feed.source,
            "is_own": feed.is_own,
            "readers": list(feed.readers),
            "serve_hours": feed.serve_hours,
            "serve_rate": feed.serve_rate,
            "entries": feed.sequence,
            "images": states.count("here"),
            "created_at": _time(feed.created_at),
        }
        if feed.is_own:
            return common | {"filter": dict(feed.wanted)}
        return common | {
            "peer": feed.peer or None,
            "tree": feed.tree or None,
            "every": feed.every,
            "hours": feed.hours,
            "rate": feed.rate,
            "policy": feed.policy,
            "project": feed.project,
            "applied": feed.applied,
            "applied_at": _time(feed.applied_at),
            "trouble": feed.trouble,
        }


def imported_text(imported: Imported) -> Shown:
    """What an import did."""
    report = imported.report
    return {
        "feed": imported.feed,
        "entries": imported.position,
        "bytes": imported.came,
        "created": report.created,
        "changed": report.changed,
        "removed": report.removed,
        "notes": report.notes,
        "receipt": imported.receipt,
    }


def _behind(behind: Behind, now: Micros) -> Shown:
    feed, progress = behind.feed, behind.progress
    return {
        "feed": feed.name,
        "peer": feed.peer or None,
        "state": "running" if progress.running else "waiting",
        "images_behind": behind.images,
        "bytes_behind": behind.length,
        # The clock of the origin may be ahead of ours.
        "seconds_behind": max(0, now - behind.since) // 1_000_000 if behind.since else 0,
        "bytes_came": progress.came,
        "asked_at": _time(feed.asked_at),
        "applied_at": _time(feed.applied_at),
        "trouble": feed.trouble,
    }


def _peer(peer: PeerRecord) -> Shown:
    return {
        "name": peer.name,
        "fingerprint": fingerprint(peer.key),
        "key": peer.key,
        "url": peer.url or None,
        "pin": None if peer.pin.startswith(PEM) else peer.pin or None,
        "ca": peer.pin if peer.pin.startswith(PEM) else None,
        "paired_at": _time(peer.paired_at),
    }


def _image(image: FleetImage) -> Shown:
    facts = image.facts
    return {
        "id": image.image_id,
        "name": facts.get("name"),
        "size": facts.get("size"),
        "entry": image.sequence,
        "state": image.state,
        "note": image.note,
    }


def _time(at: Micros) -> str | None:
    return seconds_text(at) if at else None


def _text(document: Document, name: str) -> str:
    value = document.get(name, "")
    if not isinstance(value, str):
        raise Invalid(f"{name} is a text.")
    return value


def _trust(document: Document) -> str:
    """By what a site's certificate is known: a pin or authorities, which are kept in one place."""
    pin, ca = _text(document, "pin"), _text(document, "ca")
    if pin and ca:
        raise Invalid("The certificate of a site is known by a pin or by an authority, not by both.")
    if ca and PEM not in ca:
        raise Invalid("The authorities that a site is known by are certificates in PEM form.")
    return ca[ca.find(PEM) :] if ca else pin


def _serving(document: Document) -> dict[str, Any]:
    """When, and how fast, the blocks of a feed are handed on, as far as it is said. Raises `Invalid`."""
    Hours(_text(document, "serve_hours"))
    _number(document, "serve_rate")
    return {name: document[name] for name in ("serve_hours", "serve_rate") if name in document}


def _number(document: Document, name: str) -> int:
    value = document.get(name, 0)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**53:
        raise Invalid(f"{name} is a whole number: seconds, or bytes a second.")
    return value
