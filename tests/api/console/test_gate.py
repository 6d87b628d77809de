"""The console's gate: what the browser gets, what it may send, and what it never sees."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.api.console.assets import Assets
from appliance.api.console.session import OneTimeLink, call
from appliance.db.key_values import KeyValues
from appliance.settings import Settings
from appliance.wiring import Appliance
from tests.api.served import OWN, PASSWORD, Answer, Served, serving
from tests.databases import open_test_database

STATIC = Path(__file__).parents[3] / "appliance" / "api" / "console" / "static"
WHO = {"user": "admin", "password": PASSWORD}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("console") / "d") as made:
        yield made


def cookie(answer: Answer) -> str:
    return answer.headers["set-cookie"].partition(";")[0]


@pytest.fixture(scope="module")
def session(served: Served) -> str:
    """The cookie of an administrator."""
    return cookie(served.call("POST", "/console/session", WHO, **OWN))


def test_the_page_names_files_that_are_there_and_may_be_kept(served: Served) -> None:
    page = served.call("GET", "/console/")
    named = re.findall(r'(?:href|src)="(assets/[^"]+)"', page.body.decode())
    kept = [served.call("GET", f"/console/{name}").headers.get("cache-control", "") for name in named]
    assert (len(named), all("immutable" in one for one in kept)) == (3, True)


def test_files_of_another_version_are_not_there(served: Served) -> None:
    assert served.call("GET", "/console/assets/0123456789abcdef/app.js").status == 404


def test_no_path_leads_out_of_the_files(served: Served) -> None:
    digest = Assets().digest
    assert served.call("GET", f"/console/assets/{digest}/../gate.py").status == 404


def test_every_import_of_the_page_is_a_file_of_it() -> None:
    named = {name for file in STATIC.glob("*.js") for name in re.findall(r'from "\./([^"]+)"', file.read_text())}
    assert named - set(Assets().names) == set()


def test_every_icon_that_is_drawn_is_vendored() -> None:
    known = set(re.findall(r'"([a-z0-9-]+)":\[', (STATIC / "vendor" / "icons.js").read_text()))
    text = "".join(file.read_text() for file in STATIC.glob("*.js"))
    named = set(re.findall(r'icon="([a-z0-9-]+)"|Icon} name="([a-z0-9-]+)"', text))
    assert {name for pair in named for name in pair if name} - known == set()


def test_modules_of_the_page_stay_small() -> None:
    texts = {file.name: file.read_text().splitlines() for file in STATIC.glob("*.js")}
    long = {name for name, lines in texts.items() if len(lines) > 300 or max(map(len, lines)) > 120}
    assert (len(texts) > 30, long) == (True, set())


def test_what_is_vendored_has_its_licence() -> None:
    text = (STATIC / "vendor" / "licenses.txt").read_text()
    assert [
        name for name in ("preact", "@preact/signals", "htm", "lucide-static") if f"\n{name} " not in f"\n{text}"
    ] == []


def test_a_session_is_a_cookie_that_no_script_reads(served: Served) -> None:
    answer = served.call("POST", "/console/session", WHO, **OWN)
    parts = answer.headers["set-cookie"].split("; ")[1:]
    assert (answer.status, parts) == (200, ["Path=/console", "HttpOnly", "SameSite=Strict"])


def test_who_stays_logged_in_says_who_by_ids(served: Served) -> None:
    token = served.call("POST", "/console/session", WHO, **OWN).json["token"]
    again = {"user_id": token["user"]["id"], "password": PASSWORD, "project_id": token["project"]["id"]}
    answer = served.call("POST", "/console/session", again, **OWN)
    assert (answer.status, answer.json["token"]["project"]["id"]) == (200, token["project"]["id"])


def test_the_token_is_in_no_body_and_no_other_header(served: Served) -> None:
    answer = served.call("POST", "/console/session", WHO, **OWN)
    token = cookie(answer).partition("=")[2]
    others = [value for name, value in answer.headers.items() if name != "set-cookie"]
    assert (token.encode() in answer.body, token in "".join(others)) == (False, False)


def test_a_token_that_an_api_issues_is_kept_from_the_page(served: Served, session: str) -> None:
    user = {"name": "admin", "password": PASSWORD, "domain": {"id": "default"}}
    auth = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}}}
    answer = served.call("POST", "/console/api/identity/v3/auth/tokens", auth, Cookie=session, **OWN)
    assert (answer.status, "x-subject-token" in answer.headers) == (201, False)


def test_a_header_of_the_page_is_no_token(served: Served) -> None:
    found = served.call("GET", "/console/api/image/v2/images", X_Auth_Token=served.token)
    assert found.status == 401


def test_a_secure_connection_makes_a_secure_cookie(tmp_path: Path) -> None:
    with serving(tmp_path / "d", trusted_proxies=("127.0.0.1",)) as behind:
        told = {"X-Forwarded-Proto": "https", "X-Forwarded-Prefix": "/cloud"}
        answer = behind.call("POST", "/console/session", WHO, **OWN, **told)
    assert answer.headers["set-cookie"].split("; ")[1:] == [
        "Path=/cloud/console",
        "HttpOnly",
        "SameSite=Strict",
        "Secure",
    ]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("told", [{"Sec-Fetch-Site": "same-site"}, {"Origin": "http://127.0.0.1:1"}, {}])
def test_what_does_not_come_from_the_page_changes_nothing(
    served: Served, session: str, method: str, told: dict[str, str]
) -> None:
    for path in ("session", "api/image/v2/images/x", "api/identity/v3/users/x"):
        assert served.call(method, f"/console/{path}", {}, Cookie=session, **told).status == 403


def test_an_old_browser_is_known_by_its_origin(served: Served, session: str) -> None:
    answer = served.call("DELETE", "/console/api/image/v2/images/x", Cookie=session, Origin=served.report.image_url)
    assert answer.status == 404


def test_image_data_leaves_as_an_attachment_in_a_sandbox(served: Served, session: str) -> None:
    image = served.upload("page", b"<script>alert(1)</script>")
    answer = served.call("GET", f"/console/api/image/v2/images/{image}/file", Cookie=session)
    told = [answer.headers[name] for name in ("content-disposition", "x-content-type-options")]
    assert (told, "sandbox" in answer.headers["content-security-policy"]) == (["attachment", "nosniff"], True)


def test_long_documents_are_compressed(served: Served, session: str) -> None:
    answer = served.call("GET", "/console/api/image/v2/schemas/image", Cookie=session, Accept_Encoding="gzip")
    assert (answer.headers.get("content-encoding"), answer.json["name"]) == ("gzip", "image")


def test_an_upload_streams_through_the_gate(served: Served, session: str) -> None:
    body = {"name": "through", "disk_format": "raw", "container_format": "bare"}
    image = served.call("POST", "/console/api/image/v2/images", body, Cookie=session, **OWN).json["id"]
    path = f"/console/api/image/v2/images/{image}/file"
    answer = served.call("PUT", path, bytes(5_000_000), Cookie=session, **OWN)
    assert (answer.status, served.ask("GET", f"/v2/images/{image}").json["size"]) == (204, 5_000_000)


def test_ending_a_session_revokes_its_token(served: Served) -> None:
    mine = cookie(served.call("POST", "/console/session", WHO, **OWN))
    served.call("DELETE", "/console/session", Cookie=mine, **OWN)
    assert served.call("GET", "/v2/images", X_Auth_Token=mine.partition("=")[2]).status == 401


def test_a_browser_is_sent_to_the_console_and_others_are_not(served: Served) -> None:
    browser = served.call("GET", "/", Accept="text/html,application/xhtml+xml,*/*;q=0.8")
    assert (browser.status, browser.headers["location"], served.call("GET", "/").status) == (303, "/console/", 300)


def test_the_link_of_the_first_start_is_good_once(served: Served) -> None:
    start = {"start": served.report.console_link.partition("#start=")[2]}
    found = [served.call("POST", "/console/session", start, **OWN).status for _ in range(2)]
    assert found == [200, 401]


@pytest.fixture
def notes(tmp_path: Path) -> Iterator[KeyValues]:
    database = open_test_database(tmp_path / "a.db")
    yield KeyValues(database)
    database.close()


@pytest.mark.parametrize("later", [600, -1])
def test_the_link_dies_after_ten_minutes_and_with_a_clock_that_is_set_back(notes: KeyValues, later: int) -> None:
    now = [1_000_000_000]
    link = OneTimeLink(notes, lambda: now[0])
    secret = link.make()
    now[0] += later * 1_000_000
    assert not link.use(secret)


def test_a_wrong_link_leaves_the_right_one_good(notes: KeyValues) -> None:
    link = OneTimeLink(notes, lambda: 1)
    secret = link.make()
    assert (link.use("wrong"), link.use(secret)) == (False, True)


def test_no_link_is_good_before_one_is_made(notes: KeyValues) -> None:
    assert not OneTimeLink(notes, lambda: 1).use("")


def test_appliances_at_several_ports_of_a_host_have_cookies_of_their_own(served: Served) -> None:
    names = [
        cookie(served.call("POST", "/console/session", WHO, Host=f"images.test{port}", **OWN)).partition("=")[0]
        for port in ("", ":8080")
    ]
    assert names == ["glance-console-80", "glance-console-8080"]


def test_a_log_in_at_another_keystone_is_in_the_trail(served: Served, tmp_path: Path) -> None:
    keystone = f"{served.report.identity_url}/v3"
    service = {"external_username": "admin", "external_password": PASSWORD, "external_project": "admin"}
    with serving(tmp_path / "d", identity_mode="external", external_auth_url=keystone, **service) as other:
        for password in ("wrong", PASSWORD):
            other.call("POST", "/console/session", {**WHO, "password": password}, **OWN)
        events = other.call("GET", "/appliance/v1/events?action=log_in", **{"X-Auth-Token": served.token}).json[
            "events"
        ]
    assert [(one["user_name"], one["service"], one["result"]) for one in events] == [
        ("admin", "console", "success"),
        ("", "console", "denied"),
    ]


def test_the_authority_of_our_own_certificate_can_be_fetched(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "d", tls_cert="self", image_port=0, identity_port=0)
    with Appliance(settings) as appliance:
        console = appliance.services.with_console([appliance.services.applications["image"]] * 2)
        found = call(console, {"HTTP_HOST": "x", "SCRIPT_NAME": ""}, "GET", "/console/ca.pem")
    assert (found.status, found.body[:27], b"PRIVATE" in found.body) == (200, b"-----BEGIN CERTIFICATE-----", False)


def test_without_an_authority_of_our_own_there_is_none_to_fetch(served: Served) -> None:
    assert served.call("GET", "/console/ca.pem").status == 404


def test_a_console_that_is_switched_off_is_not_there(tmp_path: Path) -> None:
    with serving(tmp_path / "d", console=False) as made:
        assert made.call("GET", "/", Accept="text/html").status == 300
        nowhere = made.call("GET", "/nowhere").status
        assert {made.call("GET", path).status for path in ("/console/", "/console/session")} == {nowhere}
        assert "set-cookie" not in made.call("POST", "/console/session", WHO, **OWN).headers
        assert not made.report.console_url and not made.report.console_link
