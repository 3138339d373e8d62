//! A key in a module, used by this process itself.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use cairn_test_env::hsm::{PIN, alone, module, spied_module};
use cairn_test_env::wait;
use cairn_x509::signer::pkcs11::{Pin, Pkcs11Place};
use cairn_x509::{KeyKind, KeySpec, Pkcs11Error, Pkcs11Signer, SignatureAlgorithm, Signer, SignerError};
use rustix::time::{ClockId, clock_gettime};
use zeroize::Zeroizing;

/// How many are made with each key to see what one costs.
const SIGNATURES: usize = 800;

/// Far longer than a module takes to see that a token is back.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

fn place(label: &str) -> Result<Pkcs11Place> {
    Ok(Pkcs11Place {
        module: module()?,
        token: "ca".to_owned(),
        serial: None,
        label: Some(label.to_owned()),
        id: None,
    })
}

/// One that is kept in a file.
fn pin(text: &str) -> Pin {
    Pin::kept(Zeroizing::new(text.to_owned()))
}

fn open(place: &Pkcs11Place) -> Result<Pkcs11Signer, Pkcs11Error> {
    Pkcs11Signer::open(place, pin(PIN), None)
}

/// That it signs, and that its public key says so.
fn signs(signer: &dyn Signer) -> Result<()> {
    let signature = signer.sign(b"message")?;
    Ok(signer.public_key().verify(signer.algorithm(), b"message", &signature)?)
}

#[test]
fn keys_are_made_and_found_again_and_sign() -> Result<()> {
    alone("signer::keys_are_made_and_found_again_and_sign", |hsm| {
        hsm.token("ca")?;
        for (spec, kind) in [
            (KeySpec::P256, KeyKind::P256),
            (KeySpec::P384, KeyKind::P384),
            (KeySpec::Rsa2048, KeyKind::Rsa { modulus_bits: 2048 }),
            (KeySpec::Rsa3072, KeyKind::Rsa { modulus_bits: 3072 }),
        ] {
            let place = place(&spec.to_string())?;
            let made = Pkcs11Signer::generate(spec, &place, pin(PIN))?;
            assert_eq!(made.public_key().kind(), kind);
            signs(&made)?;
            let attributes = made.facts().attributes;
            assert_eq!(attributes.never_extractable, Some(true), "{attributes}");
            let by_label = open(&place)?;
            assert_eq!(by_label.public_key(), made.public_key());
            let by_id = Pkcs11Place { label: None, id: Some(made.facts().id.clone()), ..place.clone() };
            let by_id = open(&by_id)?;
            assert_eq!(by_id.facts(), made.facts());
            signs(&by_id)?;
            let again = Pkcs11Signer::generate(spec, &place, pin(PIN)).unwrap_err();
            assert!(matches!(again, Pkcs11Error::LabelTaken { .. }), "{again}");
        }
        for algorithm in [
            SignatureAlgorithm::RsaSha384,
            SignatureAlgorithm::RsaPssSha256,
            SignatureAlgorithm::RsaPssSha384,
            SignatureAlgorithm::RsaPssSha512,
        ] {
            let mut signer = open(&place("rsa2048")?)?;
            signer.use_algorithm(algorithm)?;
            assert_eq!(signer.algorithm(), algorithm);
            signs(&signer)?;
        }
        assert!(open(&place("p256")?)?.use_algorithm(SignatureAlgorithm::RsaPssSha256).is_err());
        assert!(matches!(
            Pkcs11Signer::generate(KeySpec::MlDsa65, &place("pq")?, pin(PIN)),
            Err(Pkcs11Error::Generation(KeySpec::MlDsa65))
        ));
        Ok(())
    })
}

#[test]
fn a_key_that_is_destroyed_is_gone_with_its_public_part() -> Result<()> {
    alone("signer::a_key_that_is_destroyed_is_gone_with_its_public_part", |hsm| {
        hsm.token("ca")?;
        let kept = Pkcs11Signer::generate(KeySpec::P256, &place("kept")?, pin(PIN))?;
        Pkcs11Signer::generate(KeySpec::P256, &place("gone")?, pin(PIN))?.destroy()?;
        let error = open(&place("gone")?).unwrap_err().to_string();
        assert!(error.contains("no private key \"gone\"; it has: \"kept\""), "{error}");
        let objects = hsm.tool("ca", &["--list-objects"])?;
        assert!(objects.contains("kept") && !objects.contains("gone"), "{objects}");
        signs(&kept)
    })
}

