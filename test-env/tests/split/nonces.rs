//! Nonces of several front ends, RFC 8555 §6.5: each is good once, at whichever.

use std::fs;
use std::sync::Arc;

use cairn_jose::{Algorithm, sign::SigningKey};
use cairn_test_env::acme::{Client, Endpoint, JOSE, Response};
use cairn_test_env::split::Split;
use http::Method;
use serde_json::Value;
use tokio::task::block_in_place;

use crate::world::two_of_each;

/// How many nonces are tried.
const NONCES: usize = 20;

#[tokio::test(flavor = "multi_thread")]
async fn a_nonce_of_one_front_end_is_good_at_another_once_and_then_nowhere() {
    let split = block_in_place(|| Split::start(&two_of_each())).unwrap();
    let roots = fs::read_to_string(split.root_file()).unwrap();
    let mut clients = Vec::new();
    for front in split.fronts() {
        let url = format!("https://localhost:{}/dir", front.port());
        let endpoint = Arc::new(Endpoint::new(&url, &roots).unwrap());
        clients.push(Client::connect(endpoint, &split.directory()).await.unwrap());
    }
    let [here, there] = &mut clients[..] else { panic!("there are two front ends") };
    let account = here.new_account(SigningKey::generate(Algorithm::Es256).unwrap()).await.unwrap();
    for number in 0..NONCES {
        let header = here.header((&account).into(), &account.url).await.unwrap();
        let body = account.key.jws(&header, b"").unwrap();
        let (first, second) = match number % 2 {
            0 => (send(there, &account.url, &body).await, send(here, &account.url, &body).await),
            _ => tokio::join!(send(there, &account.url, &body), send(here, &account.url, &body)),
        };
        let mut answers = [outcome(&first), outcome(&second)];
        if number % 2 == 0 {
            assert_eq!(answers[0], "valid", "a nonce of the other one is good");
        }
        answers.sort_unstable();
        assert_eq!(answers, ["badNonce", "valid"], "number {number}");
        assert_eq!(outcome(&send(there, &account.url, &body).await), "badNonce");
    }
    drop(clients);
    block_in_place(|| split.stop()).unwrap();
}

async fn send(client: &mut Client, url: &str, body: &str) -> Response {
    client.send(Method::POST, url, Some(JOSE), body.to_owned()).await.unwrap()
}

/// The account's status, or the name of the problem.
fn outcome(response: &Response) -> String {
    let object: Value = response.json().unwrap();
    let said = if response.status == 200 { &object["status"] } else { &object["type"] };
    said.as_str().unwrap_or_default().rsplit(':').next().unwrap_or_default().to_owned()
}
