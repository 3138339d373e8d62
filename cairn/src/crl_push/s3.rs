//! A bucket of an S3-compatible store.
//!
//! An object carries the number of its CRL, and is only replaced in the state in which it was seen (`If-Match`, `If-None-Match`): of
//! several certificate authorities none puts an older list over a newer one, whoever comes last.

use std::borrow::Cow;
use std::fmt;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, anyhow, ensure};
use bytes::Bytes;
use cairn_ceremony::key_file::read_password_file;
use cairn_core::api::PkiRead;
use cairn_core::{CrlHead, Period};
use object_store::aws::{AmazonS3Builder, S3ConditionalPut};
use object_store::path::Path;
use object_store::{
    Attribute, Attributes, Error, GetOptions, ObjectStore, PutMode, PutOptions, PutPayload, RetryConfig,
    UpdateVersion,
};
use rustls::RootCertStore;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use serde::Deserialize;
use url::{Host, Url};

use super::dial::Dialer;
use super::{Pieces, parts};

/// What an object is, to browsers and caches (RFC 2585 §4.2).
const PKIX_CRL: &str = "application/pkix-crl";
/// Under which name of its metadata an object carries the number of the CRL: `x-amz-meta-crl-number`.
const NUMBER: Attribute = Attribute::Metadata(Cow::Borrowed("crl-number"));
/// The longest that caches may be told to keep a CRL, as `pki.crl.max_age`.
const LONGEST_AGE: Period = Period::from_days(5);

/// The `[crl_push.s3]` section: a bucket of an S3-compatible store, from which the store itself or a CDN serves CRLs.
///
/// ```toml
/// endpoint = "https://s3.eu-central-1.amazonaws.com"
/// bucket = "example-pki"
/// region = "eu-central-1"
/// access_key = "AKIAIOSFODNN7EXAMPLE"
/// secret_key_file = "s3-secret-key"
/// ```
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where the store is asked, without the bucket: `https://`, a host and maybe a port and a path. Plain `http://` only on this machine
    /// (`localhost` or a loopback address). Nothing else is ever connected to: redirects are failures, proxies of the environment are not
    /// used, and nobody is asked for credentials. Required.
    pub endpoint: String,
    /// The bucket. It must exist, and the store must know conditional writes (`If-Match`, `If-None-Match`). Required.
    pub bucket: String,
    /// The region that requests are signed for. Default `"us-east-1"`, as most stores of one's own have it.
    #[serde(default = "default_region")]
    pub region: String,
    /// What the names of the objects begin with, without `/` at its ends: the CRL of an issuer's shard is the object
    /// `PREFIX/crls/ISSUER/SHARD.crl`. Default `""`: `crls/ISSUER/SHARD.crl`.
    #[serde(default)]
    pub prefix: String,
    /// The access key's id. It needs the rights to read and to write objects (`s3:GetObject`, `s3:PutObject`), and to list the bucket
    /// (`s3:ListBucket`), without which stores do not tell an object that is not there from one that is kept from the asker. Required.
    pub access_key: String,
    /// The file with the access key's secret, in one line. Nobody but its owner may be able to read it. Required.
    pub secret_key_file: PathBuf,
    /// A file with certificates (PEM) that the store's certificate may be issued by, beside the roots that browsers trust. Default: none.
    pub root_certificate: Option<PathBuf>,
    /// Whether the bucket is the first part of the path (`true`, default) or of the host's name (`false`).
    #[serde(default = "default_path_style")]
    pub path_style: bool,
    /// How long browsers, proxies and CDNs may keep a CRL (`Cache-Control: max-age` of the object), whole seconds from 0s to 5d. Default:
    /// `5m`.
    #[serde(default = "default_max_age")]
    pub max_age: Period,
}

fn default_region() -> String {
    "us-east-1".to_owned()
}

const fn default_path_style() -> bool {
    true
}

const fn default_max_age() -> Period {
    Period::from_secs(5 * 60)
}

impl Config {
    /// Makes relative paths relative to `folder`.
    pub fn anchor(&mut self, folder: &FilePath) {
        self.secret_key_file = folder.join(&self.secret_key_file);
        self.root_certificate = self.root_certificate.as_ref().map(|path| folder.join(path));
    }

