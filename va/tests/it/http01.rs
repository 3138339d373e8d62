//! http-01 without redirects, RFC 8555 §8.3.

use std::net::{IpAddr, Ipv6Addr};

use cairn_core::{ChallengeType, ProblemType, ValidationRecord};

use crate::world::{LOOPBACK, NAME, World, assert_valid, ip, key_authorization, ok, path, problem, right};

#[tokio::test]
async fn the_right_answer_makes_the_challenge_valid() {
    let mut world = World::new().await;
    let requests = world.serve_http(|_| right());
    let result = world.http01(NAME).await;
    assert_valid(&result);

    let port = world.config.http_port;
    let record = ValidationRecord {
        url: Some(format!("http://{NAME}:{port}{}", path())),
        hostname: NAME.to_owned(),
        port: Some(port),
        addresses_resolved: vec![LOOPBACK],
        address_used: Some(LOOPBACK),
        ..ValidationRecord::default()
    };
    assert_eq!(result.records, [record]);

    let [request] = requests.all().try_into().unwrap();
    let lines: Vec<_> = request.lines().map(str::to_ascii_lowercase).collect();
    assert_eq!(request.lines().next().unwrap(), format!("GET {} HTTP/1.1", path()));
    assert!(lines.contains(&format!("host: {NAME}:{port}")), "{request}");
    assert!(lines.contains(&"accept: */*".to_owned()), "{request}");
    assert!(lines.contains(&"connection: close".to_owned()), "{request}");
    assert!(lines.iter().any(|line| line.starts_with("user-agent: cairn-va/")), "{request}");
}

#[tokio::test]
async fn ip_identifiers_need_no_dns_and_stand_in_the_host_header() {
    for (address, host) in [(LOOPBACK, "127.0.0.1"), (IpAddr::V6(Ipv6Addr::LOCALHOST), "[::1]")] {
        let mut world = World::on(address).await;
        let requests = world.serve_http(|_| right());
        // Nobody answers there.
        world.config.resolvers = vec!["127.0.0.1:9".parse().unwrap()];
        let result = world.validate(ChallengeType::Http01, &ip(address)).await;
        assert_valid(&result);
        assert_eq!(result.records[0].addresses_resolved, [address]);
        let [request] = requests.all().try_into().unwrap();
        let host = format!("host: {host}:{}", world.config.http_port);
        assert!(request.to_ascii_lowercase().contains(&host), "{request}");
    }
}

#[tokio::test]
async fn trailing_whitespace_is_ignored_but_nothing_else() {
    let key_authorization = key_authorization();
    let right = key_authorization.as_str();
    for (body, valid) in [
        (format!("{right}\r\n"), true),
        (format!("{right} \t\n\n"), true),
        (format!(" {right}"), false),
        (format!("{right}x"), false),
        (right.to_ascii_lowercase(), false),
        (right[..right.len() - 1].to_owned(), false),
        (String::new(), false),
    ] {
        let mut world = World::new().await;
        let answer = ok(&body);
        world.serve_http(move |_| answer.clone());
        let result = world.http01(NAME).await;
        assert_eq!(result.problem.is_none(), valid, "{body:?}: {result:?}");
    }
}

#[tokio::test]
async fn chunked_answers_are_read() {
    let mut world = World::new().await;
    world.serve_http(|_| {
        let key_authorization = key_authorization();
        let (a, b) = key_authorization.as_str().split_at(10);
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        format!("{head}{:x}\r\n{a}\r\n{:x}\r\n{b}\r\n0\r\n\r\n", a.len(), b.len())
    });
    assert_valid(&world.http01(NAME).await);
}

#[tokio::test]
async fn a_wrong_answer_is_unauthorized_and_not_repeated() {
    let mut world = World::new().await;
    world.serve_http(|_| ok("secret of an internal page"));
    let result = world.http01(NAME).await;
    let url = format!("http://{NAME}:{}{}", world.config.http_port, path());
    let problem = problem(&result, &[&url, "127.0.0.1", key_authorization().as_str(), "26 other bytes"]);
    assert_eq!(problem.kind, ProblemType::Unauthorized);
    assert!(!problem.detail.contains("secret"), "{}", problem.detail);
}

#[tokio::test]
async fn a_long_answer_is_not_read_to_its_end() {
    let mut world = World::new().await;
    // Announces more than there will ever be: whoever wants it all waits in vain.
    world.serve_http(|_| {
        let rest = "x".repeat(4000);
        format!("HTTP/1.1 200 OK\r\nContent-Length: 9999999999\r\n\r\n{}{rest}", key_authorization().as_str())
    });
    let result = world.http01(NAME).await;
    assert_eq!(problem(&result, &["much longer"]).kind, ProblemType::Unauthorized);
}

#[tokio::test]
async fn an_endless_head_is_not_read_to_its_end() {
    let mut world = World::new().await;
    world.serve_http(|_| format!("HTTP/1.1 200 OK\r\nX: {}", "x".repeat(1_000_000)));
    let result = world.http01(NAME).await;
    assert_eq!(problem(&result, &["head of the answer is too long"]).kind, ProblemType::IncorrectResponse);
}

#[tokio::test]
async fn another_status_is_unauthorized() {
    for (status, words) in [(404, "no such file"), (500, "got 500"), (204, "got 204"), (300, "got 300")] {
        let mut world = World::new().await;
        world.serve_http(move |_| right().replace("200 OK", &format!("{status} Whatever")));
        let result = world.http01(NAME).await;
        assert_eq!(problem(&result, &[words]).kind, ProblemType::Unauthorized);
    }
}

#[tokio::test]
async fn what_is_not_http_is_an_incorrect_response() {
    let mut world = World::new().await;
    world.serve_http(|_| "SSH-2.0-OpenSSH_9.2\r\n".to_owned());
    let result = world.http01(NAME).await;
    assert_eq!(problem(&result, &["not HTTP"]).kind, ProblemType::IncorrectResponse);
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_a_connection_problem() {
    for part in ["", "HTTP/1.1 200 OK\r\nContent-Len", "HTTP/1.1 200 OK\r\nContent-Length: 87\r\n\r\nabc"] {
        let mut world = World::new().await;
        world.serve_http(move |_| part.to_owned());
        let result = world.http01(NAME).await;
        assert_eq!(problem(&result, &["before the answer was complete"]).kind, ProblemType::Connection);
    }
}

#[tokio::test]
async fn a_silent_server_does_not_hold_the_validation_for_ever() {
    let mut world = World::new().await;
    world.hurry();
    let listener = world.http.take().unwrap();
    world.hang(listener);
    let result = world.validate(ChallengeType::Http01, &ip(LOOPBACK)).await;
    assert_eq!(problem(&result, &["connected", "in time"]).kind, ProblemType::Connection);
    assert_eq!(result.records[0].address_used, Some(LOOPBACK));
}
