"""What AsyncOpenStackClient, as it is released, does with the appliance; prints what it saw as one JSON object.

Its calls are create, list, retrieve, update and delete; the bytes go through the same aiohttp with its token.
"""

import asyncio
import hashlib
import json
import os
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path
from typing import Any

import aiohttp
from asyncopenstackclient import AuthPassword, GlanceClient
from simple_rest_client.exceptions import ClientError

FILE = Path(os.environ["FILE"])


async def pieces() -> AsyncIterator[bytes]:
    """The file as aiohttp sends it without a length."""
    with FILE.open("rb") as file:
        while piece := file.read(100_000):
            yield piece


async def one(number: int, glance: GlanceClient, http: aiohttp.ClientSession) -> dict[str, Any]:
    """An image from its creation to its end."""
    seen: dict[str, Any] = {}
    name = f"async {number} ü"
    made = await glance.images.create(name=name, disk_format="raw", container_format="bare", tags=["a"], min_ram=64)
    seen["created"] = (made["name"] == name, made["status"], made["tags"], made["min_ram"])
    address = f"{glance.api_url}images/{made['id']}/file"
    headers = {"X-Auth-Token": glance.session.token, "Content-Type": "application/octet-stream"}
    data = pieces() if number % 2 else FILE.read_bytes()
    async with http.put(address, data=data, headers=headers) as answer:
        seen["uploaded"] = answer.status
    seen["checksum"] = (await glance.images.retrieve(made["id"]))["checksum"]
    async with http.get(address, headers=headers) as answer:
        seen["downloaded"] = hashlib.md5(await answer.read()).hexdigest()
    listed = await glance.images.list(name=name, limit=5, sort="created_at:desc")
    seen["listed"] = [image["id"] for image in listed["images"]] == [made["id"]]
    seen["no_such_patch"] = await refused(glance.images.partial_update(made["id"], name="another"))
    await glance.images.destroy(made["id"])
    seen["deleted"] = await refused(glance.images.retrieve(made["id"]))
    return seen


async def refused(call: Awaitable[Any]) -> int | None:
    """The status that a call failed with."""
    try:
        await call
    except ClientError as error:
        return int(error.response.status_code)
    return None


async def main() -> None:
    """Several at once, over one event loop."""
    glance = GlanceClient(session=AuthPassword())
    await glance.init_api()
    async with aiohttp.ClientSession() as http:
        tours = await asyncio.gather(*(one(number, glance, http) for number in range(6)))
    print(json.dumps({"api_url": glance.api_url, "tours": tours}))


asyncio.run(main())
