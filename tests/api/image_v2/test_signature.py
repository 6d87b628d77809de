"""Signed images: taken if the data is what was signed, refused without a trace if not."""

import base64
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, padding, rsa
from cryptography.x509.oid import NameOID

from tests.api.image_v2.client import Cloud
from tests.waiting import eventually

DATA = b"signed data" * 1000
IDS = {
    "RSA-PSS": "11111111-1111-4111-8111-111111111111",
    "DSA": "22222222-2222-4222-8222-222222222222",
    "ECC_SECP384R1": "33333333-3333-4333-8333-333333333333",
    "ECC_SECP521R1": "44444444-4444-4444-8444-444444444444",
}
EXPIRED = "55555555-5555-4555-8555-555555555555"
BROKEN = "66666666-6666-4666-8666-666666666666"
HASHES = {"SHA-224": hashes.SHA224, "SHA-256": hashes.SHA256, "SHA-384": hashes.SHA384, "SHA-512": hashes.SHA512}


@cache
def key(kind: str) -> Any:
    if kind == "RSA-PSS":
        return rsa.generate_private_key(65537, 2048)
    if kind == "DSA":
        return dsa.generate_private_key(2048)
    return ec.generate_private_key(ec.SECP384R1() if kind.endswith("384R1") else ec.SECP521R1())


def certificate(kind: str, days: int) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tests")])
    start = datetime.now(UTC) - timedelta(days=2)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key(kind).public_key())
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(start)
    return builder.not_valid_after(start + timedelta(days=days)).sign(key("RSA-PSS"), hashes.SHA256())


def sign(kind: str, method: str, data: bytes = DATA) -> str:
    algorithm: Any = HASHES[method]()  # type: ignore[abstract]
    if kind == "RSA-PSS":
        raw = key(kind).sign(data, padding.PSS(padding.MGF1(algorithm), padding.PSS.MAX_LENGTH), algorithm)
    elif kind == "DSA":
        raw = key(kind).sign(data, algorithm)
    else:
        raw = key(kind).sign(data, ec.ECDSA(algorithm))
    return base64.b64encode(raw).decode()


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("certificates")
    for kind, one in IDS.items():
        ending, encoding = (".pem", serialization.Encoding.PEM) if "ECC" in kind else ("", serialization.Encoding.DER)
        (directory / f"{one}{ending}").write_bytes(certificate(kind, 10).public_bytes(encoding))
    (directory / f"{EXPIRED}.pem").write_bytes(certificate("RSA-PSS", 1).public_bytes(serialization.Encoding.PEM))
    (directory / BROKEN).write_bytes(b"-----BEGIN CERTIFICATE-----\nno\n")
    (directory.parent / "secret.pem").write_bytes(b"secret")
    return directory


@pytest.fixture
def signed(tmp_path: Path, certificates: Path) -> Iterator[Cloud]:
    cloud = Cloud(tmp_path, signature_certificates_dir=str(certificates))
    yield cloud
    cloud.close()


def properties(kind: str = "RSA-PSS", method: str = "SHA-256", **changed: str) -> dict[str, str]:
    found = {
        "img_signature": sign(kind, method),
        "img_signature_hash_method": method,
        "img_signature_key_type": kind,
        "img_signature_certificate_uuid": IDS[kind],
    }
    return found | {f"img_signature{name}": value for name, value in changed.items()}


@pytest.mark.parametrize("kind", IDS)
@pytest.mark.parametrize("method", HASHES)
def test_what_was_signed_is_taken_and_nothing_else(signed: Cloud, kind: str, method: str) -> None:
    if kind == "DSA" and method == "SHA-224":
        method = "SHA-256"
    image = signed.new(**properties(kind, method))["id"]
    answer = signed.put(image, DATA[:-1])
    assert answer.status == 400 and b"Signature verification failed" in answer.body
    assert signed.show(image)["status"] == "queued" and signed.show(image)["size"] is None
    assert signed.db.row("SELECT 1 FROM contents WHERE state = 1") is None
    assert signed.put(image, DATA).status == 204


@pytest.mark.parametrize(
    "changed",
    [
        {"": "%%%"},
        {"": ""},
        {"": "AAAA"},
        {"_hash_method": "MD5"},
        {"_hash_method": "SHA-512"},
        {"_key_type": "ECC_SECP384R1"},
        {"_key_type": "none"},
        {"_certificate_uuid": IDS["DSA"]},
        {"_certificate_uuid": EXPIRED},
        {"_certificate_uuid": BROKEN},
        {"_certificate_uuid": "77777777-7777-4777-8777-777777777777"},
        {"_certificate_uuid": "../secret"},
        {"_certificate_uuid": "{11111111-1111-4111-8111-111111111111}"},
    ],
)
def test_a_signature_that_can_not_be_checked_refuses_the_data(signed: Cloud, changed: dict[str, str]) -> None:
    image = signed.new(**properties(**changed))["id"]
    answer = signed.put(image, DATA)
    assert answer.status == 400 and b"secret" not in answer.body.replace(b"../secret", b"")
    assert signed.show(image)["status"] == "queued"


def test_half_a_signature_is_none(signed: Cloud) -> None:
    half = {name: value for name, value in properties().items() if name != "img_signature_key_type"}
    assert signed.active(b"anything", **half)["status"] == "active"


def test_without_a_directory_there_is_no_certificate(cloud: Cloud) -> None:
    image = cloud.new(**properties())["id"]
    assert cloud.put(image, DATA).status == 400


@pytest.mark.parametrize(("data", "status"), [(DATA, "active"), (DATA[1:], "queued")])
def test_imports_are_checked_too(signed: Cloud, data: bytes, status: str) -> None:
    image = signed.new(**properties())["id"]
    headers = {"Content-Type": "application/octet-stream"}
    assert signed.call("PUT", f"/v2/images/{image}/stage", body=data, headers=headers).status == 204
    body = {"method": {"name": "glance-direct"}}
    assert signed.call("POST", f"/v2/images/{image}/import", body=body).status == 202
    eventually(lambda: signed.show(image)["status"] != "importing")
    assert signed.show(image)["status"] == status
