"""The installation's own CA and the broker's certificate (X.509, EC P-256), kept valid by themselves."""

from __future__ import annotations

import datetime as dt
import hashlib
import ipaddress
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from hatang_collector.broker.contract import BrokerError
from hatang_collector.broker.private_files import PUBLIC, make_folder, read_or_create, replace

CA_DAYS: Final = 3650
SERVER_DAYS: Final = 397
RENEW_DAYS: Final = 30
_DAY_MS: Final = 86_400_000
# offices' clocks are wrong in both directions: a certificate of today must hold on yesterday's clock
_BACKDATED: Final = dt.timedelta(days=2)


@dataclass(frozen=True, slots=True)
class ServerCertificate:
    """What the broker shows (PEM, the chain included) and what agents must trust (PEM, or empty)."""

    chain_pem: bytes
    key_pem: bytes
    ca_pem: str
    ends_ms: int

    def days_left(self, now_ms: int) -> int:
        """Whole days until it ends; negative when it has."""
        return (self.ends_ms - now_ms) // _DAY_MS


def fingerprint(certificate_pem: str) -> str:
    """What a certificate is known by: SHA-256 of its DER form, 64 hex digits."""
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(certificate_pem)).hexdigest()


def given(chain: Path, key: Path, ca: Path | None) -> ServerCertificate:
    """A certificate that somebody else looks after. Raises BrokerError naming the file."""
    try:
        certificate = _certificate(chain)
        if certificate.public_key() != _private_key(key).public_key():
            raise BrokerError(f"{key} is not the key of {chain}; give the pair that belongs together")
        ca_pem = ca.read_text(encoding="ascii") if ca is not None else ""
        return ServerCertificate(chain.read_bytes(), key.read_bytes(), ca_pem, _ends_ms(certificate))
    except OSError as error:
        raise BrokerError(f"{error.filename}: {error.strerror}; it is named in [broker]") from error


class Authority:
    """Our CA in a folder: ``ca.key``, ``ca.pem``, ``server.key``, ``server.pem``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def ca_file(self) -> Path:
        """The CA's certificate, 0644."""
        return self._folder / "ca.pem"

    @property
    def server_files(self) -> tuple[Path, Path]:
        """Certificate (0644) and key (0600) of :meth:`server_certificate`."""
        return self._folder / "server.pem", self._folder / "server.key"

    def ca_pem(self, now_ms: int) -> str:
        """The CA's certificate, made when it is missing: whoever asks first. Raises BrokerError."""
        try:
            make_folder(self._folder)
            self._ca(now_ms)
            return self.ca_file.read_text(encoding="ascii")
        except OSError as error:
            raise _unusable(error) from error

    def server_certificate(self, names: Sequence[str], now_ms: int) -> ServerCertificate:
        """The broker's certificate, made or renewed when needed. Raises BrokerError.

        It is renewed 30 days before its end, when a name is missing in it, and when the CA changed.
        Agents trust the CA, so a renewal does not touch them.
        """
        try:
            make_folder(self._folder)
            ca, ca_key = self._ca(now_ms)
            if ca.not_valid_after_utc <= _utc(now_ms):
                raise BrokerError(
                    f"{self.ca_file} is past its end; set the clock right, or move ca.pem and ca.key away "
                    "and enrol every machine again"
                )
            wanted = _general_names(names)
            chain, key = self.server_files
            if not _still_good(chain, key, ca, wanted, now_ms):
                self._issue(chain, key, ca, ca_key, wanted, now_ms)
            ends = min(_ends_ms(_certificate(chain)), _ends_ms(ca))
            ca_pem = self.ca_file.read_text(encoding="ascii")
            return ServerCertificate(chain.read_bytes(), key.read_bytes(), ca_pem, ends)
        except OSError as error:
            raise _unusable(error) from error

    def _ca(self, now_ms: int) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
        key_file = self._folder / "ca.key"
        if self.ca_file.exists() and not key_file.exists():
            raise BrokerError(
                f"{key_file} is missing; restore it from the backup, because agents trust this CA"
            )
        if not key_file.exists():
            read_or_create(key_file, _key_pem(ec.generate_private_key(ec.SECP256R1())))
        key = _key(key_file)
        if not self.ca_file.exists():
            name = f"Hạ Tầng CA {socket.gethostname()}"[:64]
            read_or_create(self.ca_file, _pem(_self_signed(name, key, now_ms)), mode=PUBLIC)
        return _certificate(self.ca_file), key

    def _issue(
        self,
        chain: Path,
        key_file: Path,
        ca: x509.Certificate,
        ca_key: ec.EllipticCurvePrivateKey,
        names: list[x509.GeneralName],
        now_ms: int,
    ) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        now = _utc(now_ms)
        certificate = (
            _builder("hatang broker", now, min(now + dt.timedelta(days=SERVER_DAYS), ca.not_valid_after_utc))
            .issuer_name(ca.subject)
            .public_key(key.public_key())
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False
            )
            .sign(ca_key, hashes.SHA256())
        )
        # a crash between the two leaves a pair that does not match: seen, and made again
        replace(key_file, _key_pem(key))
        replace(chain, _pem(certificate), mode=PUBLIC)


def _unusable(error: OSError) -> BrokerError:
    return BrokerError(f"{error.filename}: {error.strerror}; it holds the broker's certificates")


def _still_good(
    chain: Path, key_file: Path, ca: x509.Certificate, names: list[x509.GeneralName], now_ms: int
) -> bool:
    try:
        certificate, key = _certificate(chain), _key(key_file)
        certificate.verify_directly_issued_by(ca)
        held = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (FileNotFoundError, BrokerError, InvalidSignature, ValueError, TypeError, x509.ExtensionNotFound):
        return False
    renew = _utc(now_ms) + dt.timedelta(days=RENEW_DAYS)
    return (
        certificate.not_valid_after_utc > renew
        and certificate.public_key() == key.public_key()
        and set(names) <= set(held)
    )


def _self_signed(name: str, key: ec.EllipticCurvePrivateKey, now_ms: int) -> x509.Certificate:
    now = _utc(now_ms)
    usage = x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
    return (
        _builder(name, now, now + dt.timedelta(days=CA_DAYS))
        .issuer_name(_name(name))
        .public_key(key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def _builder(name: str, now: dt.datetime, end: dt.datetime) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(end)
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _general_names(names: Sequence[str]) -> list[x509.GeneralName]:
    found: list[x509.GeneralName] = []
    for name in dict.fromkeys(names):
        try:
            found.append(x509.IPAddress(ipaddress.ip_address(name)))
        except ValueError:
            try:
                found.append(x509.DNSName(name))
            except ValueError:
                raise BrokerError(
                    f"{name!r} is not a host name; set [broker] names in collector.toml"
                ) from None
    return found


def _certificate(path: Path) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except ValueError as error:
        raise BrokerError(f"{path} is not a PEM certificate; restore it, or move it away") from error


def _private_key(path: Path) -> PrivateKeyTypes:
    try:
        return serialization.load_pem_private_key(path.read_bytes(), None)
    except (ValueError, TypeError) as error:
        raise BrokerError(f"{path} is not a PEM key without password; restore it, or move it away") from error


def _key(path: Path) -> ec.EllipticCurvePrivateKey:
    key = _private_key(path)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise BrokerError(f"{path} is not a key of this program; restore it, or move it away")
    return key


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _utc(now_ms: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(now_ms / 1000, dt.UTC)


def _ends_ms(certificate: x509.Certificate) -> int:
    return int(certificate.not_valid_after_utc.timestamp() * 1000)
