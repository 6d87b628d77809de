"""A service of someone else's, behind keystonemiddleware: run with the clients' Python, one request a line of JSON.

Not a test module: `test_middleware.py` starts it as a process.
"""

import json
import sys
from typing import Any

from keystonemiddleware import auth_token


def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    seen = {
        "user": environ.get("HTTP_X_USER_NAME"),
        "project": environ.get("HTTP_X_PROJECT_NAME"),
        "roles": sorted(environ.get("HTTP_X_ROLES", "").split(",")),
        "service_roles": environ.get("HTTP_X_SERVICE_ROLES"),
        "catalog": [entry["type"] for entry in json.loads(environ.get("HTTP_X_SERVICE_CATALOG", "[]"))],
    }
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(seen).encode()]


def main(auth_url: str, password: str) -> None:
    guarded = auth_token.AuthProtocol(
        application,
        {
            "www_authenticate_uri": auth_url,
            "auth_url": auth_url,
            "auth_type": "password",
            "username": "glance",
            "password": password,
            "user_domain_id": "default",
            "project_name": "service",
            "project_domain_id": "default",
            "token_cache_time": "-1",
            "service_type": "image",
            "service_token_roles_required": "true",
            "interface": "public",
        },
    )
    for line in sys.stdin:
        asked = json.loads(line)
        environ = {
            "REQUEST_METHOD": asked.get("method", "GET"),
            "PATH_INFO": asked.get("path", "/v2/images"),
            "SCRIPT_NAME": "",
            "SERVER_NAME": "service",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "wsgi.url_scheme": "http",
            "HTTP_X_AUTH_TOKEN": asked["token"],
        }
        if "service_token" in asked:
            environ["HTTP_X_SERVICE_TOKEN"] = asked["service_token"]
        print(json.dumps(call(guarded, environ)), flush=True)


def call(guarded: Any, environ: dict[str, Any]) -> dict[str, Any]:
    said: list[str] = []
    body = b"".join(guarded(environ, lambda status, headers, *rest: said.append(status)))
    status = int(said[0].split()[0])
    return {"status": status, **(json.loads(body) if status == 200 else {})}


if __name__ == "__main__":
    main(*sys.argv[1:])
