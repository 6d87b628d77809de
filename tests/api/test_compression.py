"""gzip of JSON: what is compressed, for whom, and what never is."""

import gzip
import json
from collections.abc import Iterator

import pytest

from appliance.api.http.compression import WORTH_IT, accepts_gzip, may_compress
from appliance.api.http.messages import Response
from tests.api.served import Answer, Served, serving

SCHEMA = "/v2/schemas/image"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("gzip") / "d", console=False) as found:
        yield found


@pytest.mark.parametrize(
    ("header", "accepted"),
    [
        ("gzip", True),
        ("gzip, deflate", True),
        ("deflate, GZIP;q=0.5", True),
        ("x-gzip", True),
        ("*", True),
        ("", False),
        ("identity", False),
        ("gzip;q=0", False),
        ("gzip; q=0.000", False),
        ("*, gzip;q=0", False),
        ("gzipped", False),
    ],
)
def test_who_accepts_it(header: str, accepted: bool) -> None:
    assert accepts_gzip(header) == accepted


@pytest.mark.parametrize(
    ("method", "status", "path", "kind", "size"),
    [
        ("GET", 200, "/v2/images", "application/json", WORTH_IT - 1),
        ("POST", 200, "/v3/users", "application/json", 9000),
        ("GET", 404, "/v2/images", "application/json", 9000),
        ("GET", 200, "/v2/images/x/file", "application/octet-stream", 9000),
        ("GET", 200, "/v3/credentials", "application/json", 9000),
        ("GET", 200, "/v3/users/x/credentials/OS-EC2", "application/json", 9000),
        ("GET", 200, "/v2.0/tokens/x", "application/json", 9000),
        ("GET", 200, "/v3/auth/tokens", "application/json", 9000),
    ],
)
def test_what_is_never_compressed(method: str, status: int, path: str, kind: str, size: int) -> None:
    assert not may_compress(method, status, path, kind, size)
    assert may_compress("GET", 200, "/v2/images", "application/json", 9000)


def _schema(served: Served, method: str = "GET", **headers: str) -> Answer:
    return served.ask(method, SCHEMA, **headers)


def test_a_client_that_accepts_it_gets_the_same_document_in_fewer_bytes(served: Served) -> None:
    plain, packed = _schema(served), _schema(served, Accept_Encoding="gzip, deflate")
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(packed.body) == plain.body and len(packed.body) < len(plain.body) / 2
    assert json.loads(plain.body)["name"] == "image" and "content-encoding" not in plain.headers


def test_caches_are_told_that_both_forms_exist(served: Served) -> None:
    told = [_schema(served, **headers).headers["vary"] for headers in ({}, {"Accept-Encoding": "gzip"})]
    assert told == ["Accept-Encoding", "Accept-Encoding"]


def test_a_head_announces_what_a_get_sends(served: Served) -> None:
    url = f"{served.report.identity_url}/v3/services"
    for number in range(20):
        served.ask("POST", url, {"service": {"type": f"kind-{number}", "name": f"service {number}"}})
    lengths = {served.ask(method, url, Accept_Encoding="gzip").headers["content-length"] for method in ("GET", "HEAD")}
    assert len(lengths) == 1


def test_a_small_answer_is_left_alone(served: Served) -> None:
    answer = served.ask("GET", "/v2/images", Accept_Encoding="gzip")
    assert "content-encoding" not in answer.headers and "vary" not in answer.headers


def test_an_answer_with_a_tag_has_one_form() -> None:
    sent: list[tuple[str, str]] = []
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/appliance/v1/status", "HTTP_ACCEPT_ENCODING": "gzip"}
    response = Response(200, {"long": "x" * 9000}, [("ETag", '"1"')])
    (data,) = response.send(environ, lambda _, headers, *__: sent.extend(headers))  # type: ignore[arg-type]
    assert json.loads(data)["long"] and "Content-Encoding" not in dict(sent)
