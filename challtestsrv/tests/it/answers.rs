//! What a real resolver, with its cache and its random case, makes of the fake world.

use std::net::{Ipv4Addr, Ipv6Addr};

use challtestsrv::{CaaPolicy, DnsServer, Zone};
use hickory_proto::{
    op::ResponseCode,
    rr::{RData, RecordType},
};
use hickory_resolver::{
    TokioResolver,
    config::ConnectionConfig,
    net::{DnsError, NetError},
};

use crate::world::{World, addresses, lookup, texts};

async fn assert_fails(resolver: &TokioResolver, name: &str, wanted: RecordType) {
    let result = resolver.lookup(name, wanted).await;
    assert!(
        matches!(result, Err(NetError::Dns(DnsError::ResponseCode(ResponseCode::ServFail)))),
        "{name} {wanted}: {result:?}"
    );
}

#[tokio::test]
async fn every_name_has_the_default_address_and_nothing_else() {
    let world = World::new().await;
    let resolver = world.resolver();
    for name in ["example.test.", "a.b.c.example.org.", "xn--nxasmq6b.test."] {
        assert_eq!(addresses(&resolver, name, RecordType::A).await, ["127.0.0.1"]);
        for wanted in [
            RecordType::AAAA,
            RecordType::TXT,
            RecordType::CAA,
            RecordType::CNAME,
            RecordType::MX,
            RecordType::NS,
            RecordType::SOA,
        ] {
            assert_eq!(lookup(&resolver, name, wanted).await, [], "{name} {wanted}");
        }
    }
}

#[tokio::test]
async fn defaults_can_be_changed_and_taken_away() {
    let world = World::new().await;
    let resolver = world.resolver();
    world.zone.set_default_ipv4(Some(Ipv4Addr::new(192, 0, 2, 1)));
    world.zone.set_default_ipv6(Some(Ipv6Addr::LOCALHOST));
    assert_eq!(addresses(&resolver, "a.test.", RecordType::A).await, ["192.0.2.1"]);
    assert_eq!(addresses(&resolver, "a.test.", RecordType::AAAA).await, ["::1"]);

    world.zone.set_default_ipv4(None);
    world.zone.set_default_ipv6(None);
    assert!(addresses(&resolver, "a.test.", RecordType::A).await.is_empty());
    assert!(addresses(&resolver, "a.test.", RecordType::AAAA).await.is_empty());
}

#[tokio::test]
async fn a_hosts_own_addresses_replace_the_default_of_their_type_only() {
    let world = World::new().await;
    let resolver = world.resolver();
    world.zone.add_aaaa("six.test", &[Ipv6Addr::LOCALHOST]).unwrap();
    assert_eq!(addresses(&resolver, "six.test.", RecordType::AAAA).await, ["::1"]);
    assert_eq!(addresses(&resolver, "six.test.", RecordType::A).await, ["127.0.0.1"]);

    world.zone.add_a("six.test", &[Ipv4Addr::new(192, 0, 2, 1)]).unwrap();
    world.zone.add_a("SIX.test.", &[Ipv4Addr::new(192, 0, 2, 2)]).unwrap();
    let mut both = addresses(&resolver, "six.test.", RecordType::A).await;
    both.sort();
    assert_eq!(both, ["192.0.2.1", "192.0.2.2"]);
    assert_eq!(addresses(&resolver, "other.test.", RecordType::A).await, ["127.0.0.1"]);
}

#[tokio::test]
async fn cleared_addresses_give_way_to_the_default() {
    let world = World::new().await;
    let resolver = world.resolver();
    for take_back in [|zone: &Zone| zone.clear_a("a.test."), |zone: &Zone| zone.add_a("a.test", &[]).unwrap()]
    {
        world.zone.add_a("a.test", &[Ipv4Addr::new(192, 0, 2, 1)]).unwrap();
        assert_eq!(addresses(&resolver, "a.test.", RecordType::A).await, ["192.0.2.1"]);
        take_back(&world.zone);
        assert_eq!(addresses(&resolver, "a.test.", RecordType::A).await, ["127.0.0.1"]);
    }
    for take_back in
        [|zone: &Zone| zone.clear_aaaa("a.test."), |zone: &Zone| zone.add_aaaa("a.test", &[]).unwrap()]
    {
        world.zone.add_aaaa("a.test", &[Ipv6Addr::LOCALHOST]).unwrap();
        assert_eq!(addresses(&resolver, "a.test.", RecordType::AAAA).await, ["::1"]);
        take_back(&world.zone);
        assert!(addresses(&resolver, "a.test.", RecordType::AAAA).await.is_empty());
    }
}

#[tokio::test]
async fn txt_values_add_up_until_cleared_and_no_cache_keeps_them() {
    let world = World::new().await;
    let resolver = world.resolver();
    let name = "_acme-challenge.example.test.";
    assert!(texts(&resolver, name).await.is_empty());
    world.zone.add_txt(name, "first").unwrap();
    assert_eq!(texts(&resolver, name).await, ["first"]);
    world.zone.add_txt("_acme-challenge.EXAMPLE.test", "second").unwrap();
    assert_eq!(texts(&resolver, name).await, ["first", "second"]);
    world.zone.clear_txt(name);
    assert!(texts(&resolver, name).await.is_empty());
}

#[tokio::test]
async fn a_txt_value_of_any_length_arrives_whole() {
    let world = World::new().await;
    let resolver = world.resolver();
    for length in [0, 1, 255, 256, 700, challtestsrv::MAX_VALUE_BYTES] {
        let value = "v".repeat(length);
        world.zone.add_txt("long.test", &value).unwrap();
        assert_eq!(texts(&resolver, "long.test.").await, [value]);
        world.zone.clear_txt("long.test");
    }
}