    /// Where requests go.
    fn target(&self) -> Result<Url> {
        let asked = &self.endpoint;
        let url = Url::parse(asked).with_context(|| format!("endpoint \"{asked}\" is no URL"))?;
        let bare = url.username().is_empty() && url.password().is_none();
        ensure!(
            bare && url.query().is_none() && url.fragment().is_none(),
            "endpoint must be a scheme, a host and maybe a port and a path, and nothing else; the key goes into access_key and \
             secret_key_file"
        );
        let is_near = match url.host() {
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            Some(Host::Domain(name)) => name == "localhost",
            None => false,
        };
        ensure!(
            url.scheme() == "https" || (url.scheme() == "http" && is_near),
            "endpoint \"{asked}\" must begin with https://; http:// is for stores on this machine alone"
        );
        if self.path_style {
            return Ok(url);
        }
        let Some(Host::Domain(host)) = url.host() else {
            return Err(anyhow!(
                "path_style = false puts the bucket before the host's name, and the endpoint has an address"
            ));
        };
        let mut of_bucket = url.clone();
        of_bucket.set_host(Some(&format!("{}.{host}", self.bucket))).context("endpoint")?;
        Ok(of_bucket)
    }

    fn validate(&self) -> Result<()> {
        let is_plain = |text: &str| {
            text.starts_with(|c: char| c.is_ascii_alphanumeric())
                && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'))
        };
        ensure!(
            is_plain(&self.bucket),
            "bucket \"{}\" is no name of a bucket: letters, digits, '.', '-' and '_'",
            self.bucket
        );
        ensure!(is_plain(&self.region), "region \"{}\" is no name of a region", self.region);
        ensure!(
            !self.access_key.is_empty()
                && self.access_key.chars().all(|c| c.is_ascii_graphic() && !matches!(c, '/' | ',' | '=')),
            "access_key is no id of an access key; write the one that belongs to secret_key_file"
        );
        ensure!(
            self.max_age.duration().subsec_nanos() == 0 && self.max_age <= LONGEST_AGE,
            "max_age is {}: write whole seconds from \"0s\" to \"5d\"",
            self.max_age
        );
        Ok(())
    }

    fn roots(&self) -> Result<RootCertStore> {
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        let Some(path) = &self.root_certificate else { return Ok(roots) };
        let at = || path.display().to_string();
        let pem = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        let ours = CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>().with_context(at)?;
        ensure!(!ours.is_empty(), "there is no certificate in {}", path.display());
        for root in ours {
            roots.add(root).with_context(at)?;
        }
        Ok(roots)
    }
}

/// A bucket into which CRLs are put.
pub struct Bucket {
    store: Arc<dyn ObjectStore>,
    prefix: Path,
    cache_control: String,
}

impl fmt::Debug for Bucket {
    // The store knows the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bucket").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

impl Bucket {
    /// Opens what the section names; nothing is asked yet.
    pub(super) fn open(config: &Config) -> Result<Self> {
        config.validate()?;
        let prefix = Path::parse(&config.prefix).with_context(|| format!("prefix \"{}\"", config.prefix))?;
        let target = config.target()?;
        let secret = read_password_file(&config.secret_key_file).context("secret_key_file")?;
        let dialer = Dialer::new(&target, config.roots().context("root_certificate")?)?;
        // Nothing is taken from the environment. Without a key the builder would ask the network for one.
        let store = AmazonS3Builder::new()
            .with_endpoint(target.as_str().trim_end_matches('/'))
            .with_virtual_hosted_style_request(!config.path_style)
            .with_allow_http(target.scheme() == "http")
            .with_bucket_name(&config.bucket)
            .with_region(&config.region)
            .with_access_key_id(&config.access_key)
            .with_secret_access_key(secret.as_str())
            .with_conditional_put(S3ConditionalPut::ETagMatch)
            // We try again ourselves, with the newest list.
            .with_retry(RetryConfig { max_retries: 0, ..RetryConfig::default() })
            .with_http_connector(dialer)
            .build()?;
        Ok(Self::of(Arc::new(store), prefix, config.max_age))
    }

    fn of(store: Arc<dyn ObjectStore>, prefix: Path, max_age: Period) -> Self {
        // What front ends tell caches of a CRL.
        let cache_control = format!("public, max-age={}, no-transform, must-revalidate", max_age.seconds());
        Self { store, prefix, cache_control }
    }

    fn path(&self, head: &CrlHead) -> Path {
        parts(head).iter().fold(self.prefix.clone(), |path, part| path.join(part.as_str()))
    }

