"""Segments in a bucket of Amazon S3 or of anything that speaks its protocol, through obstore (Rust's object_store)."""

import configparser
import os
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar, cast

import obstore
from obstore import exceptions
from obstore.store import S3Store

from appliance.blobs.backends.objects import ObjectInfo, ObjectMissing, Refused, Unreachable
from appliance.blobs.backends.options import Options
from appliance.blobs.backends.registry import Location
from appliance.blobs.backends.remote import RemoteBackend
from appliance.blobs.backends.s3_errors import SAID, code, reason, why_not
from appliance.blobs.durable import Bytes, Disk
from appliance.errors import WrongUsage
from appliance.values import MIB, Micros

T = TypeVar("T")

_PART = 8 * MIB
_PARTS_AT_ONCE = 2
_SEGMENT = 128 * MIB
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}")
_OPTIONS = ("endpoint", "region", "addressing", "credentials", "credentials_file", "access_key", "secret_key")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class S3Objects:
    """The objects of one bucket under one prefix. Satisfies `Objects`."""

    largest = _SEGMENT

    def __init__(self, bucket: str, prefix: str, config: Mapping[str, Any], options: Options) -> None:
        self.place = f"s3://{bucket}/{prefix}".rstrip("/")
        self._bucket = bucket
        self._prefix = prefix
        self._endpoint = str(config.get("endpoint", ""))
        timeout = timedelta(seconds=options.number("timeout", 30))
        plain = self._endpoint.lower().startswith("http://")
        client: dict[str, Any] = {
            "allow_http": plain,
            # Without TLS there is nothing to check; else the library would insist on certificates of authorities.
            "allow_invalid_certificates": plain,
            "timeout": timeout,
            "connect_timeout": timedelta(seconds=options.number("connect_timeout", 5)),
        }
        if ca_file := options.text("ca_file"):
            client["root_certificate"] = _certificates(ca_file)
        retries: dict[str, Any] = {
            "max_retries": int(options.number("retries", 3)),
            # What has timed out once is not worth as long again.
            "retry_timeout": timeout,
            "backoff": {
                "init_backoff": timedelta(milliseconds=100),
                "max_backoff": timedelta(seconds=2),
                "base": 2,
            },
        }
        try:
            self._store = S3Store(
                bucket,
                prefix=prefix or None,
                config=cast(Any, dict(config)),
                client_options=cast(Any, client),
                retry_config=cast(Any, retries),
            )
        except exceptions.BaseError as error:
            raise WrongUsage(f"{self.place}: {why_not(error)}") from error

    @property
    def details(self) -> Mapping[str, object]:
        return {
            "s3_store_host": self._endpoint,
            "s3_store_bucket": self._bucket,
            "s3_store_large_object_size": _SEGMENT // MIB,
            "s3_store_large_object_chunk_size": _PART // MIB,
            "s3_store_thread_pools": _PARTS_AT_ONCE,
        }

    def put(self, key: str, data: bytes) -> None:
        self._call(lambda: obstore.put(self._store, key, data, use_multipart=False))

    def put_file(self, key: str, path: Path, size: int) -> None:
        self._call(
            lambda: obstore.put(
                self._store,
                key,
                path,
                use_multipart=size > _PART,
                chunk_size=_PART,
                max_concurrency=_PARTS_AT_ONCE,
            )
        )

    def get(self, key: str) -> bytes:
        return self._call(lambda: bytes(obstore.get(self._store, key).bytes()))

    def get_range(self, key: str, offset: int, length: int) -> Bytes:
        return self._call(lambda: memoryview(obstore.get_range(self._store, key, start=offset, length=length)))

    def head(self, key: str) -> ObjectInfo | None:
        try:
            found = self._call(lambda: obstore.head(self._store, key))
        except ObjectMissing:
            return None
        return ObjectInfo(key, found["size"], _micros(found["last_modified"]))

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        pages = iter(obstore.list(self._store, prefix.rstrip("/") or None))
        while page := self._call(lambda: next(pages, None)):
            for found in page:
                yield ObjectInfo(found["path"], found["size"], _micros(found["last_modified"]))

    def delete(self, key: str) -> None:
        try:
            self._call(lambda: obstore.delete(self._store, key))
        except ObjectMissing:
            pass

    def close(self) -> None:
        """Connections close with the last reference to the store."""

    def _call(self, call: Callable[[], T]) -> T:
        try:
            return call()
        except FileNotFoundError as error:
            if code(error) == "NoSuchBucket":
                raise Refused(f"{self.place}: {SAID['NoSuchBucket']}") from error
            raise ObjectMissing from error
        except (exceptions.PermissionDeniedError, exceptions.UnauthenticatedError) as error:
            said = SAID.get(code(error), "the credentials are wrong, or don't allow this")
            raise Refused(f"{self.place}: {said}") from error
        except (exceptions.BaseError, OSError) as error:
            if code(error) in SAID:
                raise Refused(f"{self.place}: {SAID[code(error)]}") from error
            raise Unreachable(f"{self.place} can't be reached at {self._endpoint}: {reason(error)}") from error


