"""A throw-away certificate chain to try C2PA signing with: valid in form, trusted by nobody."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Any

from demask.errors import UsageError
from demask.extras import install_command

_ORGANISATION = "demask trial, trusted by nobody"


@dataclass(frozen=True, kw_only=True, slots=True)
class TrialCertificate:
    """PEM files that sign for a while.

    Attributes:
        chain: The signer's certificate, then the root's.
        key: The signer's private key.
        root: The root's certificate alone: what a reader has to trust.
    """

    chain: bytes
    key: bytes
    root: bytes


def make_trial_certificate(*, days: int = 30) -> TrialCertificate:
    """Make a root and a signer on P-256, with the extensions that C2PA asks for (2.2, "X.509 certificates").

    Args:
        days: From now on. The root's key is thrown away.

    Raises:
        UsageError: The package cryptography, of the extra `c2pa`, is not installed.
    """
    try:
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec
    except ImportError:
        raise UsageError(f"making a certificate needs cryptography; run: {install_command('c2pa')}") from None
    now = datetime.datetime.now(datetime.UTC)
    root_key, signer_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))

    def name(common: str) -> Any:
        return x509.Name(
            [
                x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, _ORGANISATION),
                x509.NameAttribute(x509.NameOID.COMMON_NAME, common),
            ]
        )

    def certificate(common: str, of: Any, *, is_root: bool) -> bytes:
        usage = dict.fromkeys(
            (
                "content_commitment",
                "key_encipherment",
                "data_encipherment",
                "key_agreement",
                "encipher_only",
                "decipher_only",
            ),
            False,
        )
        builder = (
            x509.CertificateBuilder()
            .subject_name(name(common))
            .issuer_name(name("root"))
            .public_key(of.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(minutes=5))
            .not_valid_after(now + datetime.timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=is_root, path_length=None), critical=True)
            .add_extension(
                x509.KeyUsage(digital_signature=not is_root, key_cert_sign=is_root, crl_sign=is_root, **usage),
                critical=True,
            )
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(of.public_key()), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()), critical=False
            )
        )
        if not is_root:
            purposes = x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.EMAIL_PROTECTION])
            builder = builder.add_extension(purposes, critical=False)
        pem: bytes = builder.sign(root_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        return pem

    root = certificate("root", root_key, is_root=True)
    key = signer_key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return TrialCertificate(chain=certificate("signer", signer_key, is_root=False) + root, key=key, root=root)
