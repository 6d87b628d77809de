"""A request's id and its trace: in the log, and at the servers that are asked for its sake."""

import json
from pathlib import Path

from tests.api.image_v2.web import Page, web_server
from tests.api.served import serving
from tests.waiting import eventually

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"


def test_an_import_by_address_carries_the_id_and_the_trace_of_its_request(tmp_path: Path) -> None:
    settings = {"import_allowed_hosts": ("127.0.0.1",), "import_allowed_ports": ()}
    with web_server() as web, serving(tmp_path / "d", console=False, **settings) as served:
        web.pages["/disk"] = Page(b"data")
        body = {"name": "fetched", "disk_format": "raw", "container_format": "bare"}
        image = served.ask("POST", "/v2/images", body).json["id"]
        method = {"method": {"name": "web-download", "uri": f"{web.base}/disk"}}
        headers = {"X-OpenStack-Request-ID": "req-mine", "Traceparent": PARENT}
        assert served.ask("POST", f"/v2/images/{image}/import", method, **headers).status == 202
        eventually(lambda: served.ask("GET", f"/v2/images/{image}").json["status"] == "active")
        seen = [
            (path, headers.get("x-openstack-request-id"), headers.get("traceparent")) for path, headers in web.requests
        ]
        assert ("/disk", "req-mine", PARENT) in seen
        assert all("x-auth-token" not in headers for _, headers in web.requests)
        events = json.loads(served.ask("GET", "/appliance/v1/events?request_id=req-mine").body)["events"]
        assert [one["trace_id"] for one in events] == [TRACE]
