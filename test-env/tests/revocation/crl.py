"""Reads a CRL as PyCA's cryptography does: crl.py FILE none|REASON, in a folder with issuer.pem and leaf.pem."""

import sys

from cryptography import x509

file, expected = sys.argv[1:]
issuer = x509.load_pem_x509_certificate(open("issuer.pem", "rb").read())
leaf = x509.load_pem_x509_certificate(open("leaf.pem", "rb").read())
crl = x509.load_der_x509_crl(open(file, "rb").read())

assert crl.is_signature_valid(issuer.public_key())
assert crl.issuer == issuer.subject
assert crl.last_update_utc < crl.next_update_utc
point = crl.extensions.get_extension_for_class(x509.IssuingDistributionPoint)
assert point.critical and point.value.only_contains_user_certs
places = leaf.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
assert [name.value for name in point.value.full_name] == [name.value for name in places[0].full_name]
assert crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number > 0

revoked = crl.get_revoked_certificate_by_serial_number(leaf.serial_number)
if expected == "none":
    assert revoked is None
else:
    assert revoked.extensions.get_extension_for_class(x509.CRLReason).value.reason.name == expected
