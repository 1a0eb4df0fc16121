"""What the line to run says: an address that is reached and certified, and the pin of our authority."""

from __future__ import annotations

import ipaddress
import json
import shlex
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from hatang_collector.__main__ import main
from hatang_collector.broker import addresses
from hatang_collector.broker.addresses import parse_fib_trie, parse_if_inet6, told_host, url_of
from hatang_collector.broker.certificates import Authority, fingerprint
from hatang_collector.broker.private_files import read_or_create
from hatang_collector.config import BrokerMode, BrokerSettings, EnrolSettings, Settings, WebSettings
from hatang_collector.domain.estate import Estate, Site, Unit
from hatang_collector.enrol_lines import EnrolOffer, enrol_url, lines_to_run, offer_of, served_names
from hatang_collector.failures import Failure
from hatang_collector.ledger import estate, tokens
from hatang_collector.ledger.engine import Ledger
from hatang_collector.server import listen
from support.stack import now_ms

FIB_TRIE = """\
Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
     +-- 127.0.0.0/8 2 0 2
        |-- 127.0.0.1
           /32 host LOCAL
     +-- 10.1.2.0/24 2 0 2
        |-- 10.1.2.0
           /24 link UNICAST
        |-- 10.1.2.5
           /32 host LOCAL
        |-- 10.1.2.255
           /32 link BROADCAST
     |-- 169.254.7.7
        /32 host LOCAL
Local:
  +-- 10.1.2.0/24 2 0 2
     |-- 10.1.2.5
        /32 host LOCAL
     |-- 192.168.0.1
        /32 host LOCAL
"""
IF_INET6 = """\
00000000000000000000000000000001 01 80 10 80       lo
fe800000000000000400fffffe000001 02 40 20 80     eth0
20010db8000000000000000000000005 02 40 00 80     eth0
"""


def test_own_addresses_are_read_from_the_kernel() -> None:
    """Each address once; no loopback, no link-local one, no network and no broadcast address."""
    assert parse_fib_trie(FIB_TRIE) == ["10.1.2.5", "192.168.0.1"]
    assert parse_if_inet6(IF_INET6) == ["2001:db8::5"]
    assert parse_fib_trie("") == parse_if_inet6("") == []


def test_own_addresses_of_this_machine() -> None:
    """Whatever network the test has: nothing that others cannot reach, and what is told is among them."""
    own = addresses.own_addresses()

    assert not any(ipaddress.ip_address(one).is_loopback for one in own)
    assert told_host("0.0.0.0") == (own[0] if own else "127.0.0.1")


@pytest.mark.parametrize(
    ("listening", "names", "own", "expected"),
    [
        ("127.0.0.1", (), ("10.1.2.5",), "127.0.0.1"),
        ("10.1.2.5", (), ("10.1.2.5",), "10.1.2.5"),
        ("0.0.0.0", (), ("10.1.2.5", "2001:db8::5"), "10.1.2.5"),
        ("::", (), ("2001:db8::5",), "2001:db8::5"),
        ("0.0.0.0", (), (), "127.0.0.1"),
        ("0.0.0.0", ("hub.xa-a.gov.vn", "10.9.9.9"), ("10.1.2.5",), "hub.xa-a.gov.vn"),
    ],
)
def test_what_is_told_is_certified(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    listening: str,
    names: tuple[str, ...],
    own: tuple[str, ...],
    expected: str,
) -> None:
    """The address in the line is where we listen and is in the certificate, loopback only for loopback."""
    monkeypatch.setattr(addresses, "own_addresses", lambda: own)
    settings = Settings(broker=BrokerSettings(host=listening, names=names))
    certificate = Authority(tmp_path).server_certificate(served_names(settings), now_ms())

    assert enrol_url(settings) == url_of("https", expected, 8443)
    held = x509.load_pem_x509_certificate(certificate.chain_pem).extensions
    names_held = held.get_extension_for_class(x509.SubjectAlternativeName).value
    ips = {str(one) for one in names_held.get_values_for_type(x509.IPAddress)}
    assert {expected, *names} <= ips | set(names_held.get_values_for_type(x509.DNSName))
    assert (set(own) <= ips) or listening not in {"0.0.0.0", "::"}


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (Settings(), "https://127.0.0.1:8443"),
        (Settings(enrol=EnrolSettings(host="10.1.2.5", port=443)), "https://10.1.2.5:443"),
        (Settings(enrol=EnrolSettings(host="2001:db8::5")), "https://[2001:db8::5]:8443"),
        (Settings(enrol=EnrolSettings(port=0)), "http://127.0.0.1:8080"),
        (
            Settings(enrol=EnrolSettings(port=0), web=WebSettings(public_url="https://hub.vn")),
            "https://hub.vn",
        ),
        (Settings(broker=BrokerSettings(mode=BrokerMode.EXTERNAL, host="mqtt.vn")), "http://127.0.0.1:8080"),
        (
            Settings(
                broker=BrokerSettings(mode=BrokerMode.EXTERNAL, host="mqtt.vn"),
                enrol=EnrolSettings(host="10.1.2.5"),
            ),
            "https://10.1.2.5:8443",
        ),
    ],
)
def test_where_machines_enrol(tmp_path: Path, settings: Settings, expected: str) -> None:
    """At the listener with its pin, else at the pages without one; an external broker's host is not ours."""
    offer = offer_of(settings, tmp_path, now_ms())

    assert offer.url == expected
    assert bool(offer.pin) is (settings.enrol_listener is not None)
    if offer.pin:
        assert fingerprint((tmp_path / "keys" / "ca.pem").read_text(encoding="ascii")).startswith(offer.pin)
        assert len(offer.pin) == 32
        assert offer_of(settings, tmp_path, now_ms()) == offer
        assert "mqtt.vn" not in served_names(settings)


