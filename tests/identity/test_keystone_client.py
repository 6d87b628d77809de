"""The client of another Keystone: its token goes to that Keystone and nowhere else."""

import json

import pytest

from appliance.errors import Unavailable
from appliance.identity.remote.keystone_client import KeystoneClient
from appliance.settings import Settings
from tests.api.image_v2.web import Page, web_server


def test_a_token_stays_with_the_service_that_it_is_for() -> None:
    with web_server() as keystone, web_server() as other:
        other.pages["/v3/users"] = Page(b"{}")
        keystone.pages["/v3/users"] = Page(status=302, headers={"Location": f"{other.base}/v3/users"})
        keystone.pages["/v3/projects"] = Page(status=302, headers={"Location": "/v3/moved"})
        keystone.pages["/v3/moved"] = Page(json.dumps({"projects": []}).encode())
        client = KeystoneClient(Settings(external_auth_url=keystone.base))
        client._token = "secret"
        with pytest.raises(Unavailable):
            client.get("users")
        assert not other.requests
        assert client.get("projects") == {"projects": []}
