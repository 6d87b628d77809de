"""The documents of the image API and the checks that are made with them."""

from typing import Any

import pytest

from appliance.errors import Invalid
from appliance.image.schemas import ImageChecks, documents, image_schema
from appliance.settings import Settings

CHECKS = ImageChecks(Settings())

READ_ONLY = {
    "status",
    "checksum",
    "os_hash_algo",
    "os_hash_value",
    "size",
    "virtual_size",
    "created_at",
    "updated_at",
    "direct_url",
    "self",
    "file",
    "schema",
    "stores",
}
WRITABLE = {
    "id",
    "name",
    "visibility",
    "protected",
    "os_hidden",
    "owner",
    "container_format",
    "disk_format",
    "tags",
    "min_ram",
    "min_disk",
    "locations",
}
TYPED = {
    "kernel_id",
    "ramdisk_id",
    "instance_uuid",
    "architecture",
    "os_distro",
    "os_version",
    "description",
    "cinder_encryption_key_id",
    "cinder_encryption_key_deletion_policy",
}


def test_the_image_schema_says_of_every_property_whether_it_is_core() -> None:
    properties = image_schema(Settings())["properties"]
    assert {name for name, value in properties.items() if value["is_base"]} == READ_ONLY | WRITABLE
    assert {name for name, value in properties.items() if not value["is_base"]} == TYPED
    assert {name for name, value in properties.items() if value.get("readOnly")} == READ_ONLY
    assert CHECKS.base_properties == READ_ONLY | WRITABLE
    assert CHECKS.read_only == READ_ONLY


def test_the_formats_are_those_of_the_settings_and_null() -> None:
    schema = image_schema(Settings(disk_formats=("raw",), container_formats=("bare", "ova")))
    assert schema["properties"]["disk_format"]["enum"] == [None, "raw"]
    assert schema["properties"]["container_format"]["enum"] == [None, "bare", "ova"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": None, "disk_format": None, "container_format": None, "owner": None},
        {"anything": "text", "with.dots": "", "hw:x": "é"},
        {"kernel_id": None, "ramdisk_id": "0" * 8 + "-0000-0000-0000-" + "0" * 12},
        {"tags": ["a", "a", ""], "min_ram": 0, "protected": True},
        {"locations": [{"url": "http://x", "metadata": {}}]},
        {"cinder_encryption_key_deletion_policy": "do_not_delete"},
    ],
)
def test_an_image_may_be_described_so(body: dict[str, Any]) -> None:
    CHECKS.validate_new_image(body)
    CHECKS.validate_values(body)


@pytest.mark.parametrize(
    "body",
    [
        [],
        None,
        {"name": 1},
        {"name": "n" * 256},
        {"id": "not-a-uuid"},
        {"anything": 1},
        {"anything": None},
        {"kernel_id": "x"},
        {"disk_format": "floppy"},
        {"container_format": "box"},
        {"visibility": "everyone"},
        {"protected": "true"},
        {"min_ram": True},
        {"min_ram": "1"},
        {"min_disk": 1.5},
        {"tags": "a"},
        {"tags": ["a" * 256]},
        {"locations": [{"url": "http://x"}]},
        {"locations": [{"url": "http://x", "metadata": {}, "validation_data": {"os_hash_algo": "md5"}}]},
        {"cinder_encryption_key_deletion_policy": "maybe"},
        {"name": "\ud800"},
        {"\udfff": "x"},
    ],
)
def test_an_image_may_not_be_described_so(body: Any) -> None:
    with pytest.raises(Invalid, match="body"):
        CHECKS.validate_new_image(body)


@pytest.mark.parametrize(
    ("body", "fits"),
    [
        ({"url": "http://x"}, True),
        ({"url": "http://x", "validation_data": {}}, True),
        ({"url": "http://x", "validation_data": {"os_hash_algo": "sha1", "os_hash_value": "0"}}, True),
        ({}, False),
        ({"url": 1}, False),
        ({"url": "http://x", "validation_data": {"os_hash_algo": "sha1"}}, False),
        ({"url": "http://x", "validation_data": {"os_hash_algo": "crc", "os_hash_value": "0"}}, False),
        ({"url": "http://x", "validation_data": {"checksum": "0"}}, False),
    ],
)
def test_a_location_is_checked(body: Any, fits: bool) -> None:
    if fits:
        CHECKS.validate_location(body)
    else:
        with pytest.raises(Invalid):
            CHECKS.validate_location(body)


def test_no_document_shares_its_parts_with_the_next_caller() -> None:
    first = documents(Settings())
    first["metadefs/namespace"]["properties"].clear()
    first["image"]["properties"].clear()
    assert documents(Settings())["metadefs/namespace"]["properties"]
    assert documents(Settings())["image"]["properties"]
