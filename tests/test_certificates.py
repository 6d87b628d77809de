"""The appliance's own authority, and what a certificate is good for."""

import datetime
import stat
from pathlib import Path

import pytest

from appliance.certificates import Authority, facts
from appliance.errors import Fatal

NOW = datetime.datetime(2026, 11, 26, 4, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)
HOSTS = ["localhost", "127.0.0.1", "::1", "box.example.org"]


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    made = Authority(tmp_path / "tls")
    made.make_missing(HOSTS, NOW)
    return made


def test_the_certificate_is_for_the_hosts_that_were_asked_for(authority: Authority) -> None:
    said = facts(authority.server_certificate.read_bytes())
    assert [host for host in HOSTS if not said.covers(host)] == []
    assert not said.covers("elsewhere.example.org")


def test_the_keys_are_for_their_owner_alone(authority: Authority) -> None:
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in authority.certificate.parent.iterdir()}
    assert modes == dict.fromkeys(("ca.pem", "ca.key", "server.pem", "server.key"), 0o600)


def test_a_good_certificate_is_kept(authority: Authority) -> None:
    before = authority.server_certificate.read_bytes()
    assert not authority.make_missing(HOSTS[:2], NOW + 300 * DAY)
    assert authority.server_certificate.read_bytes() == before


@pytest.mark.parametrize(
    ("hosts", "later"), [([*HOSTS, "192.0.2.7"], 0), (HOSTS, 370), (HOSTS, 1000)], ids=["new host", "soon", "over"]
)
def test_a_new_one_is_made_by_the_same_authority(authority: Authority, hosts: list[str], later: int) -> None:
    before = authority.certificate.read_bytes()
    assert authority.make_missing(hosts, NOW + later * DAY)
    said = facts(authority.server_certificate.read_bytes())
    assert all(said.covers(host) for host in hosts) and not said.is_over(NOW + (later + 300) * DAY)
    assert authority.certificate.read_bytes() == before


def test_one_whose_key_is_of_another_is_made_anew(authority: Authority, tmp_path: Path) -> None:
    other = Authority(tmp_path / "other")
    other.make_missing(HOSTS, NOW)
    authority.server_key.write_bytes(other.server_key.read_bytes())
    assert authority.make_missing(HOSTS, NOW)


def test_near_the_end_of_the_authority_certificates_end_with_it_and_are_not_made_again_and_again(
    authority: Authority,
) -> None:
    late = NOW + 3640 * DAY
    assert authority.make_missing(HOSTS, late)
    assert not authority.make_missing(HOSTS, late + DAY)


def test_an_authority_that_has_ended_is_told_of(authority: Authority) -> None:
    with pytest.raises(Fatal, match=r"the authority in .*ca\.pem ends on 2036-.*the next start makes another"):
        authority.make_missing(HOSTS, NOW + 3650 * DAY)


def test_files_that_are_no_certificates_are_told_of(authority: Authority) -> None:
    authority.certificate.write_text("nonsense")
    with pytest.raises(Fatal, match="can't be used: .*the next start makes new ones"):
        authority.make_missing(HOSTS, NOW)


@pytest.mark.parametrize(
    ("host", "covered"),
    [("a.example.org", True), ("A.Example.ORG.", True), ("a.b.example.org", False), ("example.org", False)],
)
def test_an_asterisk_stands_for_one_label(tmp_path: Path, host: str, covered: bool) -> None:
    made = Authority(tmp_path)
    made.make_missing(["*.example.org"], NOW)
    assert facts(made.server_certificate.read_bytes()).covers(host) == covered


def test_an_address_that_the_certificate_is_not_for_is_called_by_its_name(authority: Authority) -> None:
    said = facts(authority.server_certificate.read_bytes())
    assert said.host_for("127.0.0.1") == "127.0.0.1"
    assert said.host_for("192.0.2.99") == "box.example.org"
