"""What a start does before the appliance serves: make what is missing, and say what a person has to know.

Everything here may be run again at every start: what has been done once is not done twice, and what the operator has
changed or deleted since stays as it is. What can't be made again, the administrator, comes last: its password is in the
files for clients before it is in force, so that a crash at any moment leaves a way in. A first start that fails leaves
the directory as it was.
"""

import json
import logging
import shutil
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from appliance import client_files
from appliance.datadir import DataDir
from appliance.db.engine.base import Database
from appliance.db.key_values import KeyValues
from appliance.errors import ApplianceError
from appliance.identity.service import Identity
from appliance.image.metadefs import seed_loader
from appliance.image.service import Images
from appliance.server.interfaces import addresses, is_loopback, is_wildcard
from appliance.settings import Settings
from appliance.values import Caller, Clock

log = logging.getLogger(__name__)

SEEDED = "metadefs:seeded"
"""The note that the seed of metadata definitions is in: what an admin deletes of it stays deleted."""


@dataclass
class StartupReport:
    """What a start has to tell whoever watches it."""

    image_url: str
    identity_url: str
    new_password: str = ""
    """The administrator's, if this start made it up."""
    files: list[Path] = field(default_factory=list)
    """The files for clients that are there."""
    messages: list[str] = field(default_factory=list)
    is_first: bool = False
    """Whether this start made the administrator."""
    console_url: str = ""
    console_link: str = ""
    """Opens the first administrator's session in a browser, once."""
    metrics_url: str = ""
    admin_url: str = ""
    """Where the admin's half of Identity API v2.0 is, if that is served."""


# -- the directory


class Trace:
    """What a first start makes in a data directory, so that one that fails can take it away again.

    A directory that has a database already is nobody's first: nothing of it is ever removed.
    """

    def __init__(self, directory: DataDir) -> None:
        """Look at the directory before anything is made in it, the directory itself included."""
        self._directory = directory
        self._new = [path for path in (directory.path, *directory.path.parents) if not path.exists()]
        self._before = set() if self._new else {entry.name for entry in directory.path.iterdir()}
        self._first = False

    def begin(self) -> None:
        """The directory is ours now. Somebody else may have used it since we looked."""
        self._first = not self._directory.database.exists()

    def keep(self) -> None:
        """The start was a success, or has made what can't be made again."""
        self._first = False

    def undo(self) -> None:
        """Remove what was not there before, unless it is to be kept. The directory is still ours."""
        if not self._first:
            return
        for entry in list(self._directory.path.iterdir()):
            if entry.name in self._before:
                continue
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry, ignore_errors=True)
            else:
                entry.unlink(missing_ok=True)
        for path in self._new:
            # One that somebody else has put something into stays.
            with suppress(OSError):
                path.rmdir()


# -- what is missing


class Startup:
    """Makes what a data directory lacks."""

    def __init__(
        self,
        settings: Settings,
        directory: DataDir,
        db: Database,
        identity: Identity,
        images: Images,
        clock: Clock,
        authority: str = "",
    ) -> None:
        """`authority` is the file that clients trust our certificate by; empty if they know without us."""
        self._settings = settings
        self._directory = directory
        self._db = db
        self._key_values = KeyValues(db)
        self._identity = identity
        self._images = images
        self._clock = clock
        self._authority = authority

    def make_missing(self, trace: Trace, image_url: str, identity_url: str) -> StartupReport:
        """Definitions, the administrator with the files for clients, samples. The addresses are without a version."""
        report = StartupReport(image_url, identity_url)
        settings = self._settings
        if self._key_values.get(SEEDED) is None:
            seed_loader.load_seed(self._db, self._clock)
            self._key_values.set(SEEDED, "yes")
        if settings.identity_mode == "own":
            self._administrator(report, identity_url)
        else:
            aside = client_files.write_for_keystone(self._directory, settings.keystone_url, image_url)
            if aside is not None:
                report.messages.append(f"The former clouds.yaml, for users of the appliance itself, is now {aside}.")
        report.messages += beyond_loopback(settings)
        # From here on the directory holds what nobody could make again.
        trace.keep()
        files = [self._directory.clouds, *([self._directory.openrc] if settings.identity_mode == "own" else [])]
        report.files = [path for path in files if path.is_file()]
        if settings.sample_images:
            admin = self._identity.first_admin()
            report.messages += preload(self._images, admin, Path(settings.sample_images), self._key_values)
        return report

    def _administrator(self, report: StartupReport, identity_url: str) -> None:
        """The first rows of identity. Their commit comes last: the files have the password by then."""
        settings = self._settings
        if self._identity.bootstrapped():
            client_files.refresh(self._directory, identity_url, self._authority)
            if not self._identity.administrators():
                report.messages.append(no_administrator(self._directory))
            return
        password = settings.admin_password or client_files.new_password()
        client_files.write(self._directory, identity_url, settings.region, password, self._authority)
        self._identity.bootstrap(password, settings.region)
        report.is_first = True
        report.new_password = "" if settings.admin_password else password