#[tokio::test]
async fn more_values_than_a_udp_message_holds_arrive_over_tcp() {
    let world = World::new().await;
    let values: Vec<String> = (0..30).map(|number| format!("{number:0>200}")).collect();
    for value in &values {
        world.zone.add_txt("many.test", value).unwrap();
    }
    assert_eq!(texts(&world.resolver(), "many.test.").await, values);
    assert_eq!(texts(&world.resolver_over(vec![ConnectionConfig::tcp()]), "many.test.").await, values);
}

#[tokio::test]
async fn caa_records_arrive_as_they_were_set() {
    let world = World::new().await;
    let resolver = world.resolver();
    let policy = |tag: &str, value: &str| CaaPolicy { tag: tag.to_owned(), value: value.to_owned() };
    let policies = [policy("issue", "ca.test; validationmethods=dns-01"), policy("issuewild", ";")];
    world.zone.add_caa("example.test", &policies).unwrap();
    world.zone.add_caa("example.test", &[policy("Unknown1", "%% not = well ; formed")]).unwrap();

    let records = lookup(&resolver, "example.test.", RecordType::CAA).await;
    let found = records.iter().map(|data| match data {
        RData::CAA(caa) => {
            (caa.issuer_critical, caa.tag.as_str(), String::from_utf8(caa.value.clone()).unwrap())
        }
        other => panic!("{other:?} is no CAA record"),
    });
    assert_eq!(
        found.collect::<Vec<_>>(),
        [
            (false, "issue", "ca.test; validationmethods=dns-01".to_owned()),
            (false, "issuewild", ";".to_owned()),
            (false, "Unknown1", "%% not = well ; formed".to_owned()),
        ]
    );
    // RFC 8659 §3: a validator climbs from here to the parent, so a child must have none.
    assert!(lookup(&resolver, "www.example.test.", RecordType::CAA).await.is_empty());

    world.zone.clear_caa("example.test");
    assert!(lookup(&resolver, "example.test.", RecordType::CAA).await.is_empty());
}

#[tokio::test]
async fn aliases_are_followed_to_the_end() {
    let world = World::new().await;
    let resolver = world.resolver();
    world.zone.set_cname("_acme-challenge.a.test", "hop.test").unwrap();
    world.zone.set_cname("hop.test", "_acme-challenge.elsewhere.test.").unwrap();
    world.zone.add_txt("_acme-challenge.elsewhere.test", "value").unwrap();
    world.zone.add_txt("hop.test", "hidden by the alias").unwrap();

    assert_eq!(texts(&resolver, "_acme-challenge.a.test.").await, ["value"]);
    assert_eq!(addresses(&resolver, "_acme-challenge.a.test.", RecordType::A).await, ["127.0.0.1"]);
    assert!(lookup(&resolver, "_acme-challenge.a.test.", RecordType::CAA).await.is_empty());
    let alias = lookup(&resolver, "_acme-challenge.a.test.", RecordType::CNAME).await;
    assert_eq!(alias.iter().map(ToString::to_string).collect::<Vec<_>>(), ["hop.test."]);

    world.zone.clear_cname("hop.test");
    assert_eq!(texts(&resolver, "_acme-challenge.a.test.").await, ["hidden by the alias"]);
}

#[tokio::test]
async fn aliases_that_lead_nowhere_fail() {
    let world = World::new().await;
    let resolver = world.resolver();
    world.zone.set_cname("self.test", "self.test").unwrap();
    world.zone.set_cname("a.test", "b.test").unwrap();
    world.zone.set_cname("b.test", "a.test").unwrap();
    world.zone.set_cname("broken.test", "dead.test").unwrap();
    world.zone.set_servfail("dead.test").unwrap();
    for name in ["self.test.", "a.test.", "broken.test."] {
        assert_fails(&resolver, name, RecordType::A).await;
    }
}

#[tokio::test]
async fn a_chain_of_sixteen_aliases_is_followed_and_one_more_is_not() {
    let world = World::new().await;
    let resolver = world.resolver();
    for hop in 0..17 {
        world.zone.set_cname(&format!("{hop}.test"), &format!("{}.test", hop + 1)).unwrap();
    }
    assert_eq!(addresses(&resolver, "1.test.", RecordType::A).await, ["127.0.0.1"]);
    assert_fails(&resolver, "0.test.", RecordType::A).await;
}

#[tokio::test]
async fn servfail_hides_whatever_the_host_has() {
    let world = World::new().await;
    let resolver = world.resolver();
    world.zone.add_txt("a.test", "value").unwrap();
    world.zone.set_servfail("a.test").unwrap();
    for wanted in [RecordType::A, RecordType::TXT, RecordType::CAA] {
        assert_fails(&resolver, "a.test.", wanted).await;
    }
    assert_eq!(addresses(&resolver, "b.test.", RecordType::A).await, ["127.0.0.1"]);

    world.zone.clear_servfail("A.test.");
    assert_eq!(texts(&resolver, "a.test.").await, ["value"]);
}

#[tokio::test]
async fn after_shutdown_the_port_is_free_again() {
    // Somebody else on this machine may be quicker to take a port that is free, but not time after time.
    for _ in 0..5 {
        let world = World::new().await;
        let resolver = world.resolver_over(vec![ConnectionConfig::tcp()]);
        // An open TCP connection must not keep the server.
        assert_eq!(addresses(&resolver, "a.test.", RecordType::A).await, ["127.0.0.1"]);
        let address = world.end().await;
        if DnsServer::bind(address, Zone::new()).await.is_ok() {
            return;
        }
    }
    panic!("a server that was shut down keeps its port");
}

#[tokio::test]
async fn a_port_in_use_is_an_error() {
    let world = World::new().await;
    let error = DnsServer::bind(world.dns, Zone::new()).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
}
