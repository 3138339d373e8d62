//! Keys as objects of a token: finds, reads, makes and destroys them.

use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};
use const_oid::ObjectIdentifier;
use cryptoki::{
    mechanism::{Mechanism, MechanismType},
    object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle},
    session::Session,
    slot::TokenInfo,
    types::Ulong,
};
use der::{
    Decode, Encode,
    asn1::{AnyRef, BitStringRef, OctetStringRef, UintRef},
};
use spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoRef};

use super::{
    KeyFacts, Pkcs11Place,
    attributes::{self, KeyAttributes},
    error::Pkcs11Error,
    hex,
};
use crate::{oid, signer::KeySpec, spki::PublicKey, wire::RsaPublicKeyFields};

/// Octets of a new key's id.
const ID: usize = 8;

/// The most keys whose names an error tells.
const MAX_NAMES: usize = 10;

/// A key, before it is used.
pub(super) struct Found {
    pub(super) public_key: PublicKey,
    pub(super) facts: KeyFacts,
    /// What its token can do.
    pub(super) mechanisms: Vec<MechanismType>,
}

/// What is looked for, in words.
pub(super) fn name(place: &Pkcs11Place) -> String {
    match (&place.label, &place.id) {
        (Some(label), None) => format!("{label:?}"),
        (Some(label), Some(id)) => format!("{label:?} with the id {}", hex(id)),
        (None, Some(id)) => format!("with the id {}", hex(id)),
        (None, None) => "of any name".to_owned(),
    }
}

/// The key with its public part, from the token or as it is known.
pub(super) fn find(
    session: &Session,
    place: &Pkcs11Place,
    token: &TokenInfo,
    mechanisms: Vec<MechanismType>,
    known: Option<&PublicKey>,
) -> Result<Found, Pkcs11Error> {
    let key = private_key(session, place)?;
    let asked = [AttributeType::Label, AttributeType::Id];
    let told = read(session, place, key, &[&asked[..], &attributes::ASKED].concat())?;
    let label = told.iter().find_map(|attribute| match attribute {
        Attribute::Label(label) => Some(String::from_utf8_lossy(label).into_owned()),
        _ => None,
    });
    let id = told.iter().find_map(|attribute| match attribute {
        Attribute::Id(id) => Some(id.clone()),
        _ => None,
    });
    let facts = KeyFacts {
        token: place.token.clone(),
        serial: token.serial_number().to_owned(),
        label: label.unwrap_or_default(),
        id: id.unwrap_or_default(),
        attributes: KeyAttributes::read(&told),
    };
    let public_key = match known {
        Some(known) => known.clone(),
        None => public_key(session, place, key, &facts)?,
    };
    Ok(Found { public_key, facts, mechanisms })
}

/// The one private key of this name.
pub(super) fn private_key(session: &Session, place: &Pkcs11Place) -> Result<ObjectHandle, Pkcs11Error> {
    if place.label.is_none() && place.id.is_none() {
        return Err(Pkcs11Error::Unnamed);
    }
    let keys = of_class(session, place, ObjectClass::PRIVATE_KEY)?;
    match keys.as_slice() {
        [key] => Ok(*key),
        [] => {
            let all = objects(session, place, &[Attribute::Class(ObjectClass::PRIVATE_KEY)])?;
            let present = all.into_iter().take(MAX_NAMES).map(|key| label(session, place, key));
            Err(Pkcs11Error::NoKey {
                token: place.token.clone(),
                key: name(place),
                present: present.collect::<Result<_, _>>()?,
            })
        }
        several => {
            let ids = several.iter().take(MAX_NAMES).map(|key| {
                let told = read(session, place, *key, &[AttributeType::Id])?;
                Ok(told
                    .iter()
                    .find_map(|attribute| match attribute {
                        Attribute::Id(id) => Some(hex(id)),
                        _ => None,
                    })
                    .unwrap_or_default())
            });
            Err(Pkcs11Error::SeveralKeys {
                token: place.token.clone(),
                key: name(place),
                ids: ids.collect::<Result<_, _>>()?,
            })
        }
    }
}

/// Makes a key pair of this label, which there must not be, and gives its id.
pub(super) fn generate(
    session: &Session,
    place: &Pkcs11Place,
    spec: KeySpec,
) -> Result<Vec<u8>, Pkcs11Error> {
    let of = |error| Pkcs11Error::of(&place.token, &error);
    let label = place.label.as_ref().ok_or(Pkcs11Error::Unnamed)?;
    let taken = Attribute::Label(label.clone().into_bytes());
    for class in [ObjectClass::PRIVATE_KEY, ObjectClass::PUBLIC_KEY] {
        if !objects(session, place, &[Attribute::Class(class), taken.clone()])?.is_empty() {
            return Err(Pkcs11Error::LabelTaken { token: place.token.clone(), label: label.clone() });
        }
    }
    let (mechanism, kind) = kind(spec)?;
    let mut id = [0; ID];
    SystemRandom::new().fill(&mut id).map_err(|_unspecified| Pkcs11Error::Refused {
        token: place.token.clone(),
        reason: "the system gives no random numbers".to_owned(),
    })?;
    let name = [Attribute::Token(true), taken, Attribute::Id(id.to_vec())];
    let public = [&name[..], &kind, &[Attribute::Private(false), Attribute::Verify(true)]].concat();
    let private = [
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Sign(true),
        Attribute::SignRecover(false),
        Attribute::Decrypt(false),
        Attribute::Unwrap(false),
        Attribute::Derive(false),
    ];
    let private = [&name[..], &private].concat();
    session.generate_key_pair(&mechanism, &public, &private).map_err(of)?;
    Ok(id.to_vec())
}

