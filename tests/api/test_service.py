"""Requests in, responses out: what every dialect leans on, driven as a WSGI application."""

import io
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any
from wsgiref.types import WSGIApplication

import pytest

from appliance.api.http.messages import JSON_LIMIT, Request, Response
from appliance.api.http.service import ANY_TOKEN, Route, Service
from appliance.errors import ApplianceError, Forbidden, Invalid, LimitExceeded, Unauthenticated


class Plain:
    """The plainest dialect: the token is the caller's name; errors are one line of text."""

    def before_routing(self, request: Request[str]) -> Response | None:
        return Response(200, "early") if request.path == "/early" else None

    def admit(self, request: Request[str], route: Route) -> None:
        if not route.public:
            token = request.header("X-Auth-Token")
            if token is None:
                raise Unauthenticated("who?")
            request.caller = token

    def authorize(self, request: Request[str], route: Route, parts: Mapping[str, str]) -> None:
        target = route.target(request, **parts) if route.target else None
        if target == "precious":
            raise Forbidden(f"{route.policy} is not for {request.caller}")

    def fault(self, request: Request[str], error: Exception) -> Response:
        return Response(400 if isinstance(error, ApplianceError) else 500, str(error))

    def unrouted(self, request: Request[str]) -> Response:
        return Response(404, "nowhere")

    def wrong_method(self, request: Request[str], allowed: str) -> Response:
        return Response(405, None, [("Allow", allowed)])

    def finish(self, request: Request[str], response: Response) -> None:
        response.headers.append(("x-openstack-request-id", request.id))


class Bytes:
    """A content of three bytes that knows when it was closed."""

    length = 3
    closed = False

    def read(self, size: int = -1, /) -> bytes:
        return b"abc"

    def pieces(self) -> Iterator[bytes]:
        yield b"abc"

    def close(self) -> None:
        self.closed = True


CONTENT = Bytes()


def boom(request: Request[str]) -> Response:
    raise ZeroDivisionError("secret detail")


def show(request: Request[str], thing: str) -> Response:
    return Response(200, {"thing": thing, "q": request.query})


def create(request: Request[str]) -> Response:
    return Response(201, request.json(), [("Location", "/things/ü\r\nX: y")])


def named(request: Request[str], thing: str) -> str:
    return thing


SERVICE = Service(
    Plain(),
    [
        Route("GET", "/whoami", lambda request: Response(200, {"name": request.caller}), ANY_TOKEN),
        Route("GET", "/things/<thing>", show, "get_thing"),
        Route("POST", "/things", create, "add_thing"),
        Route("DELETE", "/things/<thing>", lambda request, thing: Response(204), "delete_thing"),
        Route("PUT", "/guarded/<thing>", show, "modify_thing", named, Request.json),
        Route("GET", "/open", lambda request: Response(200, "hello"), public=True),
        Route("GET", "/content", lambda request: Response(200, CONTENT), public=True),
        Route("GET", "/boom", boom, public=True),
    ],
    head_is_get=False,
)


def call(
    method: str,
    path: str,
    body: bytes = b"",
    token: str | None = "me",
    app: WSGIApplication | None = None,
    **environ: Any,
) -> tuple[str, dict[str, str], bytes]:
    got: list[Any] = []
    path, _, query = path.partition("?")
    environ = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "SERVER_NAME": "here",
        "SERVER_PORT": "80",
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.file_wrapper": lambda content: [content.read()],
        **({"CONTENT_LENGTH": str(len(body))} if body else {}),
        **({"HTTP_X_AUTH_TOKEN": token} if token else {}),
        **environ,
    }
    start_response = lambda status, headers: got.extend([status, dict(headers)])  # noqa: E731
    answer = (app or SERVICE)(environ, start_response)  # type: ignore[arg-type]
    return got[0], got[1], b"".join(answer)


def test_a_handler_gets_the_caller_and_path_parts() -> None:
    assert call("GET", "/whoami")[2] == b'{"name": "me"}'
    assert call("GET", "/things/a%20b?x=1&x=2&y=")[2] == (
        b'{"thing": "a%20b", "q": [["x", "1"], ["x", "2"], ["y", ""]]}'
    )


