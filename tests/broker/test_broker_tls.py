"""The agents' listener: our own CA, kept valid by itself."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

import pytest
from cryptography import x509

from broker.lab import DAY_MS, NOW_MS, Installation, Peers
from hatang_agent.wire.secrets import broker_password
from hatang_collector.broker import certificates
from hatang_collector.broker.addresses import local_names
from hatang_collector.broker.certificates import Authority
from hatang_collector.broker.contract import BrokerError
from hatang_collector.broker.embedded import EmbeddedBroker

V1_2, V1_3 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


def handshake(port: int, context: ssl.SSLContext) -> None:
    """A TLS connection to a loopback port, closed again."""
    with (
        socket.create_connection(("127.0.0.1", port), 5) as plain,
        context.wrap_socket(plain, server_hostname="localhost"),
    ):
        pass


@pytest.mark.parametrize("version", [V1_2, V1_3])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_agents_verify_us_by_the_ca_of_their_enrolment(
    installation: Installation, peers: Peers, version: ssl.TLSVersion, host: str
) -> None:
    """TLS 1.2 and 1.3 work, by address and by name, with nothing but what the enrolment gave."""
    reply = installation.enrol()

    peer = peers.connect(
        installation.port,
        reply.agent,
        broker_password(reply.secret),
        reply.ca_pem,
        host=host,
        tls=(version, version),
    )

    assert peer.refused == ""


def test_another_ca_is_not_trusted(installation: Installation, tmp_path: Path) -> None:
    """An agent of another installation does not give its password to ours."""
    other = Authority(tmp_path / "other").server_certificate(local_names(), NOW_MS)

    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(installation.port, ssl.create_default_context(cadata=other.ca_pem))
    handshake(installation.port, ssl.create_default_context(cadata=installation.broker.ca_pem()))


def test_plain_mqtt_does_not_get_in_at_the_agents_port(installation: Installation, peers: Peers) -> None:
    """Without TLS nothing is answered at the agents' port."""
    login = installation.broker.own_login()

    peer = peers.connect(installation.port, login.username, login.password)

    assert peer.refused