/// Destroys the private key of this name and its public part.
pub(super) fn destroy(session: &Session, place: &Pkcs11Place) -> Result<(), Pkcs11Error> {
    for class in [ObjectClass::PRIVATE_KEY, ObjectClass::PUBLIC_KEY] {
        for object in of_class(session, place, class)? {
            session.destroy_object(object).map_err(|error| Pkcs11Error::of(&place.token, &error))?;
        }
    }
    Ok(())
}

/// How a key of this kind is made, and what its public part says of it.
fn kind(spec: KeySpec) -> Result<(Mechanism<'static>, Vec<Attribute>), Pkcs11Error> {
    let curve = |curve: ObjectIdentifier| {
        // An OID always has a DER form.
        let parameters = curve.to_der().unwrap_or_default();
        Ok((Mechanism::EccKeyPairGen, vec![Attribute::EcParams(parameters)]))
    };
    let rsa = |bits| {
        let kind = vec![Attribute::ModulusBits(Ulong::new(bits)), Attribute::PublicExponent(vec![1, 0, 1])];
        Ok((Mechanism::RsaPkcsKeyPairGen, kind))
    };
    match spec {
        KeySpec::P256 => curve(oid::SECP256R1),
        KeySpec::P384 => curve(oid::SECP384R1),
        KeySpec::Rsa2048 => rsa(2048),
        KeySpec::Rsa3072 => rsa(3072),
        KeySpec::Rsa4096 => rsa(4096),
        KeySpec::Ed25519 | KeySpec::MlDsa44 | KeySpec::MlDsa65 | KeySpec::MlDsa87 => {
            Err(Pkcs11Error::Generation(spec))
        }
    }
}

/// The public part: of an RSA key it stands in the private key's object too, of an EC key most modules have it in another one alone,
/// with the same id or else the same label.
fn public_key(
    session: &Session,
    place: &Pkcs11Place,
    key: ObjectHandle,
    facts: &KeyFacts,
) -> Result<PublicKey, Pkcs11Error> {
    if let Some(public) = public_key_in(session, place, key, facts)? {
        return Ok(public);
    }
    let class = Attribute::Class(ObjectClass::PUBLIC_KEY);
    let names = [
        (!facts.id.is_empty()).then(|| Attribute::Id(facts.id.clone())),
        (!facts.label.is_empty()).then(|| Attribute::Label(facts.label.clone().into_bytes())),
    ];
    for name in names.into_iter().flatten() {
        if let [object] = objects(session, place, &[class.clone(), name])?.as_slice()
            && let Some(public) = public_key_in(session, place, *object, facts)?
        {
            return Ok(public);
        }
    }
    Err(Pkcs11Error::NoPublicKey { token: place.token.clone(), key: facts.label.clone() })
}

/// What an object says of a public key, if it says enough.
fn public_key_in(
    session: &Session,
    place: &Pkcs11Place,
    object: ObjectHandle,
    facts: &KeyFacts,
) -> Result<Option<PublicKey>, Pkcs11Error> {
    let unsupported = |kind: String| Pkcs11Error::Unsupported { key: facts.label.clone(), kind };
    let asked = [
        AttributeType::KeyType,
        AttributeType::Modulus,
        AttributeType::PublicExponent,
        AttributeType::EcParams,
        AttributeType::EcPoint,
    ];
    // Each by itself: some modules tell nothing at all when they are asked for one thing that a key of that type has not.
    let (mut kind, mut modulus, mut exponent, mut parameters, mut point) = (None, None, None, None, None);
    for attribute in asked {
        for told in read(session, place, object, &[attribute])? {
            match told {
                Attribute::KeyType(value) => kind = Some(value),
                Attribute::Modulus(value) => modulus = Some(value),
                Attribute::PublicExponent(value) => exponent = Some(value),
                Attribute::EcParams(value) => parameters = Some(value),
                Attribute::EcPoint(value) => point = Some(value),
                _ => {}
            }
        }
    }
    let info = match (kind, modulus, exponent, parameters, point) {
        (Some(KeyType::RSA), Some(modulus), Some(exponent), ..) if !modulus.is_empty() => {
            rsa_info(&modulus, &exponent)
        }
        (Some(KeyType::EC), _, _, Some(parameters), Some(point)) if !point.is_empty() => {
            ec_info(&parameters, &point)
        }
        (Some(KeyType::RSA | KeyType::EC), ..) => return Ok(None),
        (Some(other), ..) => return Err(unsupported(other.to_string())),
        (None, ..) => return Err(unsupported("of no type that is told".to_owned())),
    };
    let key = info.and_then(|info| PublicKey::from_der(&info).ok());
    key.map(Some).ok_or_else(|| unsupported("of a kind or form that is not known".to_owned()))
}

