//! The commands that ask a running server: one call each, and its answer for people or for programs.

use std::path::Path;

use anyhow::{Context, Result, bail};
use cairn_core::api::admin::{AccountName, OperatorRevocation};
use cairn_core::time::SystemClock;
use cairn_core::{Clock, RevocationReason};
use cairn_x509::{Certificate, FileSigner, PublicKey, Signer};
use rustls_pki_types::SubjectPublicKeyInfoDer;
use rustls_pki_types::pem::PemObject;

use super::connection::{Connection, told};
use super::objects::{self, hex};
use super::sheet::Sheet;
use crate::cli::admin::{
    AccountCommand, AuthorizationCommand, CertificateCommand, KeyArgs, KeyCommand, OrderCommand,
    RevokeCertificateArgs, ServerArgs, StatusArgs,
};

/// An object's id, as text or as a URL that ends in it.
pub(super) fn id<T: std::str::FromStr<Err: std::error::Error + Send + Sync + 'static>>(
    text: &str,
) -> Result<T> {
    let last = text.trim_end_matches('/').rsplit('/').next().unwrap_or(text);
    last.parse().with_context(|| format!("\"{text}\" is no id, nor a URL that ends in one"))
}

pub(super) async fn account(command: AccountCommand) -> Result<String> {
    match command {
        AccountCommand::Show(args) => {
            let name = match (&args.id, args.thumbprint) {
                (Some(text), _) => AccountName::Id(id(text)?),
                (None, Some(key)) => AccountName::Key(key),
                (None, None) => bail!("name the account by its id, or by --thumbprint"),
            };
            let Connection { ra, operator, .. } = &Connection::open(&args.server).await?;
            let account = ra.account(operator, name).await.map_err(told)?;
            Ok(shown(objects::account(&account), &args.server))
        }
        AccountCommand::Deactivate(args) => {
            let account = id(&args.id)?;
            let Connection { ra, operator, .. } = &Connection::open(&args.server).await?;
            let account = ra.deactivate_account(operator, account).await.map_err(told)?;
            Ok(shown(objects::account(&account), &args.server))
        }
    }
}

pub(super) async fn order(OrderCommand::Show(args): OrderCommand) -> Result<String> {
    let order = id(&args.id)?;
    let Connection { ra, operator, .. } = &Connection::open(&args.server).await?;
    let order = ra.order(operator, order).await.map_err(told)?;
    Ok(shown(objects::order(&order, SystemClock.now()), &args.server))
}

pub(super) async fn authorization(command: AuthorizationCommand) -> Result<String> {
    let (args, deactivate) = match command {
        AuthorizationCommand::Show(args) => (args, false),
        AuthorizationCommand::Deactivate(args) => (args, true),
    };
    let authorization = id(&args.id)?;
    let Connection { ra, operator, .. } = &Connection::open(&args.server).await?;
    let found = if deactivate {
        ra.deactivate_authorization(operator, authorization).await
    } else {
        ra.authorization(operator, authorization).await
    };
    Ok(shown(objects::authorization(&found.map_err(told)?, SystemClock.now()), &args.server))
}

pub(super) async fn certificate(command: CertificateCommand) -> Result<String> {
    match command {
        CertificateCommand::Show(args) => {
            let Connection { ra, operator, .. } = &Connection::open(&args.server).await?;
            let record = ra.certificate(operator, &args.serial.0).await.map_err(told)?;
            Ok(shown(objects::certificate(&record, SystemClock.now(), args.pem), &args.server))
        }
        CertificateCommand::Revoke(args) => revoke(args).await,
    }
}

async fn revoke(args: RevokeCertificateArgs) -> Result<String> {
    let Connection { ra, operator, .. } = &Connection::open(&args.server).await?;
    let reason = args.reason.0;
    let revocation = OperatorRevocation { serial: args.serial.0, reason, block_key: args.block_key };
    let record = ra.revoke_certificate(operator, revocation).await.map_err(told)?;
    let sheet = objects::certificate(&record, SystemClock.now(), false).json("key_blocked", args.block_key);
    let mut text = shown(sheet, &args.server);
    if reason == Some(RevocationReason::KeyCompromise) && !args.block_key && !args.server.json {
        text.push_str(
            "\nIts key can still get certificates; `cairn admin key block --spki-sha256` with key sha256 ends that.\n",
        );
    }
    Ok(text)
}

pub(super) async fn key(KeyCommand::Block(args): KeyCommand) -> Result<String> {
    let key = spki_sha256(&args)?;
    let Connection { ra, operator, .. } = &Connection::open(&args.server).await?;
    let new = ra.block_key(operator, key).await.map_err(told)?;
    let sheet = Sheet::new().with("key_sha256", hex(&key)).json("blocked", true).json("new", new);
    Ok(shown(sheet, &args.server))
}

pub(super) async fn status(args: StatusArgs) -> Result<String> {
    let Connection { ra, operator, .. } = &Connection::open(&args.server).await?;
    let status = ra.status(operator).await.map_err(told)?;
    Ok(shown(objects::status(&status), &args.server))
}

pub(super) fn shown(sheet: Sheet, args: &ServerArgs) -> String {
    if args.json { format!("{:#}\n", sheet.into_json()) } else { sheet.into_text() }
}

/// The hash that was given, or that of the key in the file that was.
fn spki_sha256(args: &KeyArgs) -> Result<[u8; 32]> {
    match (&args.spki_sha256, &args.file) {
        (Some(hash), _) => Ok(hash.0),
        (None, Some(file)) => key_of(file).with_context(|| file.display().to_string()),
        (None, None) => bail!("name the key by --spki-sha256 or by --file"),
    }
}

pub(super) fn key_of(file: &Path) -> Result<[u8; 32]> {
    let pem = std::fs::read_to_string(file).context("cannot be read")?;
    if let Ok(certificate) = Certificate::from_pem(&pem) {
        return Ok(certificate.public_key().sha256());
    }
    if let Ok(key) = SubjectPublicKeyInfoDer::from_pem_slice(pem.as_bytes()) {
        return Ok(PublicKey::from_der(&key)?.sha256());
    }
    let key = FileSigner::from_pem(&pem, None);
    Ok(key
        .context("there is no certificate, public key or plain private key in it, PEM")?
        .public_key()
        .sha256())
}

#[cfg(test)]
mod tests {
    use cairn_core::AccountId;
    use cairn_x509::KeySpec;

    use super::*;

    #[test]
    fn an_object_is_named_by_its_id_or_by_its_url() {
        let expected = AccountId::from_bytes([1; 16]);
        let text = expected.to_string();
        assert_eq!(id::<AccountId>(&text).unwrap(), expected);
        assert_eq!(id::<AccountId>(&format!("https://ca.test/acct/{text}")).unwrap(), expected);
        assert!(id::<AccountId>("https://ca.test/dir").unwrap_err().to_string().contains("no id"));
    }

    #[test]
    fn a_key_is_found_in_its_private_form() {
        let folder = tempfile::tempdir().unwrap();
        let signer = FileSigner::generate(KeySpec::P256).unwrap();
        let file = folder.path().join("key.pem");
        std::fs::write(&file, signer.to_pkcs8_pem(None).unwrap().as_bytes()).unwrap();
        assert_eq!(key_of(&file).unwrap(), signer.public_key().sha256());
        std::fs::write(&file, "no key").unwrap();
        assert!(key_of(&file).unwrap_err().to_string().contains("no certificate"));
    }
}
