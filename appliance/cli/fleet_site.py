"""The fleet of an appliance, for the verbs: asked over HTTP while it runs, worked on in its directory otherwise."""

import http.client
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol
from urllib.parse import quote, urlencode

from appliance.cli.client.calls import USER_AGENT, body_of, finish, target, unreachable
from appliance.cli.client.credentials import AUTH, Credentials, find
from appliance.cli.client.session import Session, TokenCache
from appliance.cli.directory import owned
from appliance.datadir import DataDir
from appliance.errors import Fatal
from appliance.fleet.bundle_import import Terms
from appliance.fleet.operations import Document, FleetOperations, imported_text
from appliance.fleet.service import Fleet
from appliance.image.service import Images
from appliance.settings import Settings
from appliance.values import MIB, now

BASE = "/appliance/v1/fleet"
_SECRETS = {"password", "token", "application_credential_secret"}
_PATIENCE = 3600
"""Seconds to wait for the server's next word: it reads every image of a bundle before it believes in it."""
_BLOCK = MIB
_LOOK = 0.5

Read = Callable[[int], bytes]
Progress = Callable[[int], None]


def below(*parts: str) -> str:
    """The path of something below `BASE`; a name that people have typed stays one part of it, whatever it has."""
    return "".join(f"/{quote(part, safe='')}" for part in parts)


class Site(Protocol):
    """An appliance of which the verbs ask something."""

    def ask(self, method: str, path: str, document: Document | None = None) -> Any:
        """The document at a path below `BASE`."""
        ...

    def export(self, feed: str, since: str) -> tuple[int, Iterator[bytes]]:
        """A bundle: how many bytes it has, and those."""
        ...

    def bring(self, read: Read, length: int, terms: Mapping[str, str], progress: Progress) -> dict[str, Any]:
        """Import a bundle of so many bytes; what that did."""
        ...

    def sync(self, feed: str) -> str:
        """Bring a feed up to date, and wait for it; what is wrong with it, if anything is."""
        ...


@contextmanager
def fleet_site(settings: Settings, purpose: str) -> Iterator[Site]:
    """The appliance of a data directory. Raises `Fatal` if there is none."""
    if DataDir(settings.data_dir).holder() is not None:
        yield Served(Session(_administrator(settings), TokenCache()))
        return
    with owned(settings, purpose, frees=False) as opened:
        images = Images(opened.db, opened.stores, opened.settings, now)
        try:
            yield AtRest(Fleet(opened.db, images, opened.directory, now))
        finally:
            images.close()


def _administrator(settings: Settings) -> Credentials:
    """Who asks a running appliance: its own administrator; or, where the users are another Keystone's, whoever the
    environment names. Raises `Fatal` if it names nobody.
    """
    found = find({"data_dir": settings.data_dir}, {})
    if not found.auth.keys() & _SECRETS:
        named = {f"os_{name}": value for name in AUTH if (value := os.environ.get(f"OS_{name.upper()}"))}
        found = find({"data_dir": settings.data_dir, **named}, {})
    if not found.auth.keys() & _SECRETS:
        raise Fatal(
            f"the users of this appliance are those of {found.auth['auth_url']}: say who asks with OS_USERNAME, "
            "OS_PASSWORD and OS_PROJECT_NAME, or with OS_TOKEN, or stop the appliance"
        )
    return found


class AtRest:
    """One that does not run."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._operations = FleetOperations(fleet)

    def ask(self, method: str, path: str, document: Document | None = None) -> Any:
        return self._operations.do(method, path, document or {})

    def export(self, feed: str, since: str) -> tuple[int, Iterator[bytes]]:
        bundle = self._fleet.bundle(feed, since)
        return bundle.length, bundle.pieces()

    def bring(self, read: Read, length: int, terms: Mapping[str, str], progress: Progress) -> dict[str, Any]:
        return imported_text(self._fleet.imports.run(read, Terms(**terms), progress))

    def sync(self, feed: str) -> str:
        self._fleet.syncer.run(feed)
        return ""


class Served:
    """One that runs, asked as its administrator."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def ask(self, method: str, path: str, document: Document | None = None) -> Any:
        answer = self._session.call(method, "image", BASE + path, document)
        return answer.json() if answer.body else None

    def export(self, feed: str, since: str) -> tuple[int, Iterator[bytes]]:
        url = f"{self._session.address('image')}{BASE}{below('feeds', feed, 'bundle')}"
        connection = self._session.http.connect(url, _PATIENCE)
        try:
            body = json.dumps({"since": since}).encode()
            connection.request("POST", target(url), body, self._headers("application/json"))
            response = connection.getresponse()
            if response.status >= 400:
                finish(response, url)
            length = int(response.headers["Content-Length"])
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise unreachable(url, error) from error
        return length, body_of(connection, response, url, _BLOCK)

    def bring(self, read: Read, length: int, terms: Mapping[str, str], progress: Progress) -> dict[str, Any]:
        url = f"{self._session.address('image')}{BASE}/bundles?{urlencode(terms)}"
        connection = self._session.http.connect(url, _PATIENCE)
        try:
            connection.putrequest("POST", target(url), skip_accept_encoding=True)
            for name, value in {**self._headers("application/x-tar"), "Content-Length": str(length)}.items():
                connection.putheader(name, value)
            try:
                connection.endheaders()
                while block := read(_BLOCK):
                    connection.send(block)
                    progress(len(block))
            except (BrokenPipeError, ConnectionResetError):
                pass  # It has refused the bundle, and its answer says why.
            imported: dict[str, Any] = finish(connection.getresponse(), url).json()
            return imported
        except (OSError, http.client.HTTPException) as error:
            raise unreachable(url, error) from error
        finally:
            connection.close()

    def sync(self, feed: str) -> str:
        self.ask("POST", below("sync", feed))
        while True:
            one = next(one for one in self.ask("GET", "/sync")["sync"] if one["feed"] == feed)
            if one["state"] != "running":
                return str(one["trouble"])
            time.sleep(_LOOK)

    def _headers(self, kind: str) -> dict[str, str]:
        token = self._session.token_id()
        return {"User-Agent": USER_AGENT, "X-Auth-Token": token, "Content-Type": kind, "Accept": "application/json"}