fn rsa_info(modulus: &[u8], exponent: &[u8]) -> Option<Vec<u8>> {
    let key =
        RsaPublicKeyFields { modulus: UintRef::new(modulus).ok()?, exponent: UintRef::new(exponent).ok()? };
    let algorithm = AlgorithmIdentifierRef { oid: oid::RSA_ENCRYPTION, parameters: Some(AnyRef::NULL) };
    info(algorithm, &key.to_der().ok()?)
}

/// CKA_EC_POINT is the point in an OCTET STRING (PKCS #11 §6.3.3), and from some modules the point as it is.
fn ec_info(parameters: &[u8], point: &[u8]) -> Option<Vec<u8>> {
    let curve = ObjectIdentifier::from_der(parameters).ok()?;
    let length = match curve {
        oid::SECP256R1 => 65,
        oid::SECP384R1 => 97,
        _ => return None,
    };
    let point =
        if point.len() == length { point } else { <&OctetStringRef>::from_der(point).ok()?.as_bytes() };
    let algorithm =
        AlgorithmIdentifierRef { oid: oid::EC_PUBLIC_KEY, parameters: Some(AnyRef::from(&curve)) };
    info(algorithm, point)
}

fn info(algorithm: AlgorithmIdentifierRef<'_>, bits: &[u8]) -> Option<Vec<u8>> {
    let subject_public_key = BitStringRef::from_bytes(bits).ok()?;
    SubjectPublicKeyInfoRef { algorithm, subject_public_key }.to_der().ok()
}

/// The objects of a class that have the key's name.
fn of_class(
    session: &Session,
    place: &Pkcs11Place,
    class: ObjectClass,
) -> Result<Vec<ObjectHandle>, Pkcs11Error> {
    let label = place.label.as_ref().map(|label| Attribute::Label(label.clone().into_bytes()));
    let id = place.id.as_ref().map(|id| Attribute::Id(id.clone()));
    let template: Vec<_> = [Some(Attribute::Class(class)), label, id].into_iter().flatten().collect();
    objects(session, place, &template)
}

fn objects(
    session: &Session,
    place: &Pkcs11Place,
    template: &[Attribute],
) -> Result<Vec<ObjectHandle>, Pkcs11Error> {
    session.find_objects(template).map_err(|error| Pkcs11Error::of(&place.token, &error))
}

fn label(session: &Session, place: &Pkcs11Place, key: ObjectHandle) -> Result<String, Pkcs11Error> {
    let told = read(session, place, key, &[AttributeType::Label])?;
    let label = told.iter().find_map(|attribute| match attribute {
        Attribute::Label(label) => Some(String::from_utf8_lossy(label).into_owned()),
        _ => None,
    });
    Ok(label.unwrap_or_default())
}

fn read(
    session: &Session,
    place: &Pkcs11Place,
    object: ObjectHandle,
    attributes: &[AttributeType],
) -> Result<Vec<Attribute>, Pkcs11Error> {
    session.get_attributes(object, attributes).map_err(|error| Pkcs11Error::of(&place.token, &error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signer::{FileSigner, Signer};

    /// The last octets of an EC key's SubjectPublicKeyInfo are its point.
    #[test]
    fn a_point_is_read_wrapped_and_as_it_is() {
        for (spec, curve, length) in
            [(KeySpec::P256, oid::SECP256R1, 65), (KeySpec::P384, oid::SECP384R1, 97)]
        {
            let key = FileSigner::generate(spec).unwrap();
            let expected = key.public_key().der();
            let point = &expected[expected.len() - length..];
            let parameters = curve.to_der().unwrap();
            let wrapped = [&[4, u8::try_from(length).unwrap()], point].concat();
            assert_eq!(ec_info(&parameters, point).unwrap(), expected);
            assert_eq!(ec_info(&parameters, &wrapped).unwrap(), expected);
            assert_eq!(ec_info(&parameters, &point[1..]), None);
            assert_eq!(ec_info(&oid::SECP521R1.to_der().unwrap(), point), None);
            assert_eq!(ec_info(&[1, 2, 3], point), None);
        }
    }

    #[test]
    fn an_rsa_key_is_read_with_and_without_leading_zeros() {
        let key = FileSigner::generate(KeySpec::Rsa2048).unwrap();
        let (modulus, exponent) =
            (key.public_key().rsa_modulus().unwrap(), key.public_key().rsa_exponent().unwrap());
        assert_eq!(rsa_info(modulus, exponent).unwrap(), key.public_key().der());
        let padded = [&[0], modulus].concat();
        assert_eq!(rsa_info(&padded, &[0, 1, 0, 1]).unwrap(), key.public_key().der());
    }
}
