"""The lab's secrets: a certificate authority, SSH keys, JWT keys. Made once, kept in the lab state.

They outlive a restart, so that a ``known_hosts`` or an approval signed yesterday stays valid.
JWT form: HS256 over the cluster's 32-byte key, claims ``exp iat sun``, as ``scontrol token`` makes them.
"""

import base64
import datetime
import hashlib
import hmac
import ipaddress
import json
import os
import secrets
import time
from pathlib import Path

DAY = 86400


def write_private(path: Path, data: bytes) -> None:
    """Write `data` readable by the owner only, by rename, so that no reader sees half a key."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}")
    with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as stream:
        stream.write(data)
    part.replace(path)


def jwt_key(path: Path) -> bytes:
    """Return the cluster's signing key, made where missing."""
    if not path.exists():
        write_private(path, secrets.token_bytes(32))
    return path.read_bytes()


def _b64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def mint_jwt(key: bytes, user: str, lifespan_s: int = 30 * DAY, **claims) -> str:
    """Return a token for `user`; `claims` replace or (with None) remove the usual ones."""
    now = int(time.time())
    body = {"exp": now + lifespan_s, "iat": now, "sun": user, **claims}
    body = {name: value for name, value in body.items() if value is not None}
    head = _b64url(json.dumps({"alg": "HS256", "typ": "JWT"}).encode())
    signed = f"{head}.{_b64url(json.dumps(body).encode())}"
    return f"{signed}.{_b64url(hmac.new(key, signed.encode(), hashlib.sha256).digest())}"


def ssh_key(path: Path, comment: str) -> str:
    """Make an ed25519 key at `path` where missing; return its public part, ``ssh-ed25519 AAAA…``."""
    from cryptography.hazmat.primitives import serialization as ser
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    if path.exists():
        key = ser.load_ssh_private_key(path.read_bytes(), password=None)
    else:
        key = Ed25519PrivateKey.generate()
        pem = key.private_bytes(ser.Encoding.PEM, ser.PrivateFormat.OpenSSH, ser.NoEncryption())
        write_private(path, pem)
    public = key.public_key().public_bytes(ser.Encoding.OpenSSH, ser.PublicFormat.OpenSSH)
    path.with_name(path.name + ".pub").write_text(f"{public.decode()} {comment}\n")
    return public.decode()


class Authority:
    """The lab's certificate authority: ``ca.pem`` and ``ca.key`` in `folder`."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.certificate_path = folder / "ca.pem"
        if not (folder / "ca.key").exists() or not self.certificate_path.exists():
            self._make()

    def _make(self) -> None:
        from cryptography import x509
        from cryptography.hazmat.primitives.asymmetric import ec

        key = ec.generate_private_key(ec.SECP256R1())
        usage = x509.KeyUsage(
            digital_signature=True, key_cert_sign=True, crl_sign=True, content_commitment=False,
            key_encipherment=False, data_encipherment=False, key_agreement=False,
            encipher_only=False, decipher_only=False,
        )  # fmt: skip
        builder = self._builder("SuanWang lab CA", "SuanWang lab CA", key.public_key(), 3650)
        certificate = (
            builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .sign(key, self._hash())
        )
        self._write(self.folder / "ca.key", self.certificate_path, key, certificate)

    @staticmethod
    def _hash():
        from cryptography.hazmat.primitives import hashes

        return hashes.SHA256()

    @staticmethod
    def _builder(subject: str, issuer: str, public_key, days: int):
        from cryptography import x509
        from cryptography.x509.oid import NameOID

        now = datetime.datetime.now(datetime.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=days))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        )

    @staticmethod
    def _write(key_path: Path, certificate_path: Path, key, certificate) -> None:
        from cryptography.hazmat.primitives import serialization as ser

        pem = key.private_bytes(ser.Encoding.PEM, ser.PrivateFormat.PKCS8, ser.NoEncryption())
        write_private(key_path, pem)
        certificate_path.write_bytes(certificate.public_bytes(ser.Encoding.PEM))

    def serve(self, server_name: str, address: str, folder: Path) -> tuple[Path, Path]:
        """Return (certificate, key) for a server in `folder`, made anew if missing or unfit.

        The strict verification that Python 3.13 turns on wants the authority key identifier and key usage.
        """
        from cryptography import x509
        from cryptography.hazmat.primitives import serialization as ser
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.x509.oid import ExtendedKeyUsageOID

        certificate_path, key_path = folder / "tls.pem", folder / "tls.key"
        names = x509.SubjectAlternativeName([x509.DNSName(server_name), x509.IPAddress(ipaddress.ip_address(address))])
        authority = x509.load_pem_x509_certificate(self.certificate_path.read_bytes())
        if self._fits(certificate_path, key_path, names, authority):
            return certificate_path, key_path
        ca_key = ser.load_pem_private_key((self.folder / "ca.key").read_bytes(), password=None)
        key = ec.generate_private_key(ec.SECP256R1())
        ski = authority.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        builder = self._builder(server_name, "SuanWang lab CA", key.public_key(), 825)
        certificate = (
            builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(names, critical=False)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(ski), critical=False)
            .sign(ca_key, self._hash())
        )
        self._write(key_path, certificate_path, key, certificate)
        return certificate_path, key_path

    @staticmethod
    def _fits(certificate_path: Path, key_path: Path, names, authority) -> bool:
        from cryptography import x509

        if not certificate_path.exists() or not key_path.exists():
            return False
        found = x509.load_pem_x509_certificate(certificate_path.read_bytes())
        left = found.not_valid_after_utc - datetime.datetime.now(datetime.UTC)
        if left < datetime.timedelta(days=30):
            return False
        try:
            found.verify_directly_issued_by(authority)
        except Exception:  # any mismatch means the same thing here: make a new one
            return False
        return found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value == names