def beyond_loopback(settings: Settings) -> list[str]:
    """What to know where others reach the services: by which addresses, and that nothing is encrypted."""
    if is_loopback(settings.host):
        return []
    found = []
    if is_wildcard(settings.host):
        found.append(f"The services listen on every address of this machine: {', '.join(addresses()) or 'none yet'}.")
    encrypted = settings.tls_cert or settings.trusted_proxies or settings.public_image_url.startswith("https:")
    if not encrypted and not settings.insecure_http:
        found.append(
            "Passwords and tokens travel unencrypted: name a certificate with --tls-cert (`self` makes one), or name "
            "a proxy with TLS in front with --trusted-proxies; --insecure-http says that it is meant so."
        )
    return found


def no_administrator(directory: DataDir) -> str:
    """What to do when nobody could log in and manage users."""
    return (
        "No enabled user with a password has the role admin, so nobody can manage users, projects or public images: "
        f"stop the appliance and run `glance-appliance identity bootstrap --data-dir {directory.path}`."
    )


# -- samples


def preload(images: Images, admin: Caller, samples: Path, key_values: KeyValues) -> list[str]:
    """Register the sample images that `samples/index.json` lists, as public ones; each once in a data directory's life.

    Returns a sentence for each one that is new or could not be had. A missing or damaged sample never stops the start.
    """
    try:
        listed = json.loads((samples / "index.json").read_text())
    except (OSError, ValueError):
        return [f"There is no sample image in {samples}: `make sample-images` says why."]
    messages = []
    for sample in listed:
        key = f"sample:{sample['sha512'][:32]}"
        if key_values.get(key) is not None:
            continue
        try:
            image_id = _register(images, admin, samples, sample)
        except (ApplianceError, OSError) as error:
            log.warning("sample image %s: %s", sample["name"], error)
            messages.append(f"The sample image {sample['name']} could not be registered: {error}")
            continue
        key_values.set(key, image_id)
        messages.append(f"The sample image {sample['name']} is ready.")
    return messages


def _register(images: Images, admin: Caller, samples: Path, sample: dict[str, Any]) -> str:
    body = {
        "name": sample["name"],
        "disk_format": sample["disk_format"],
        "container_format": sample["container_format"],
        "min_disk": sample.get("min_disk", 0),
        "min_ram": sample.get("min_ram", 0),
        "visibility": "public",
        **sample.get("properties", {}),
    }
    image = images.create(admin, body)
    try:
        with open(samples / sample["file"], "rb") as file:
            images.data.upload(admin, image.id, file, declared_size=sample["size"])
        stored = images.finder.get(admin, image.id)
        if stored.os_hash_algo == "sha512" and stored.os_hash_value != sample["sha512"]:
            raise OSError(f"{sample['file']} does not match its digest")
    except BaseException:
        images.delete(admin, image.id)
        raise
    return image.id