def test_old_tls_is_refused(installation: Installation) -> None:
    """TLS 1.1 does not get a connection."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")  # ours would not speak it otherwise, whatever the broker does

    with pytest.raises((ssl.SSLError, ConnectionError)):
        handshake(installation.port, context)


def test_a_name_of_the_settings_is_in_the_certificate(tmp_path: Path) -> None:
    """Names are added to a certificate that lacks them; addresses are written as addresses."""
    authority = Authority(tmp_path)
    before = authority.server_certificate(local_names(), NOW_MS)
    after = authority.server_certificate((*local_names(), "hatang.xa-a.gov.vn", "10.1.2.3"), NOW_MS)
    again = authority.server_certificate((*local_names(), "10.1.2.3"), NOW_MS)

    found = x509.load_pem_x509_certificate(after.chain_pem)
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert "hatang.xa-a.gov.vn" in names.get_values_for_type(x509.DNSName)
    assert {"127.0.0.1", "::1", "10.1.2.3"} <= {str(ip) for ip in names.get_values_for_type(x509.IPAddress)}
    assert before.chain_pem != after.chain_pem == again.chain_pem
    assert before.ca_pem == after.ca_pem


@pytest.mark.parametrize(
    ("days", "renewed"), [(0, False), (366, False), (368, True), (500, True), (3_600, True)]
)
def test_it_renews_itself_thirty_days_before_its_end(tmp_path: Path, days: int, renewed: bool) -> None:
    """A start in the last thirty days, or later, makes a new certificate under the same CA."""
    authority = Authority(tmp_path)
    first = authority.server_certificate(local_names(), NOW_MS)

    second = authority.server_certificate(local_names(), NOW_MS + days * DAY_MS)

    assert first.days_left(NOW_MS) == certificates.SERVER_DAYS
    assert (second.chain_pem != first.chain_pem) is renewed
    assert second.days_left(NOW_MS + days * DAY_MS) >= min(certificates.RENEW_DAYS, 50)
    assert second.ca_pem == first.ca_pem


def test_a_server_pair_torn_by_a_crash_is_made_anew(tmp_path: Path) -> None:
    """Key and certificate that do not belong together, or half a file, are replaced; the CA stays."""
    authority = Authority(tmp_path)
    first = authority.server_certificate(local_names(), NOW_MS)
    (tmp_path / "server.key").write_bytes((tmp_path / "ca.key").read_bytes())
    second = authority.server_certificate(local_names(), NOW_MS)
    (tmp_path / "server.pem").write_bytes(first.chain_pem[:100])
    third = authority.server_certificate(local_names(), NOW_MS)

    assert len({first.chain_pem, second.chain_pem, third.chain_pem}) == 3
    assert first.ca_pem == second.ca_pem == third.ca_pem


def test_a_lost_ca_key_is_not_replaced_in_silence(tmp_path: Path) -> None:
    """A new CA would shut out every agent, so a person is asked to restore the backup."""
    authority = Authority(tmp_path)
    authority.server_certificate(local_names(), NOW_MS)
    (tmp_path / "ca.key").unlink()

    with pytest.raises(BrokerError, match=r"ca.key is missing; restore it from the backup"):
        authority.server_certificate(local_names(), NOW_MS)
    (tmp_path / "ca.key").write_text("nonsense", encoding="ascii")
    with pytest.raises(BrokerError, match=r"ca.key is not a PEM key"):
        authority.server_certificate(local_names(), NOW_MS)


def test_a_ca_past_its_end_is_told(tmp_path: Path) -> None:
    """After ten years, or with a clock far in the future, one line says what to do."""
    authority = Authority(tmp_path)
    authority.server_certificate(local_names(), NOW_MS)

    with pytest.raises(BrokerError, match=r"ca\.pem is past its end"):
        authority.server_certificate(local_names(), NOW_MS + 3_651 * DAY_MS)


def test_private_files_are_private(tmp_path: Path) -> None:
    """Keys are 0600, certificates may be read by all, the folder by its owner only."""
    Authority(tmp_path / "keys").server_certificate(local_names(), NOW_MS)

    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "keys").iterdir()}
    assert modes == {"ca.key": 0o600, "server.key": 0o600, "ca.pem": 0o644, "server.pem": 0o644}
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o700


def test_a_given_certificate_is_used(installation: Installation, peers: Peers, tmp_path: Path) -> None:
    """A certificate of the office's own CA replaces ours, and agents are told that CA."""
    installation.broker.stop()
    other = Authority(tmp_path / "office")
    other.server_certificate(local_names(), NOW_MS)
    office = tmp_path / "office"
    broker = EmbeddedBroker(
        installation.folder,
        installation.keys,
        installation.ledger,
        installation.vault,
        agents_listener=("127.0.0.1", installation.port),
        given=lambda: certificates.given(office / "server.pem", office / "server.key", office / "ca.pem"),
        now_ms=lambda: NOW_MS,
    )
    installation.broker = broker
    broker.start()

    reply = installation.enrol()

    assert reply.ca_pem == other.ca_file.read_text(encoding="ascii")
    assert installation.connect(peers, reply).refused == ""
    assert broker.health().certificate_days_left == certificates.SERVER_DAYS


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda folder: (folder / "server.key").unlink(), "server.key: No such file"),
        (lambda folder: (folder / "server.pem").write_text("x"), "server.pem is not a PEM certificate"),
        (
            lambda folder: (folder / "server.key").write_bytes((folder / "ca.key").read_bytes()),
            "is not the key of",
        ),
    ],
)
def test_a_given_pair_that_cannot_work_is_told(tmp_path: Path, change: object, message: str) -> None:
    """A missing, broken or foreign file is named before the broker starts."""
    Authority(tmp_path).server_certificate(local_names(), NOW_MS)
    assert callable(change)
    change(tmp_path)

    with pytest.raises(BrokerError, match=message):
        certificates.given(tmp_path / "server.pem", tmp_path / "server.key", None)


def test_a_host_name_that_is_none_is_told(tmp_path: Path) -> None:
    """A typing error in the settings is named with its setting."""
    with pytest.raises(BrokerError, match=r"'máy chủ' is not a host name; set \[broker\] names"):
        Authority(tmp_path).server_certificate(["máy chủ"], NOW_MS)