def connect(location: Location, disk: Disk) -> RemoteBackend:
    """The backend of `bucket/prefix`."""
    bucket, _, prefix = location.place.strip("/").partition("/")
    options = Options(location, _OPTIONS)
    if not _BUCKET.fullmatch(bucket):
        raise WrongUsage(f"store {location.store}: {bucket!r} is not the name of a bucket; write s3://bucket/prefix")
    addressing = options.text("addressing", "path")
    if addressing not in ("path", "virtual"):
        raise WrongUsage(f"store {location.store}: addressing is path or virtual, not {addressing!r}")
    region = options.text("region") or os.environ.get("AWS_REGION", os.environ.get("AWS_DEFAULT_REGION", ""))
    config: dict[str, Any] = {
        "region": region or "us-east-1",
        "virtual_hosted_style_request": addressing == "virtual",
    }
    if endpoint := options.text("endpoint") or os.environ.get("AWS_ENDPOINT_URL", ""):
        config["endpoint"] = endpoint
    config |= _credentials(location.store, options)
    return RemoteBackend(
        S3Objects(bucket, prefix, config, options),
        location.directory,
        options.cache_directory,
        options.cache_size,
        disk,
    )


def _credentials(store: str, options: Options) -> dict[str, Any]:
    """From the options, a file, or the environment; from the machine's own role only if the options say so."""
    if options.text("credentials") == "machine":
        return {}
    key, secret = options.text("access_key"), options.text("secret_key")
    if file := options.text("credentials_file"):
        parser = configparser.ConfigParser(default_section="", interpolation=None)
        try:
            parser.read_string(_read(file, "credentials_file").decode())
            section = parser["default"] if "default" in parser else parser[parser.sections()[0]]
            key, secret = str(section["aws_access_key_id"]), str(section["aws_secret_access_key"])
        except (configparser.Error, UnicodeDecodeError, KeyError, IndexError) as error:
            raise WrongUsage(
                f"{file} has no section [default] with aws_access_key_id and aws_secret_access_key"
            ) from error
    if not key:
        key, secret = os.environ.get("AWS_ACCESS_KEY_ID", ""), os.environ.get("AWS_SECRET_ACCESS_KEY", "")
    if not key:
        raise WrongUsage(
            f"store {store} has no credentials: give it access_key and secret_key or a credentials_file in "
            "store_options, set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or say credentials=machine for those of "
            "the machine that this runs on"
        )
    found = {"access_key_id": key, "secret_access_key": secret}
    if token := os.environ.get("AWS_SESSION_TOKEN"):
        found["token"] = token
    return found


def _read(path: str, option: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise WrongUsage(f"{option}: {path} can't be read: {error.strerror}") from error


def _certificates(path: str) -> str:
    """The text of a file of certificates. The library takes one without any for fine."""
    text = _read(path, "ca_file").decode("ascii", "replace")
    if "-----BEGIN CERTIFICATE-----" not in text:
        raise WrongUsage(f"ca_file: {path} has no certificate in PEM")
    return text


def _micros(at: datetime) -> Micros:
    return (at - _EPOCH) // timedelta(microseconds=1)
