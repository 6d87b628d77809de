"""Signatures of EC2 and S3 requests, held against examples that Amazon's documentation gives."""

import base64
import hmac
from typing import Any

import pytest

from appliance.errors import Unauthenticated
from appliance.identity.auth.ec2 import check_ec2, check_s3

SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
SIGNATURE = "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
CREDENTIAL = "AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request"
LIST_USERS: dict[str, Any] = {
    "signature": SIGNATURE,
    "verb": "GET",
    "host": "iam.amazonaws.com",
    "path": "/",
    "params": {"Action": "ListUsers", "Version": "2010-05-08"},
    "headers": {
        "Authorization": f"AWS4-HMAC-SHA256 Credential={CREDENTIAL}, SignedHeaders=content-type;host;x-amz-date, "
        f"Signature={SIGNATURE}",
        "Host": "iam.amazonaws.com",
        "Content-Type": "application/x-www-form-urlencoded; charset=utf-8",
        "X-Amz-Date": "20150830T123600Z",
    },
    "body_hash": EMPTY,
}


def test_version_4_signs_as_amazons_example() -> None:
    check_ec2(SECRET, LIST_USERS)


@pytest.mark.parametrize(
    ("version", "digest", "signed", "parameters"),
    [
        ("0", "sha1", "DescribeImages2027-01-01T00:00:00Z", {"Action": "DescribeImages", "Timestamp": "{now}"}),
        ("1", "sha1", "aBSignatureVersion1Z", {"a": "B", "SignatureVersion": "1", "Z": ""}),
    ],
)
def test_old_versions_sign_their_parameters(version: str, digest: str, signed: str, parameters: dict[str, str]) -> None:
    given = {key: value.replace("{now}", "2027-01-01T00:00:00Z") for key, value in parameters.items()}
    shown = {"verb": "GET", "host": "h", "path": "/", "params": {**given, "SignatureVersion": version}}
    check_ec2("s", {**shown, "signature": mac_base64("s", signed.encode(), digest)})


def mac_base64(secret: str, text: bytes, digest: str) -> str:
    return base64.b64encode(hmac.digest(secret.encode(), text, digest)).decode()


@pytest.mark.parametrize(
    "change",
    [
        {"path": "/other"},
        {"params": {"Action": "ListUsers"}},
        {"body_hash": "x"},
        {"body_hash": None},
        {"headers": {}},
        {"headers": {**LIST_USERS["headers"], "X-Amz-Date": "20160101T000000Z"}},
        {"headers": {**LIST_USERS["headers"], "Authorization": "AWS4-HMAC-SHA256 Credential=x"}},
        {"headers": "x"},
        {"params": None},
        {"host": "h:[::1"},
    ],
)
def test_what_differs_from_the_signed_request_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(Unauthenticated):
        check_ec2(SECRET, {**LIST_USERS, **change})


def test_a_host_with_its_port_is_also_tried_without() -> None:
    text = b"GET\nh\n/\nSignatureMethod=HmacSHA256&SignatureVersion=2"
    shown = {"verb": "GET", "host": "h:8773", "path": "/", "params": {"SignatureVersion": "2"}}
    check_ec2("s", {**shown, "signature": mac_base64("s", text, "sha256")})


@pytest.mark.parametrize(("service", "right"), [("s3", True), ("iam", True), ("sts", True), ("ec2", False)])
def test_s3_takes_version_4_for_its_own_services(service: str, right: bool) -> None:
    scope = f"20150830/us-east-1/{service}/aws4_request"
    text = f"AWS4-HMAC-SHA256\n20150830T123600Z\n{scope}\n{EMPTY}".encode()
    key = b"AWS4s"
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    shown = {
        "token": base64.urlsafe_b64encode(text).decode(),
        "signature": hmac.digest(key, text, "sha256").hex(),
    }
    if right:
        check_s3("s", shown)
    else:
        with pytest.raises(Unauthenticated):
            check_s3("s", shown)


@pytest.mark.parametrize(
    "shown",
    [{}, {"token": 5}, {"token": "x", "signature": "y"}, {"token": "eA=="}, {"token": "QVdTNA==", "signature": ""}],
)
def test_s3_refuses_what_it_cannot_read(shown: dict[str, Any]) -> None:
    with pytest.raises(Unauthenticated):
        check_s3("s", shown)