@pytest.mark.parametrize(
    ("method", "path", "token", "status"),
    [
        ("GET", "/whoami", None, "400 Bad Request"),
        ("GET", "/open", None, "200 OK"),
        ("GET", "/early", None, "200 OK"),
        ("GET", "/nothing", "me", "404 Not Found"),
        ("PUT", "/whoami", "me", "405 Method Not Allowed"),
        ("HEAD", "/whoami", "me", "405 Method Not Allowed"),
        ("BREW", "/things", "me", "405 Method Not Allowed"),
        ("DELETE", "/things/1", "me", "204 No Content"),
    ],
)
def test_each_request_gets_the_status_of_its_dialect(method: str, path: str, token: str | None, status: str) -> None:
    assert call(method, path, token=token)[0] == status


def test_allow_lists_every_method_of_the_path() -> None:
    assert call("PATCH", "/things/1")[1]["Allow"] == "DELETE, GET"


def test_the_first_requests_find_their_routes_all_at_once() -> None:
    routes = [Route("GET", f"/kinds{number}/<thing>", show, public=True) for number in range(300)]
    service, start = Service(Plain(), routes, head_is_get=True), Barrier(8)

    def first(number: int) -> str:
        start.wait()
        return call("GET", f"/kinds{number * 40}/x", app=service)[0]

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(first, range(8))) == {"200 OK"}


def test_an_unexpected_error_shows_no_traceback(caplog: pytest.LogCaptureFixture) -> None:
    status, _, body = call("GET", "/boom")
    assert status.startswith("500")
    assert b"Traceback" not in body
    assert "ZeroDivisionError" in caplog.text


def test_a_header_can_not_be_split() -> None:
    headers = call("POST", "/things", b"{}")[1]
    assert headers["Location"].encode("latin-1").decode() == "/things/üX: y"


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"[NaN]", b"[" * 100_000])
def test_a_body_that_is_not_json_is_refused(body: bytes) -> None:
    assert call("POST", "/things", body)[0].startswith("400")


def test_a_json_body_over_the_limit_is_refused_unread() -> None:
    source = io.BytesIO(b" " * 10)
    unread: dict[str, Any] = {"wsgi.input": source, "CONTENT_LENGTH": str(JSON_LIMIT + 1)}
    status, _, body = call("POST", "/things", b"", **unread)
    assert (status, body, source.tell()) == ("400 Bad Request", b"Request is too large.", 0)


def test_a_chunked_body_over_the_limit_is_refused() -> None:
    request: Request[str] = Request(
        {
            "REQUEST_METHOD": "POST",
            "appliance.streamed_body": True,
            "wsgi.input": io.BytesIO(b"1" * (JSON_LIMIT + 2)),
        }
    )
    with pytest.raises(LimitExceeded):
        request.body()


def test_content_leaves_through_the_file_wrapper_with_its_length() -> None:
    _, headers, body = call("GET", "/content")
    assert (headers["Content-Length"], body) == ("3", b"abc")


@pytest.mark.parametrize(
    ("sent", "kept"), [("req-abc", "req-abc"), ("abc", "req-abc"), ("x" * 65, None), ("a b", None), ("", None)]
)
def test_a_fit_request_id_is_kept_and_any_other_replaced(sent: str, kept: str | None) -> None:
    got = call("GET", "/open", HTTP_X_OPENSTACK_REQUEST_ID=sent)[1]["x-openstack-request-id"]
    assert got == kept if kept else len(got) == 40


def test_a_query_that_is_not_utf8_is_invalid() -> None:
    request: Request[str] = Request({"REQUEST_METHOD": "GET", "QUERY_STRING": "a=%ff"})
    with pytest.raises(Invalid):
        assert request.query


@pytest.mark.parametrize(
    ("thing", "body", "answer"),
    [
        ("plain", b"{}", b'{"thing": "plain", "q": []}'),
        ("precious", b"{}", b"modify_thing is not for me"),
        ("precious", b"{", b"Malformed JSON in request body."),
    ],
)
def test_a_request_is_checked_then_authorized_then_handled(thing: str, body: bytes, answer: bytes) -> None:
    assert call("PUT", f"/guarded/{thing}", body)[2] == answer


@pytest.mark.parametrize(("policy", "public"), [((), False), ("get_thing", True)])
def test_a_route_names_its_policy_or_is_public(policy: str, public: bool) -> None:
    with pytest.raises(ValueError, match="GET /things must either name its policy or be public"):
        Route("GET", "/things", create, policy, public=public)
