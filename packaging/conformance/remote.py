"""A second address of the image service in the catalog, which some tests take for another cloud's.

It is another name of the same host, for each address has a list of cached images of its own.
"""

import json
import urllib.error
import urllib.request
from typing import Any

SERVICE_TYPE = "image_remote"


def register(identity: str, image: str, password: str) -> str | None:
    """Put the address into the catalog through the identity API; its service type, or None if that cannot be done."""
    image = image.replace("//127.0.0.1", "//localhost")
    admin = {"name": "admin", "password": password, "domain": {"id": "default"}}
    scope = {"project": {"name": "admin", "domain": {"id": "default"}}}
    asked = {"auth": {"identity": {"methods": ["password"], "password": {"user": admin}}, "scope": scope}}
    try:
        answer, token = _post(f"{identity}/auth/tokens", asked, {})
        if any(service["type"] == SERVICE_TYPE for service in answer["token"]["catalog"]):
            return SERVICE_TYPE
        headers = {"X-Auth-Token": token}
        made, _ = _post(f"{identity}/services", {"service": {"type": SERVICE_TYPE, "name": "glance_remote"}}, headers)
        endpoint = {"service_id": made["service"]["id"], "interface": "public", "region_id": "RegionOne", "url": image}
        _post(f"{identity}/endpoints", {"endpoint": endpoint}, headers)
    except urllib.error.HTTPError as problem:
        print(f"no {SERVICE_TYPE} in the catalog: {problem.url} answered {problem.code}")
        problem.close()
        return None
    return SERVICE_TYPE


def _post(url: str, body: dict[str, Any], headers: dict[str, str]) -> tuple[Any, str]:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json", **headers})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer), str(answer.headers.get("X-Subject-Token", ""))
