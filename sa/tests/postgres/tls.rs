//! Connections over the network are protected.

use cairn_core::api::StorageRead;
use cairn_sa::config::Tls;
use cairn_sa::{Config, Credentials, OpenError, PostgresStorage};
use cairn_test_env::postgres::{PASSWORD, Server};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::time::timeout;

use crate::database::{PATIENCE, config};

fn root(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// Has the server, in its own folder and as its own user, write a file that nobody else can read.
fn write(server: &Server, file: &str, text: &str) {
    let lines = format!("SELECT unnest(string_to_array('{}', '|'))", text.trim_end().replace('\n', "|"));
    server.sql("postgres", &format!("COPY ({lines}) TO PROGRAM 'umask 077; cat > {file}'")).unwrap();
}

fn credentials(root: Option<&str>) -> Credentials {
    Credentials { password: Some(PASSWORD.to_owned().into()), root_certificate: root.map(ToOwned::to_owned) }
}

async fn attempt(config: &Config, root: Option<&str>) -> Result<(), OpenError> {
    let storage = PostgresStorage::open(config, &credentials(root)).await?;
    storage.ping().await.unwrap();
    storage.close().await;
    Ok(())
}

#[tokio::test]
async fn the_servers_certificate_must_be_for_its_name_and_from_a_known_root() {
    let server = Server::start(&["max_connections=50"]).unwrap();
    server.create_database("cairn").unwrap();
    let mut config = config(&server, "cairn");
    config.postgres.host = "localhost".to_owned();
    config.postgres.tls = Tls::VerifyFull;
    let (ours, another) = (root("Ours"), root("Another"));
    let (ours_pem, another_pem) = (ours.pem(), another.pem());

    // Without TLS at the other end.
    for tls in [Tls::VerifyFull, Tls::Require] {
        config.postgres.tls = tls;
        assert!(matches!(attempt(&config, Some(&ours_pem)).await, Err(OpenError::Unreachable { .. })));
    }

    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &ours).unwrap();
    write(&server, "server.crt", &certificate.pem());
    write(&server, "server.key", &key.serialize_pem());
    server.sql("postgres", "ALTER SYSTEM SET ssl = on").unwrap();
    server.sql("postgres", "SELECT pg_reload_conf()").unwrap();
    config.postgres.tls = Tls::Require;
    let served = async {
        while attempt(&config, None).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, served).await.expect("the server does not take its certificate");

    config.postgres.tls = Tls::VerifyFull;
    attempt(&config, Some(&ours_pem)).await.unwrap();
    for wrong in [None, Some(another_pem.as_str())] {
        assert!(matches!(attempt(&config, wrong).await, Err(OpenError::Unreachable { .. })));
    }
    config.postgres.host = "127.0.0.1".to_owned();
    let other_name = attempt(&config, Some(&ours_pem)).await;
    assert!(
        matches!(other_name, Err(OpenError::Unreachable { .. })),
        "the certificate is for localhost alone"
    );
}
