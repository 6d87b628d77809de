"""Receipts: what of a feed is at a site, signed by it, so that the next bundle need not bring it again."""

import json
from dataclasses import asdict, dataclass
from typing import Any

from appliance.db.fleet import FeedRecord
from appliance.errors import Invalid
from appliance.fleet.applying import HERE
from appliance.fleet.context import FleetContext
from appliance.fleet.keys import SiteKey, canonical, check_key, verify
from appliance.values import Micros

KIND = "receipt"


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a receipt says. `images` has the hash of each image's block map, by its id."""

    site: str
    origin: str
    feed: str
    sequence: int
    head: str
    images: dict[str, str]


def write_receipt(context: FleetContext, feed: FeedRecord) -> str:
    """The receipt of this site for a feed, as the text of a file."""
    images = context.rows.images(feed.name).values()
    maps = {one.image_id: one.facts["map"]["sha256"] for one in images if one.state == HERE}
    receipt = Receipt(context.key.public, feed.origin, feed.source, feed.sequence, feed.head, maps)
    return sign_receipt(context.key, context.clock(), receipt)


def sign_receipt(key: SiteKey, at: Micros, receipt: Receipt) -> str:
    """The text of a receipt, as that of the site with this key."""
    body = canonical({**asdict(receipt), "at": at, "site": key.public})
    return json.dumps({"receipt": body, "signature": key.sign(KIND, body)}, indent=1) + "\n"


def read_receipt(text: str) -> Receipt:
    """Raises `Invalid` for a file that is none, `Forbidden` for one that was changed."""
    try:
        signed = json.loads(text)
        body = signed["receipt"]
        document: dict[str, Any] = json.loads(body)
        receipt = Receipt(**{name: document[name] for name in Receipt.__slots__})
        check_key(receipt.site)
        if not isinstance(receipt.sequence, int) or not isinstance(receipt.images, dict):
            raise TypeError
    except (ValueError, KeyError, TypeError, RecursionError, Invalid) as error:
        raise Invalid("this is not a receipt: `bundle import` writes one") from error
    verify(receipt.site, KIND, body, signed.get("signature"))
    return receipt
