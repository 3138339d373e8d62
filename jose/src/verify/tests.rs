//! The example signatures of the RFCs. They name no key in their headers, so they are no ACME requests, and
//! can be checked from inside only.

use serde_json::json;

use super::*;
use crate::base64url;

/// The payload of RFC 7515 appendix A.1 to A.3, as it is spelt there.
const JOE: &str =
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";

struct Example {
    algorithm: Algorithm,
    key: Jwk,
    signing_input: String,
    signature: Vec<u8>,
}

impl Example {
    fn new(algorithm: Algorithm, key: serde_json::Value, payload: &str, signature: &str) -> Self {
        let protected = base64url::encode(format!(r#"{{"alg":"{algorithm}"}}"#).as_bytes());
        Self {
            algorithm,
            key: Jwk::from_value(&key).unwrap(),
            signing_input: format!("{protected}.{payload}"),
            signature: base64url::decode(signature).unwrap(),
        }
    }

    fn verify(&self) -> Result<(), VerifyError> {
        verify(self.algorithm, &self.key, self.signing_input.as_bytes(), &self.signature)
    }
}

/// RFC 7515 appendix A.2.
fn rs256() -> Example {
    let modulus = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yR\
                   T-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXB\
                   dQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9ia\
                   GNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
    Example::new(
        Algorithm::Rs256,
        json!({ "kty": "RSA", "n": modulus, "e": "AQAB" }),
        JOE,
        "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t\
         1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12j\
         zDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQ\
         Ge77Rw",
    )
}

/// RFC 7515 appendix A.3.
fn es256() -> Example {
    Example::new(
        Algorithm::Es256,
        json!({
            "kty": "EC",
            "crv": "P-256",
            "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
        }),
        JOE,
        "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
    )
}

/// RFC 7515 appendix A.4.
fn es512() -> Example {
    Example::new(
        Algorithm::Es512,
        json!({
            "kty": "EC",
            "crv": "P-521",
            "x": "AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_NjFZ6OvLFV1jSfS9tsz4qUxcWceqwQGk",
            "y": "ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-x3S1WDhjDly79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2",
        }),
        "UGF5bG9hZA",
        "AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZqwqT2SI-KGDKB34XO0aw_7XdtAG8GaSwFKdCAPZgoXD2YBJZC\
         PEX3xKpRwcdOO8KpEHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_Jn",
    )
}

/// RFC 8037 appendix A.4 and A.5.
fn eddsa() -> Example {
    Example::new(
        Algorithm::EdDsa,
        json!({ "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" }),
        "RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
        "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
    )
}

fn examples() -> [Example; 4] {
    [rs256(), es256(), es512(), eddsa()]
}

#[test]
fn the_examples_of_rfc_7515_and_rfc_8037_verify() {
    for example in examples() {
        assert_eq!(example.verify(), Ok(()), "{}", example.algorithm);
    }
}

#[test]
fn an_example_with_another_signing_input_does_not_verify() {
    for mut example in examples() {
        example.signing_input.push('A');
        assert_eq!(example.verify(), Err(VerifyError::Signature), "{}", example.algorithm);
    }
}

#[test]
fn a_signature_of_another_length_does_not_verify() {
    for mut example in examples() {
        let signature = example.signature.clone();
        for length in [0, 1, signature.len() / 2, signature.len() - 1] {
            example.signature = signature[..length].to_vec();
            assert_eq!(example.verify(), Err(VerifyError::Signature), "{} {length}", example.algorithm);
        }
        example.signature = [&signature[..], &[0]].concat();
        assert_eq!(example.verify(), Err(VerifyError::Signature), "{}", example.algorithm);
        example.signature = [&[0], &signature[..]].concat();
        assert_eq!(example.verify(), Err(VerifyError::Signature), "{}", example.algorithm);
    }
}

#[test]
fn an_all_zero_signature_does_not_verify() {
    for mut example in examples() {
        example.signature.fill(0);
        assert_eq!(example.verify(), Err(VerifyError::Signature), "{}", example.algorithm);
    }
}

#[test]
fn an_algorithm_that_does_not_fit_the_key_is_told_apart_from_a_wrong_signature() {
    for mut example in examples() {
        for algorithm in Algorithm::ALL {
            example.algorithm = algorithm;
            let fits = algorithm.fits(&example.key);
            let unfit = matches!(example.verify(), Err(VerifyError::Unfit { .. }));
            assert_eq!(unfit, !fits, "{algorithm} with {:?}", example.key);
        }
    }
}