    /// Puts a list there, unless there is one that is as new.
    pub(super) async fn put(&self, head: &CrlHead, published: &dyn PkiRead) -> Result<()> {
        let path = self.path(head);
        let Some(mode) = self.how(&path, head).await.with_context(|| path.to_string())? else {
            return Ok(());
        };
        let (mut pieces, mut payload) = (Pieces::new(head, published), Vec::new());
        while let Some(piece) = pieces.next().await? {
            payload.push(Bytes::from(piece));
        }
        let attributes = Attributes::from_iter([
            (Attribute::ContentType, PKIX_CRL.to_owned()),
            (Attribute::CacheControl, self.cache_control.clone()),
            (NUMBER, head.id.number.to_string()),
        ]);
        let options = PutOptions { mode, attributes, ..PutOptions::default() };
        let put = self.store.put_opts(&path, PutPayload::from_iter(payload), options).await;
        put.map(drop).map_err(said).with_context(|| path.to_string())
    }

    /// How to put a list there: as a new object, or in the place of what is there; not at all if that is as new.
    async fn how(&self, path: &Path, head: &CrlHead) -> Result<Option<PutMode>> {
        let options = GetOptions { head: true, ..GetOptions::default() };
        let there = match self.store.get_opts(path, options).await {
            Ok(there) => there,
            Err(Error::NotFound { .. }) => return Ok(Some(PutMode::Create)),
            Err(error) => return Err(said(error)),
        };
        // What somebody else has put there has no number, and is replaced.
        let number = there.attributes.get(&NUMBER).and_then(|number| number.as_ref().parse::<u64>().ok());
        let is_as_new = number.is_some_and(|number| number >= head.id.number);
        let version = UpdateVersion { e_tag: there.meta.e_tag, version: there.meta.version };
        Ok((!is_as_new).then_some(PutMode::Update(version)))
    }
}

/// An error without its causes, which it repeats.
fn said(error: Error) -> anyhow::Error {
    match error {
        Error::Precondition { .. } | Error::AlreadyExists { .. } => {
            anyhow!("somebody else has put another CRL there meanwhile")
        }
        error => anyhow!("{error}"),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use cairn_core::CrlKind;
    use cairn_core::crl::CRL_CHUNK;
    use object_store::ObjectStoreExt;
    use object_store::memory::InMemory;

    use super::super::fake::{Storage, list};
    use super::*;

    fn bucket(store: &Arc<InMemory>) -> Bucket {
        let store: Arc<dyn ObjectStore> = store.clone();
        Bucket::of(store, Path::from("pki"), Period::from_secs(300))
    }

    async fn lies(store: &InMemory, path: &str) -> (Vec<u8>, Attributes) {
        let found = store.get(&Path::from(path)).await.unwrap();
        let attributes = found.attributes.clone();
        (found.bytes().await.unwrap().to_vec(), attributes)
    }

    #[tokio::test]
    async fn an_object_lies_where_its_url_says_and_is_replaced_by_newer_ones_alone() {
        let (store, storage) = (Arc::new(InMemory::new()), Storage::default());
        let (bucket, long) = (bucket(&store), vec![7; CRL_CHUNK + 5]);
        let path = format!("pki/crls/{}/3.crl", "ab".repeat(20));
        // Somebody's, of no number.
        store.put(&Path::from(path.as_str()), PutPayload::from_static(b"old")).await.unwrap();
        let one = list(&storage, CrlKind::Complete, 1, &long);
        let two = list(&storage, CrlKind::Complete, 2, b"two");
        bucket.put(&one, &storage).await.unwrap();
        let (octets, attributes) = lies(&store, &path).await;
        assert!(octets == long);
        let expected = [
            (Attribute::ContentType, "application/pkix-crl"),
            (Attribute::CacheControl, "public, max-age=300, no-transform, must-revalidate"),
            (NUMBER, "1"),
        ];
        for (attribute, value) in expected {
            assert_eq!(attributes.get(&attribute).unwrap().as_ref(), value);
        }
        for head in [&two, &one] {
            bucket.put(head, &storage).await.unwrap();
            assert_eq!(lies(&store, &path).await.0, b"two");
        }
        let delta = list(&storage, CrlKind::Delta, 2, b"delta");
        bucket.put(&delta, &storage).await.unwrap();
        assert_eq!(lies(&store, &path.replace("3.crl", "3-delta.crl")).await.0, b"delta");
        // One that is not whole leaves what was there.
        let mut three = list(&storage, CrlKind::Complete, 3, b"three");
        three.length += 1;
        assert!(bucket.put(&three, &storage).await.is_err());
        assert_eq!(lies(&store, &path).await.0, b"two");
    }

    #[tokio::test]
    async fn who_was_overtaken_leaves_what_is_newer() {
        let (store, storage) = (Arc::new(InMemory::new()), Storage::default());
        let (bucket, path) = (bucket(&store), Path::from(format!("pki/crls/{}/3.crl", "ab".repeat(20))));
        let head = list(&storage, CrlKind::Complete, 2, b"two");
        for before in [None, Some(b"one")] {
            if let Some(before) = before {
                store.put(&path, PutPayload::from_static(before)).await.unwrap();
            }
            let mode = bucket.how(&path, &head).await.unwrap().unwrap();
            store.put(&path, PutPayload::from_static(b"three")).await.unwrap();
            let options = PutOptions { mode, ..PutOptions::default() };
            let overtaken = store.put_opts(&path, PutPayload::from_static(b"two"), options).await;
            assert!(said(overtaken.unwrap_err()).to_string().contains("meanwhile"));
            assert_eq!(lies(&store, path.as_ref()).await.0, b"three");
        }
    }

    const SETTINGS: &str = "endpoint = \"https://s3.example.com\"\nbucket = \"pki\"\naccess_key = \"AKIA\"\n\
                            secret_key_file = \"secret\"\n";

    fn opened(folder: &FilePath, settings: &str) -> Result<Bucket> {
        let mut config: Config = toml::from_str(settings)?;
        config.anchor(folder);
        Bucket::open(&config)
    }

    #[test]
    fn settings_are_judged_before_anything_is_sent() {
        let folder = tempfile::tempdir().unwrap();
        let secret = folder.path().join("secret");
        let judge = |settings: &str| format!("{:#}", opened(folder.path(), settings).unwrap_err());
        assert!(judge(SETTINGS).contains("cannot read"));
        std::fs::write(&secret, "wJalrXUtnFEMI\n").unwrap();
        std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(judge(SETTINGS).contains("chmod 600"));
        std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o600)).unwrap();
        let bucket = opened(folder.path(), SETTINGS).unwrap();
        assert!(!format!("{bucket:?}").contains("wJalr"));
        let with = |old: &str, new: &str| judge(&SETTINGS.replace(old, new));
        for (old, new, said) in [
            ("https://s3", "http://s3", "on this machine alone"),
            ("https://s3", "https://user:secret@s3", "nothing else"),
            (".example.com", ".example.com?x", "nothing else"),
            ("https://", "", "is no URL"),
            ("\"pki\"", "\"a/b\"", "no name of a bucket"),
            ("\"pki\"", "\"\"", "no name of a bucket"),
            ("\"AKIA\"", "\"\"", "no id of an access key"),
            ("bucket", "prefix", "missing field `bucket`"),
        ] {
            assert!(with(old, new).contains(said), "{new}: {}", with(old, new));
        }
        for (more, said) in [
            ("max_age = \"6d\"", "max_age"),
            ("region = \"\"", "region"),
            ("prefix = \"a//b\"", "prefix"),
            ("root_certificate = \"secret\"", "there is no certificate"),
            ("secret_key = \"x\"", "unknown field"),
            ("path_style = false\n#", "never"),
        ] {
            let settings = format!("{SETTINGS}{more}");
            match opened(folder.path(), &settings) {
                Ok(_) => assert_eq!(said, "never", "{more}"),
                Err(error) => assert!(format!("{error:#}").contains(said), "{more}: {error:#}"),
            }
        }
        assert!(
            opened(folder.path(), &SETTINGS.replace("https://s3.example.com", "http://127.0.0.1:9")).is_ok()
        );
    }

    #[test]
    fn the_bucket_stands_in_the_path_or_before_the_host() {
        let target = |settings: &str| {
            let config: Config = toml::from_str(&format!("{SETTINGS}{settings}")).unwrap();
            config.target().unwrap().to_string()
        };
        assert_eq!(target(""), "https://s3.example.com/");
        assert_eq!(target("path_style = false"), "https://pki.s3.example.com/");
    }
}
