//! Which endpoint is called, and how often.

use super::world::*;

#[tokio::test]
async fn a_call_is_answered() {
    let (pki, _log) = (Pki::new(), Log::new());
    let (_serving, channel) = pki.pair(&Script::echo("you said ")).await;
    assert_eq!(say(&channel, "Read", "hello").await.unwrap(), "you said hello");
}
