//! Redirects of http-01: followed within bounds, and never out of them.

use cairn_core::ProblemType;

use crate::world::{LOOPBACK, NAME, World, assert_valid, path, problem, redirect, right};

/// Whether `request` asks for the challenge itself.
fn is_first(request: &str) -> bool {
    request.starts_with(&format!("GET {} ", path()))
}

#[tokio::test]
async fn every_kind_of_redirect_is_followed_and_recorded() {
    for status in [301, 302, 303, 307, 308] {
        let mut world = World::new().await;
        let requests =
            world.serve_http(
                move |request| if is_first(request) { redirect(status, "/x?a=b#c") } else { right() },
            );
        let result = world.http01(NAME).await;
        assert_valid(&result);
        let port = world.config.http_port;
        let urls: Vec<_> = result.records.iter().map(|record| record.url.clone().unwrap()).collect();
        assert_eq!(urls, [format!("http://{NAME}:{port}{}", path()), format!("http://{NAME}:{port}/x?a=b")]);
        assert!(requests.all()[1].starts_with("GET /x?a=b HTTP/1.1\r\n"), "{:?}", requests.all());
    }
}

#[tokio::test]
async fn a_redirect_to_another_host_is_resolved_anew() {
    let mut world = World::new().await;
    let requests =
        world.serve_http(|request| match request.to_ascii_lowercase().contains("host: other.test") {
            true => right(),
            false => redirect(302, "http://other.test/here"),
        });
    let result = world.http01(NAME).await;
    assert_valid(&result);
    assert_eq!(result.records[1].hostname, "other.test");
    assert_eq!(result.records[1].addresses_resolved, [LOOPBACK]);
    let host = format!("host: other.test:{}", world.config.http_port);
    assert!(requests.all()[1].to_ascii_lowercase().contains(&host));
}

#[tokio::test]
async fn https_is_followed_whatever_the_certificate() {
    let mut world = World::new().await;
    world.serve_http(|_| redirect(301, &format!("https://{NAME}/secure")));
    let requests = world.serve_https(|_| right());
    let result = world.http01(NAME).await;
    assert_valid(&result);
    let port = world.config.https_port;
    assert_eq!(result.records[1].url, Some(format!("https://{NAME}:{port}/secure")));
    assert_eq!(result.records[1].port, Some(port));
    assert!(requests.all()[0].starts_with("GET /secure HTTP/1.1\r\n"));
}

#[tokio::test]
async fn https_to_an_address_is_followed() {
    let mut world = World::new().await;
    world.serve_http(|_| redirect(301, "https://127.0.0.1/x"));
    world.serve_https(|_| right());
    let result = world.http01(NAME).await;
    assert_valid(&result);
    assert_eq!(result.records[1].hostname, "127.0.0.1");
}

#[tokio::test]
async fn a_server_that_speaks_no_tls_is_a_tls_problem() {
    let mut world = World::new().await;
    let https = world.config.https_port;
    world.serve_http(move |_| redirect(301, &format!("https://{NAME}:{https}/")));
    let listener = world.https.take().unwrap();
    world.spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            stream.writable().await.unwrap();
            stream.try_write(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
        }
    });
    let result = world.http01(NAME).await;
    assert_eq!(problem(&result, &["https://", "does not speak TLS"]).kind, ProblemType::Tls);
}

/// Answers `/n` with a redirect to `/n-1`, and `/0` with what is right.
fn countdown(request: &str, redirects: usize) -> String {
    let left = match request.split(' ').nth(1).unwrap().trim_start_matches('/').parse() {
        Ok(left) => left,
        Err(_) => redirects,
    };
    if left == 0 { right() } else { redirect(302, &format!("/{}", left - 1)) }
}

#[tokio::test]
async fn ten_redirects_are_followed() {
    let mut world = World::new().await;
    world.serve_http(|request| countdown(request, 10));
    let result = world.http01(NAME).await;
    assert_valid(&result);
    assert_eq!(result.records.len(), 11);
}

#[tokio::test]
async fn eleven_redirects_are_too_many() {
    let mut world = World::new().await;
    let requests = world.serve_http(|request| countdown(request, 11));
    let result = world.http01(NAME).await;
    assert_eq!(problem(&result, &["after 10 redirects"]).kind, ProblemType::IncorrectResponse);
    assert_eq!(requests.all().len(), 11);
}

#[tokio::test]
async fn a_loop_ends() {
    let mut world = World::new().await;
    world.serve_http(|_| redirect(302, &path()));
    let result = world.http01(NAME).await;
    assert_eq!(problem(&result, &["after 10 redirects"]).kind, ProblemType::IncorrectResponse);
}

#[tokio::test]
async fn redirects_out_of_bounds_are_not_followed() {
    for (location, words) in [
        ("http://other.test:8080/", "redirects to port 8080"),
        ("http://user:password@other.test/", "user name"),
        ("gopher://other.test/", "neither http nor https"),
        ("ftp://other.test/", "neither http nor https"),
        ("http://bad_name.test/", "neither a DNS name nor an IP address"),
        ("http://[::1/", "not a valid URL"),
    ] {
        let mut world = World::new().await;
        let requests = world.serve_http(move |_| redirect(302, location));
        let result = world.http01(NAME).await;
        let problem = problem(&result, &[words, "GET http://www.example.test", &path()]);
        assert_eq!(problem.kind, ProblemType::IncorrectResponse);
        assert_eq!(requests.all().len(), 1, "{location}");
        assert!(!problem.detail.contains("password@"), "{}", problem.detail);
    }
}

#[tokio::test]
async fn a_redirect_has_one_location_of_bounded_length() {
    let long = format!("/{}", "x".repeat(3000));
    for (answer, words) in [
        ("HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n".to_owned(), "no single Location"),
        (redirect(302, "/a\r\nLocation: /b"), "no single Location"),
        (redirect(302, &long), "more than 2048"),
    ] {
        let mut world = World::new().await;
        world.serve_http(move |_| answer.clone());
        let result = world.http01(NAME).await;
        assert_eq!(problem(&result, &[words]).kind, ProblemType::IncorrectResponse);
    }
}

#[tokio::test]
async fn a_redirect_cannot_lead_into_a_network_that_is_not_allowed() {
    let mut world = World::new().await;
    world.zone.add_a("inside.test", &["127.0.0.2".parse().unwrap()]).unwrap();
    world.config.allowed_networks = vec!["127.0.0.1/32".parse().unwrap()];
    for location in
        ["http://127.0.0.2/", "http://inside.test/", "http://[::1]/", "http://[::ffff:127.0.0.1]/"]
    {
        let listener = tokio::net::TcpListener::bind((LOOPBACK, 0)).await.unwrap();
        world.config.http_port = listener.local_addr().unwrap().port();
        world.http = Some(listener);
        world.serve_http(move |_| redirect(302, location));
        let result = world.http01(NAME).await;
        let problem = problem(&result, &["was not dialled", "not public"]);
        assert_eq!(problem.kind, ProblemType::Connection, "{location}");
        assert_eq!(result.records[1].address_used, None);
    }
}
