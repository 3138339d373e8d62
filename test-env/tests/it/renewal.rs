//! Renewal information and `replaces`, RFC 9773.

use cairn_core::Clock as _;
use cairn_core::time::SystemClock;
use cairn_jose::base64url;
use cairn_test_env::acme::{Account, Client, Identifier, Placed, Response, Step};
use cairn_x509::Certificate;
use http::Method;
use serde_json::{Value, json};

use crate::world::{World, assert_problem, assert_refused, certificates, dns};

/// The certificate's id, made of it as a client makes it.
pub(crate) fn id(leaf: &Certificate) -> String {
    let issuer = base64url::encode(leaf.authority_key_identifier().unwrap());
    format!("{issuer}.{}", base64url::encode(leaf.serial()))
}

pub(crate) async fn asked(client: &mut Client, id: &str) -> Response {
    let url = format!("{}/{id}", client.directory.renewal_info.as_ref().unwrap());
    let response = client.send(Method::GET, &url, None, "").await.unwrap();
    assert_eq!(response.header("retry-after"), "21600", "on every answer");
    response
}

/// Whether the suggested window has ended: the certificate is to be renewed at once.
pub(crate) async fn is_to_renew(client: &mut Client, leaf: &Certificate) -> bool {
    let info: Value = asked(client, &id(leaf)).await.json().unwrap();
    let (start, end) = (&info["suggestedWindow"]["start"], &info["suggestedWindow"]["end"]);
    let (start, end) = (start.as_str().unwrap(), end.as_str().unwrap());
    assert!(start < end, "{info}");
    // Both are RFC 3339 in UTC, and sort as text.
    end < SystemClock.now().to_string().as_str()
}

async fn replacing(
    client: &mut Client,
    account: &Account,
    identifiers: &[Identifier],
    replaced: &str,
) -> Result<Placed, cairn_test_env::acme::Error> {
    let url = client.directory.new_order.clone();
    let payload = json!({ "identifiers": identifiers, "replaces": replaced });
    let response = client.post(Step::NewOrder, account.into(), &url, &payload).await?;
    let object: Value = response.json().unwrap();
    assert_eq!(object["replaces"], replaced);
    Ok(Placed { url: response.header("location").to_owned(), order: response.json().unwrap() })
}

#[tokio::test]
async fn whoever_has_a_certificate_is_told_when_to_renew_it() {
    let world = World::new().await;
    let (mut client, account) = world.member().await;
    let (certified, _) = world.certificate(&mut client, &account, &dns(["ari.test"])).await;
    let leaf = &certificates(&certified.chain)[0];
    // A client without an account asks.
    let mut stranger = world.client().await;
    let info: Value = asked(&mut stranger, &id(leaf)).await.json().unwrap();
    let validity = leaf.validity();
    let date = |unix| cairn_core::Timestamp::from_unix(unix).to_string();
    let (start, end) = (&info["suggestedWindow"]["start"], &info["suggestedWindow"]["end"]);
    assert!(date(validity.not_before).as_str() < start.as_str().unwrap(), "{info}");
    assert!(
        start.as_str() < end.as_str() && end.as_str().unwrap() < date(validity.not_after).as_str(),
        "{info}"
    );
    assert_eq!(asked(&mut client, &id(leaf)).await.json::<Value>().unwrap(), info, "whoever asks");

    client.revoke((&account).into(), leaf.der(), None).await.unwrap();
    assert!(is_to_renew(&mut stranger, leaf).await);

    let known = id(leaf);
    let (issuer, serial) = known.split_once('.').unwrap();
    for malformed in [issuer, "x.y", &format!("{known}="), &format!("{known}.")] {
        assert_problem(&asked(&mut client, malformed).await, 400, "malformed");
    }
    for unknown in [format!("{issuer}.AQID"), format!("AQID.{serial}")] {
        assert_problem(&asked(&mut client, &unknown).await, 404, "malformed");
    }
    world.end().await;
}

#[tokio::test]
async fn a_certificate_is_replaced_once_unless_that_fails() {
    let world = World::new().await;
    let (mut client, account) = world.member().await;
    let names = dns(["old.test", "both.test"]);
    let (certified, _) = world.certificate(&mut client, &account, &names).await;
    let replaced = id(&certificates(&certified.chain)[0]);

    let (mut other, stranger) = world.member().await;
    let theirs = replacing(&mut other, &stranger, &names, &replaced).await;
    assert_refused(theirs, 403, "unauthorized");
    let unlike = replacing(&mut client, &account, &dns(["new.test"]), &replaced).await;
    assert_refused(unlike, 400, "malformed");
    assert_refused(replacing(&mut client, &account, &names, "x").await, 400, "malformed");

    // The order becomes invalid, and gives the certificate back.
    let placed = replacing(&mut client, &account, &dns(["both.test", "gone.test"]), &replaced).await.unwrap();
    let taken = replacing(&mut client, &account, &names, &replaced).await;
    assert_refused(taken, 409, "alreadyReplaced");
    for url in &placed.order.authorizations {
        let deactivated = json!({ "status": "deactivated" });
        client.post(Step::Other, (&account).into(), url, &deactivated).await.unwrap();
    }
    let renewal = replacing(&mut client, &account, &dns(["old.test", "more.test"]), &replaced).await.unwrap();
    let read = client.post_as_get(Step::Order, &account, &renewal.url).await.unwrap();
    assert_eq!(read.json::<Value>().unwrap()["replaces"], replaced);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_renewals_that_race_one_is_placed() {
    let world = World::new().await;
    let (mut client, account) = world.member().await;
    let (certified, _) = world.certificate(&mut client, &account, &dns(["race.test"])).await;
    let replaced = id(&certificates(&certified.chain)[0]);
    let account = std::sync::Arc::new(account);
    let mut racers = tokio::task::JoinSet::new();
    for number in 0..6 {
        let (mut client, account, replaced) = (world.client().await, account.clone(), replaced.clone());
        racers.spawn(async move {
            let identifiers = [Identifier::dns("race.test"), Identifier::dns(&format!("n{number}.test"))];
            replacing(&mut client, &account, &identifiers, &replaced).await.map(|placed| placed.url)
        });
    }
    let outcomes = racers.join_all().await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1, "{outcomes:?}");
    for refused in outcomes.into_iter().filter(Result::is_err) {
        assert_refused(refused, 409, "alreadyReplaced");
    }
    world.end().await;
}
