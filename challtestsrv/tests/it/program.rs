//! The program: it says where it listens, answers, does as it is told, and ends when it is asked to.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    process::{Child, Command, Stdio},
};

use hickory_proto::rr::RecordType;

use crate::world::{World, addresses, texts};

/// The running program. Dropping it ends it.
struct Program(Child);

impl Program {
    /// Starts it on free ports; gives the addresses of its DNS and of its management, as it says them.
    fn start(arguments: &[&str]) -> (Self, SocketAddr, SocketAddr) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_challtestsrv"));
        command.args(["--dns", "127.0.0.1:0", "--management", "127.0.0.1:0"]).args(arguments);
        let mut program = Self(command.stdout(Stdio::piped()).spawn().unwrap());
        let mut line = String::new();
        BufReader::new(program.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let words: Vec<_> = line.split_whitespace().map(|word| word.trim_end_matches(',')).collect();
        let [_, _, _, dns, _, _, management, ..] = words[..] else { panic!("it says {line:?}") };
        (program, dns.parse().unwrap(), management.parse().unwrap())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn the_program_answers_by_default_and_as_it_is_told() {
    let (_program, dns, management) =
        Program::start(&["--default-ipv4", "192.0.2.7", "--default-ipv6", "2001:db8::7"]);
    let resolver = World::elsewhere(dns).resolver();
    assert_eq!(addresses(&resolver, "any.test.", RecordType::A).await, ["192.0.2.7"]);
    assert_eq!(addresses(&resolver, "any.test.", RecordType::AAAA).await, ["2001:db8::7"]);

    let body = r#"{"host":"_acme-challenge.any.test.","value":"told"}"#;
    let mut connection = TcpStream::connect(management).unwrap();
    write!(
        connection,
        "POST /set-txt HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(texts(&resolver, "_acme-challenge.any.test.").await, ["told"]);
}

#[test]
fn a_program_that_is_asked_to_end_ends_well() {
    for signal in ["TERM", "INT"] {
        let (mut program, ..) = Program::start(&[]);
        let killed = Command::new("sh")
            .args(["-c", "kill -$1 $2", "sh", signal, &program.0.id().to_string()])
            .status();
        assert!(killed.unwrap().success());
        assert!(program.0.wait().unwrap().success(), "after SIG{signal}");
    }
}

#[test]
fn an_address_that_cannot_be_had_is_an_error_that_names_it() {
    let (_program, dns, _) = Program::start(&[]);
    let output = Command::new(env!("CARGO_BIN_EXE_challtestsrv")).args(["--dns", &dns.to_string()]).output();
    let output = output.unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains(&format!("cannot listen on {dns}")), "{said}");
}