def test_the_authority_is_made_once_by_whoever_comes_first(tmp_path: Path) -> None:
    """A command and the collector that start at the same moment have the same pin."""
    with ThreadPoolExecutor(8) as pool:
        pems = set(pool.map(lambda _: Authority(tmp_path / "keys").ca_pem(now_ms()), range(8)))

    assert len(pems) == 1
    made = Authority(tmp_path / "keys").server_certificate(("localhost",), now_ms())
    assert made.ca_pem in pems
    assert {path.name for path in (tmp_path / "keys").iterdir()} == {
        "ca.pem",
        "ca.key",
        "server.pem",
        "server.key",
    }


def test_a_file_is_created_once(tmp_path: Path) -> None:
    """Of many writers one wins, all read what it wrote, and no temporary file stays."""
    path = tmp_path / "deep" / "file"
    with ThreadPoolExecutor(8) as pool:
        contents = set(pool.map(lambda n: read_or_create(path, b"%d" % n), range(16)))

    assert contents == {path.read_bytes()}
    assert [one.name for one in path.parent.iterdir()] == ["file"]
    assert path.stat().st_mode & 0o777 == 0o600


def test_lines_for_each_system() -> None:
    """The line is typed as it is; a pin only where there is one; a site probe runs Linux."""
    lines = lines_to_run("https://10.0.0.5:8443", "id-secret", "ab" * 16, "pc")
    probe = lines_to_run("http://127.0.0.1:8080", "id-secret", "", "probe")

    expected = ["enroll", "--url", "https://10.0.0.5:8443", "--pin", "ab" * 16, "--token", "id-secret"]
    assert shlex.split(lines["linux"]) == ["hatang-agent", *expected]
    installed = ["/qn", "URL=https://10.0.0.5:8443", "PIN=" + "ab" * 16, "TOKEN=id-secret"]
    assert shlex.split(lines["windows"])[:2] == ["msiexec", "/i"]
    assert shlex.split(lines["windows"])[3:] == installed
    assert probe["linux"] == "hatang-agent enroll --url http://127.0.0.1:8080 --token id-secret"
    assert probe["windows"] == ""
    assert EnrolOffer("u").pin == ""


def command(capsys: pytest.CaptureFixture[str], folder: Path, *words: str) -> tuple[int, str, str]:
    """One collector command on a data folder: exit code, output, errors."""
    code = main([*words, "--data", str(folder)])
    said = capsys.readouterr()
    return code, said.out, said.err


def declared(folder: Path) -> Ledger:
    """A ledger with a unit and a site."""
    ledger = Ledger(f"sqlite:///{folder}/ledger.sqlite")
    ledger.migrate()

    def more(before: Estate) -> Estate:
        units, sites = (Unit("19282", "Xã A"),), (Site("tru-so", "Trụ sở"),)
        return Estate(units=units, sites=sites, staff_groups=before.staff_groups)

    estate.edit(ledger, more, who="t", role="admin", now_ms=now_ms())
    return ledger


def test_the_command_places_machines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Unit, site and group are kept with the token, and told in its list; both lines are printed."""
    ledger = declared(tmp_path)
    words = ("--unit", "19282", "--site", "tru-so", "--staff-group", "CBCC")
    code, out, _ = command(capsys, tmp_path, "tokens", "create", *words)
    listed = command(capsys, tmp_path, "tokens", "list")[1]
    with ledger.read() as c:
        (token,) = tokens.every(c)
    ledger.close()

    assert code == 0
    assert (token.unit, token.site, token.staff_group) == ("19282", "tru-so", "cbcc")
    assert "  hatang-agent enroll --url https://127.0.0.1:8443 --pin " in out
    assert "-x64.msi /qn URL=https://127.0.0.1:8443 PIN=" in out
    assert "19282 tru-so cbcc" in listed


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--unit", "1"), "there is no unit 1"),
        (("--site", "x"), "there is no site x"),
        (("--staff-group", "x"), "known are cbcc"),
    ],
)
def test_the_command_refuses_what_is_not_declared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], expected: str
) -> None:
    """One line, and no token was made."""
    ledger = declared(tmp_path)
    code, out, err = command(capsys, tmp_path, "tokens", "create", *words)
    with ledger.read() as c:
        made: list[Any] = tokens.every(c)
    ledger.close()

    assert (code, out, err.count("\n")) == (1, "", 1)
    assert expected in err
    assert made == []


def test_check_config_says_what_is_certified(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where agents connect and enrol, and under which names, before anything is started."""
    (tmp_path / "collector.toml").write_text(
        "[broker]\nhost = '0.0.0.0'\nnames = ['hub.xa-a.gov.vn']\n", encoding="utf-8"
    )
    _, text, _ = command(capsys, tmp_path, "check-config")
    told = json.loads(command(capsys, tmp_path, "check-config", "--json")[1])

    assert "machines enrol at https://hub.xa-a.gov.vn:8443\n" in text
    assert "agents connect to hub.xa-a.gov.vn, port 8883\n" in text
    assert told["enrol"] == "https://hub.xa-a.gov.vn:8443"
    assert {"hub.xa-a.gov.vn", "127.0.0.1", *addresses.own_addresses()} <= set(told["names"])
    assert not (tmp_path / "keys").exists()


def test_a_taken_port_is_named_with_its_setting() -> None:
    """Two collectors on one machine: the second one says what to set."""
    with (
        socket.create_server(("127.0.0.1", 0)) as other,
        pytest.raises(Failure, match=r"set \[enrol\] port in collector.toml or HATANG_ENROL_PORT"),
    ):
        listen("127.0.0.1", other.getsockname()[1], "enrol")
