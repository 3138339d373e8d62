"""Verifies what it is given with Python's `cryptography`, and ends badly with the reason if it is not good.

    verify.py chain NAME TRUSTED LEAF [INTERMEDIATE...]
    verify.py issued ISSUER CERTIFICATE
    verify.py not-revoked ISSUER CRL CERTIFICATE
    verify.py request REQUEST
"""

import ipaddress
import sys
from datetime import datetime, timezone

from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store


def certificate(path):
    with open(path, "rb") as file:
        return x509.load_pem_x509_certificate(file.read())


def chain(name, trusted, leaf, *intermediates):
    try:
        subject = x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        subject = x509.DNSName(name)
    verifier = PolicyBuilder().store(Store([certificate(trusted)])).build_server_verifier(subject)
    verifier.verify(certificate(leaf), [certificate(path) for path in intermediates])


def issued(issuer, subject):
    certificate(subject).verify_directly_issued_by(certificate(issuer))


def not_revoked(issuer, crl, subject):
    with open(crl, "rb") as file:
        revocations = x509.load_pem_x509_crl(file.read())
    if not revocations.is_signature_valid(certificate(issuer).public_key()):
        sys.exit("the list's signature is wrong")
    if not revocations.last_update_utc <= datetime.now(timezone.utc) <= revocations.next_update_utc:
        sys.exit("the list is not of this time")
    entry = revocations.get_revoked_certificate_by_serial_number(certificate(subject).serial_number)
    if entry is not None:
        sys.exit(f"revoked: {entry.extensions.get_extension_for_class(x509.CRLReason).value}")


def request(path):
    with open(path, "rb") as file:
        if not x509.load_pem_x509_csr(file.read()).is_signature_valid:
            sys.exit("the request's signature is wrong")


if __name__ == "__main__":
    {"chain": chain, "issued": issued, "not-revoked": not_revoked, "request": request}[sys.argv[1]](*sys.argv[2:])
