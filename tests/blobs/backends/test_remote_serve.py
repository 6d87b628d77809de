"""A running appliance with a local and a remote store, while its bucket is well and while it is out of reach."""

import json
import os
import sys
import time
from collections.abc import Iterator

import pytest

from tests.blobs.backends.fault_proxy import Plan, fault_proxy
from tests.blobs.backends.seaweed import KEY, SECRET, Seaweed
from tests.e2e.conftest import ROOT, Appliance
from tests.e2e.test_process import fetch, new_image, status_of, token_of

Served = tuple[Appliance, Plan, str]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, server: Seaweed, bucket: str) -> Iterator[Served]:
    with fault_proxy(server.endpoint) as (address, plan):
        options = {"endpoint": address, "timeout": "5", "connect_timeout": "2", "retries": "1"}
        started = Appliance(
            tmp_path_factory.mktemp("served") / "data",
            *("--enabled-backends", f"near:file,deep:s3://{bucket}/{os.urandom(6).hex()}"),
            *("--store-options", ",".join(f"deep:{name}={value}" for name, value in options.items())),
            environment={"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET},
        )
        yield started, plan, token_of(started)
        plan.heal()
        assert started.stop() == 0, started.log()


@pytest.fixture
def away(served: Served) -> Iterator[None]:
    """The bucket is out of reach, and back again at the end."""
    served[1].set("reset", times=-1)
    yield
    served[1].heal()
    deadline = time.monotonic() + 60
    while "can't be reached" in health(served):
        assert time.monotonic() < deadline, "it is not told to be back"
        time.sleep(0.2)


def health(served: Served) -> str:
    return fetch(served[0].image, "/healthcheck?detailed")[2].decode()


def store(served: Served, where: str, data: bytes) -> tuple[str, int]:
    appliance, _, token = served
    image = new_image(appliance, token)
    status, _, _ = fetch(
        appliance.image,
        f"/v2/images/{image}/file",
        "PUT",
        data,
        X_Auth_Token=token,
        Content_Type="application/octet-stream",
        X_Image_Meta_Store=where,
    )
    return image, status


def read(served: Served, image: str) -> tuple[int, bytes]:
    status, _, body = fetch(served[0].image, f"/v2/images/{image}/file", X_Auth_Token=served[2])
    return status, body


def stores_of(served: Served, image: str) -> str:
    body = fetch(served[0].image, f"/v2/images/{image}", X_Auth_Token=served[2])[2]
    return str(json.loads(body)["stores"])


def test_an_image_is_stored_in_the_bucket_and_reads_back(served: Served) -> None:
    data = os.urandom(3_000_000)
    image, status = store(served, "deep", data)
    assert (status, stores_of(served, image)) == (204, "deep")
    assert read(served, image) == (200, data)


def test_the_details_of_a_bucket_are_those_of_the_s3_driver(served: Served) -> None:
    body = fetch(served[0].image, "/v2/info/stores/detail", X_Auth_Token=served[2])[2]
    (deep,) = [each for each in json.loads(body)["stores"] if each["id"] == "deep"]
    assert deep["type"] == "s3"
    assert "s3_store_bucket" in deep["properties"]
    assert SECRET not in body.decode().split('"')


def test_the_record_of_stores_has_no_secret(served: Served) -> None:
    record = (served[0].directory / "stores.json").read_text()
    assert "deep:s3://" in record and "secret_key" not in record


def test_a_bucket_that_is_away_is_named_and_others_go_on(served: Served, away: None) -> None:
    assert store(served, "deep", os.urandom(100_000))[1] == 503
    assert "deep: s3://" in health(served) and "near: OK" in health(served)
    data = os.urandom(100_000)
    assert read(served, store(served, "near", data)[0]) == (200, data)


def test_an_upload_to_a_bucket_that_is_away_leaves_the_image_queued(served: Served, away: None) -> None:
    image, status = store(served, "deep", os.urandom(100_000))
    assert (status, status_of(served[0], served[2], image)) == (503, "queued")


def test_what_is_cached_is_served_while_the_bucket_is_away(served: Served) -> None:
    data = os.urandom(500_000)
    image, _ = store(served, "deep", data)
    served[1].set("reset", times=-1)
    try:
        assert read(served, image) == (200, data)
    finally:
        served[1].heal()


def test_a_bucket_comes_back_by_itself(served: Served) -> None:
    served[1].set("reset", times=-1)
    store(served, "deep", os.urandom(1000))
    served[1].heal()
    deadline = time.monotonic() + 60
    while (status := store(served, "deep", os.urandom(1000))[1]) != 204 and time.monotonic() < deadline:
        time.sleep(0.5)
    assert status == 204


def test_all_images_of_a_store_move_into_the_bucket(served: Served) -> None:
    data = [os.urandom(200_000 + number) for number in range(3)]
    images = [store(served, "near", each)[0] for each in data]
    assert "are in deep now" in move(served, "near", "deep")
    assert [stores_of(served, image) for image in images] == ["deep"] * 3
    assert [read(served, image)[1] for image in images] == data
    assert move(served, "near", "deep").startswith("0 images")


def test_a_move_to_a_store_that_is_not_there_is_refused(served: Served) -> None:
    assert "there is no store nowhere" in move(served, "near", "nowhere", fails=True)


def move(served: Served, source: str, target: str, fails: bool = False) -> str:
    program = (sys.executable, str(ROOT / "appliance.py"))
    where = ("--data-dir", str(served[0].directory))
    return served[0].run(*program, "store", "move", source, target, *where, fails=fails)
