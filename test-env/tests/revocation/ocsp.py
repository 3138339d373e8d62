"""Asks about leaf.pem by OCSP, with either hash and with and without a nonce; every answer must be the issuer's, or of somebody to
whom it has delegated, and say what is expected. The last one without a nonce is left in the file `answer`.

    ocsp.py URL GOOD|REVOKED
"""

import base64
import datetime
import sys
import urllib.request

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import ocsp


def load(name):
    with open(name, "rb") as file:
        return x509.load_pem_x509_certificate(file.read())


def ask(url, hash, nonce):
    builder = ocsp.OCSPRequestBuilder().add_certificate(leaf, issuer, hash)
    if nonce:
        builder = builder.add_extension(x509.OCSPNonce(nonce), critical=False)
    der = builder.build().public_bytes(serialization.Encoding.DER)
    if nonce:
        headers = {"Content-Type": "application/ocsp-request"}
        request = urllib.request.Request(url, data=der, headers=headers)
    else:
        request = url + "/" + base64.b64encode(der).decode().replace("+", "%2B").replace("/", "%2F").replace("=", "%3D")
    with urllib.request.urlopen(request) as answer:
        assert answer.headers["Content-Type"] == "application/ocsp-response", answer.headers
        return answer.read()


def verify(answer, key):
    assert isinstance(key, ec.EllipticCurvePublicKey)
    key.verify(answer.signature, answer.tbs_response_bytes, ec.ECDSA(answer.signature_hash_algorithm))


leaf, issuer = load("leaf.pem"), load("issuer.pem")
url, expected = sys.argv[1:]
for hash in (hashes.SHA1(), hashes.SHA256()):
    for nonce in (b"0123456789abcdef", b"n", b"n" * 128, None):
        der = ask(url, hash, nonce)
        answer = ocsp.load_der_ocsp_response(der)
        assert answer.response_status == ocsp.OCSPResponseStatus.SUCCESSFUL, answer.response_status
        assert answer.certificate_status == ocsp.OCSPCertStatus[expected], answer.certificate_status
        assert answer.serial_number == leaf.serial_number
        assert answer.hash_algorithm.name == hash.name
        if nonce:
            assert answer.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce == nonce
        else:
            assert not list(answer.extensions)
        now = datetime.datetime.now(datetime.timezone.utc)
        assert answer.this_update_utc <= now < answer.next_update_utc
        if answer.certificates:
            (responder,) = answer.certificates
            responder.verify_directly_issued_by(issuer)
            purposes = responder.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
            assert list(purposes) == [x509.ExtendedKeyUsageOID.OCSP_SIGNING]
            responder.extensions.get_extension_for_class(x509.OCSPNoCheck)
            verify(answer, responder.public_key())
        else:
            verify(answer, issuer.public_key())
        if expected == "REVOKED":
            assert answer.revocation_reason == x509.ReasonFlags.superseded
with open("answer", "wb") as file:
    file.write(der)