#[test]
fn names_that_fit_nothing_or_too_much_are_told_with_what_is_there() -> Result<()> {
    alone("signer::names_that_fit_nothing_or_too_much_are_told_with_what_is_there", |hsm| {
        hsm.token("ca")?;
        hsm.token("twin")?;
        hsm.token("twin")?;
        let key = place("key")?;
        let refusal = |place: &Pkcs11Place| open(place).unwrap_err().to_string();
        let elsewhere = refusal(&Pkcs11Place { token: "none".to_owned(), ..key.clone() });
        assert!(elsewhere.contains("present are: \"") && elsewhere.contains("\"ca\""), "{elsewhere}");
        let twins = refusal(&Pkcs11Place { token: "twin".to_owned(), ..key.clone() });
        assert!(twins.contains("there are several tokens \"twin\"; name the serial number"), "{twins}");
        let twin = Pkcs11Place { token: "twin".to_owned(), ..key.clone() };
        let Err(Pkcs11Error::SeveralTokens { serials, .. }) = open(&twin) else { bail!("there are two") };
        for serial in serials {
            let one = Pkcs11Place { serial: Some(serial.clone()), ..twin.clone() };
            assert_eq!(Pkcs11Signer::generate(KeySpec::P256, &one, pin(PIN))?.facts().serial, serial);
            signs(&open(&one)?)?;
        }
        let unnamed = refusal(&Pkcs11Place { label: None, ..key.clone() });
        assert!(unnamed.contains("name its label or its id"), "{unnamed}");
        let no_module = refusal(&Pkcs11Place { module: "/nowhere/module.so".into(), ..key.clone() });
        assert!(no_module.contains("/nowhere/module.so cannot be used"), "{no_module}");
        let ours = Pkcs11Signer::generate(KeySpec::P256, &key, pin(PIN))?;
        let make = ["--keypairgen", "--key-type", "EC:prime256v1", "--label", "key", "--id", "02"];
        hsm.tool("ca", &make)?;
        let several = refusal(&key);
        assert!(several.contains("name the id of one, one of: ") && several.contains("\"02\""), "{several}");
        signs(&open(&Pkcs11Place { id: Some(ours.facts().id.clone()), ..key })?)
    })
}

#[test]
fn a_key_that_could_leave_or_do_more_than_sign_is_refused() -> Result<()> {
    alone("signer::a_key_that_could_leave_or_do_more_than_sign_is_refused", |hsm| {
        hsm.token("ca")?;
        for (label, kind, usage, wrong) in [
            ("extractable", "EC:prime256v1", "--extractable", "CKA_EXTRACTABLE is true"),
            ("derives", "EC:prime256v1", "--usage-derive", "CKA_DERIVE is true"),
            ("decrypts", "rsa:2048", "--usage-decrypt", "CKA_DECRYPT is true"),
        ] {
            let make =
                ["--keypairgen", "--sensitive", "--usage-sign", "--key-type", kind, "--label", label, usage];
            hsm.tool("ca", &make)?;
            let error = open(&place(label)?).unwrap_err().to_string();
            assert!(error.contains(wrong) && error.contains("store = \"pkcs11\""), "{error}");
        }
        Ok(())
    })
}

#[test]
fn a_public_part_that_the_token_lacks_comes_from_the_certificate_and_must_be_that_of_the_key() -> Result<()> {
    let story =
        "signer::a_public_part_that_the_token_lacks_comes_from_the_certificate_and_must_be_that_of_the_key";
    alone(story, |hsm| {
        hsm.token("ca")?;
        let key = Pkcs11Signer::generate(KeySpec::P384, &place("key")?, pin(PIN))?;
        let other = Pkcs11Signer::generate(KeySpec::P384, &place("other")?, pin(PIN))?;
        hsm.tool("ca", &["--delete-object", "--type", "pubkey", "--label", "key"])?;
        let place = place("key")?;
        assert!(matches!(open(&place), Err(Pkcs11Error::NoPublicKey { .. })));
        signs(&Pkcs11Signer::open(&place, pin(PIN), Some(key.public_key()))?)?;
        let error = Pkcs11Signer::open(&place, pin(PIN), Some(other.public_key())).unwrap_err();
        assert!(matches!(error, Pkcs11Error::OtherKey { .. }), "{error}");
        Ok(())
    })
}

