//! An issuer that is put to use while everything runs: front ends in other processes, which nobody tells of it, give its chain.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cairn_jose::{Algorithm, sign::SigningKey};
use cairn_test_env::acme::{CertificateRequest, Client, Endpoint, Identifier, certify};
use cairn_test_env::challenges::{Http01, Responder};
use cairn_test_env::split::{Layout, Role, Split};
use cairn_test_env::wait;
use cairn_x509::{
    CaProfile, Certificate, FileSigner, IntermediateInputs, KeySpec, Name, RootInputs, Signer, Urls,
    Validity, intermediate, root,
};
use tokio::task::block_in_place;

/// Far longer than it takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// Makes an RSA intermediate below a root of its own, and has both appear in the folder: intermediate and root.
fn install(hierarchy: &Path, validity: Validity) -> (Certificate, Certificate) {
    let (root_key, key) =
        (FileSigner::generate(KeySpec::P256).unwrap(), FileSigner::generate(KeySpec::Rsa2048).unwrap());
    let inputs = RootInputs {
        serial: &[1; 16],
        validity,
        public_key: root_key.public_key(),
        subject: &Name::new("New Root", None).unwrap(),
        digital_signature: false,
    };
    let root = root(root_key.algorithm(), inputs).unwrap().sign(&root_key).unwrap();
    let inputs = IntermediateInputs {
        serial: &[2; 16],
        validity,
        public_key: key.public_key(),
        subject: &Name::new("New Intermediate", None).unwrap(),
        urls: Urls::default(),
    };
    let tbs = intermediate(&CaProfile::for_tls(), &root, root_key.algorithm(), inputs).unwrap();
    let intermediate = tbs.sign(&root_key).unwrap();
    let write = |name: &str, text: &str| {
        let path = hierarchy.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    };
    write("certificates/new-root.pem", &root.to_pem());
    write("issuers/.new/certificate.pem", &intermediate.to_pem());
    write("issuers/.new/key.pem", &key.to_pkcs8_pem(None).unwrap());
    write("issuers/.new/issuer.toml", "key = \"key.pem\"\n");
    fs::rename(hierarchy.join("issuers/.new"), hierarchy.join("issuers/new")).unwrap();
    (intermediate, root)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_front_end_gives_the_chain_of_an_issuer_that_it_was_never_told_of() {
    let mut split = block_in_place(|| Split::start(&Layout::split(1).with(Role::Wfe, 2))).unwrap();
    let roots = fs::read_to_string(split.root_file()).unwrap();
    let configured = fs::read_to_string(split.root_file().with_file_name("intermediate.pem")).unwrap();
    let validity = Certificate::from_pem(&configured).unwrap().validity();
    let (issuer, new_root) = install(&split.hierarchy(), validity);
    block_in_place(|| {
        let ca = split.of_role(Role::Ca).next().unwrap();
        wait::until("the certificate authority to use it", PATIENCE, || {
            Ok(ca.log()?.contains("an issuer was put to use").then_some(()))
        })
    })
    .unwrap();

    let http01 = Responder::Http01(Arc::new(Http01::start(split.http_port()).await.unwrap()));
    let endpoint = |url: &str| Arc::new(Endpoint::new(url, &roots).unwrap());
    let directory = split.directory();
    let mut client = Client::connect(endpoint(&directory), &directory).await.unwrap();
    let account = client.new_account(SigningKey::generate(Algorithm::Es256).unwrap()).await.unwrap();
    let identifiers = [Identifier::dns("rsa.test".to_owned())];
    let key = FileSigner::generate(KeySpec::Rsa2048).unwrap().to_pkcs8_pem(None).unwrap();
    let csr = CertificateRequest::with_key(&identifiers, &key).unwrap().der;
    let certified = certify(&mut client, &account, &http01, &identifiers, &csr).await.unwrap();
    for front in split.fronts() {
        let url = format!("https://localhost:{}/dir", front.port());
        let mut client = Client::connect(endpoint(&url), &directory).await.unwrap();
        let chain = client.certificate(&account, &certified.url).await.unwrap();
        let chain = String::from_utf8(chain.to_vec()).unwrap();
        let (leaf, rest) = chain.split_at(chain.find("-----END CERTIFICATE-----\n").unwrap() + 26);
        assert_eq!(rest, issuer.to_pem(), "at {url}");
        Certificate::from_pem(leaf).unwrap().verify_issued_by(&issuer).unwrap();
        issuer.verify_issued_by(&new_root).unwrap();
    }
    drop(client);
    block_in_place(|| split.stop()).unwrap();
}