#[test]
fn a_wrong_pin_is_tried_once_and_then_only_what_somebody_types() -> Result<()> {
    alone("signer::a_wrong_pin_is_tried_once_and_then_only_what_somebody_types", |hsm| {
        hsm.token("ca")?;
        Pkcs11Signer::generate(KeySpec::P256, &place("key")?, pin(PIN))?;
        let place = Pkcs11Place { module: spied_module()?, ..place("key")? };
        let first = Pkcs11Signer::open(&place, pin("wrong"), None).unwrap_err();
        assert!(matches!(first, Pkcs11Error::PinIncorrect { .. }), "{first}");
        for _ in 0..5 {
            let again = Pkcs11Signer::open(&place, pin("wrong"), None).unwrap_err();
            assert!(matches!(again, Pkcs11Error::PinRefusedBefore { .. }), "{again}");
        }
        // Until somebody has logged in who sees what happens.
        let kept = open(&place).unwrap_err();
        assert!(matches!(kept, Pkcs11Error::PinMistaken { .. }), "{kept}");
        assert_eq!(hsm.spied("C_Login")?, 1);
        let typed = Pin::typed(Zeroizing::new(PIN.to_owned()));
        signs(&Pkcs11Signer::open(&place, typed, None)?)?;
        signs(&open(&place)?)
    })
}

#[test]
fn a_token_that_is_pulled_is_told_and_used_again_when_it_is_back() -> Result<()> {
    alone("signer::a_token_that_is_pulled_is_told_and_used_again_when_it_is_back", |hsm| {
        hsm.token("ca")?;
        let signer = Pkcs11Signer::generate(KeySpec::P256, &place("key")?, pin(PIN))?;
        for _ in 0..2 {
            signs(&signer)?;
            hsm.pull()?;
            for _ in 0..3 {
                let error = signer.sign(b"message").unwrap_err();
                ensure!(error.is_temporary(), "{error}");
            }
            hsm.put_back()?;
            wait::until("the token to be used again", PATIENCE, || {
                Ok(signer.sign(b"message").is_ok().then_some(()))
            })?;
        }
        signs(&signer)
    })
}

#[test]
fn many_threads_share_a_few_sessions() -> Result<()> {
    alone("signer::many_threads_share_a_few_sessions", |hsm| {
        hsm.token("ca")?;
        Pkcs11Signer::generate(KeySpec::P256, &place("key")?, pin(PIN))?;
        let signer =
            Pkcs11Signer::open(&Pkcs11Place { module: spied_module()?, ..place("key")? }, pin(PIN), None)?;
        thread::scope(|scope| {
            let threads: Vec<_> =
                (0..32).map(|_| scope.spawn(|| (0..20).try_for_each(|_| signs(&signer)))).collect();
            threads.into_iter().try_for_each(|thread| thread.join().expect("a thread panicked"))
        })?;
        // One to find the key, and eight at most to sign.
        let opened = hsm.spied("C_OpenSession")?;
        ensure!((2..=9).contains(&opened), "{opened} sessions");
        Ok(())
    })
}

/// What a signature costs this process, SoftHSM included: docs/PERFORMANCE.md has the figures.
#[test]
fn signatures_of_many_threads_all_verify_and_their_cost_is_told() -> Result<()> {
    alone("signer::signatures_of_many_threads_all_verify_and_their_cost_is_told", |hsm| {
        hsm.token("ca")?;
        for spec in [KeySpec::P256, KeySpec::P384, KeySpec::Rsa2048] {
            let signer = Pkcs11Signer::generate(spec, &place(&spec.to_string())?, pin(PIN))?;
            for threads in [1, 8] {
                let (began, cpu) = (Instant::now(), cpu_time());
                let signed = thread::scope(|scope| {
                    let sign = |_| -> Result<Vec<_>, SignerError> {
                        (0..SIGNATURES / threads).map(|_| signer.sign(b"message")).collect()
                    };
                    let threads: Vec<_> =
                        (0..threads).map(|thread| scope.spawn(move || sign(thread))).collect();
                    threads
                        .into_iter()
                        .map(|thread| thread.join().expect("a thread panicked"))
                        .collect::<Result<Vec<_>, _>>()
                })?;
                let (wall, cpu) = (began.elapsed(), cpu_time() - cpu);
                for signature in signed.iter().flatten() {
                    signer.public_key().verify(signer.algorithm(), b"message", signature)?;
                }
                let count = f64::from(u32::try_from(SIGNATURES)?);
                println!(
                    "{spec}, {threads} threads: {:.0} µs CPU a signature, {:.0} signatures a second",
                    cpu.as_secs_f64() * 1e6 / count,
                    count / wall.as_secs_f64()
                );
            }
        }
        Ok(())
    })
}

/// Of this process.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.try_into().unwrap(), time.tv_nsec.try_into().unwrap())
}
