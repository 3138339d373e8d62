//! The server's side of PostgreSQL's protocol 3.0: its messages, out of the bytes of a connection. Those that we send, and the sign-in's
//! arithmetic, are the work of `postgres-protocol`.

use std::fmt;
use std::io;

use bytes::{Buf as _, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _};

use super::values::Row;

/// A message's type and its length, which counts itself.
const HEAD: usize = 5;

/// Longer than any row of ours, and than any group of them: what announces more is no PostgreSQL.
const MAX_MESSAGE: usize = 64 << 20;

/// What the server says.
#[derive(Debug)]
pub(super) enum Message {
    /// A question or an answer of the sign-in: which, and what belongs to it.
    Authentication(u32, Bytes),
    /// A statement is prepared.
    ParseComplete,
    Row(Row),
    /// A statement has ended.
    Complete,
    /// What was sent up to the last Sync has ended: it is committed, unless a refusal came before.
    Ready,
    Refusal(Refusal),
    /// What nobody asked for, or nobody looks at: notices, settings, the end of a Bind.
    Other,
}

/// What comes in on a connection.
pub(super) struct Incoming<R> {
    reader: R,
    bytes: BytesMut,
}

impl<R: AsyncRead + Unpin> Incoming<R> {
    pub(super) fn new(reader: R) -> Self {
        Self { reader, bytes: BytesMut::new() }
    }

    /// The next message, for which it waits.
    pub(super) async fn next(&mut self) -> io::Result<Message> {
        loop {
            if let Some((tag, body)) = frame(&mut self.bytes)? {
                return message(tag, body).ok_or_else(|| wrong("a message that makes no sense"));
            }
            if self.reader.read_buf(&mut self.bytes).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

/// The first message, if all of it is there: its type, and what it says.
fn frame(bytes: &mut BytesMut) -> io::Result<Option<(u8, Bytes)>> {
    let Some(([tag, length @ ..], _)) = bytes.split_first_chunk::<HEAD>() else { return Ok(None) };
    let (tag, length) = (*tag, usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX));
    if !(HEAD - 1..=MAX_MESSAGE).contains(&length) {
        return Err(wrong("a message of a length that makes no sense"));
    }
    if bytes.len() < length + 1 {
        bytes.reserve(length + 1 - bytes.len());
        return Ok(None);
    }
    let mut message = bytes.split_to(length + 1).freeze();
    message.advance(HEAD);
    Ok(Some((tag, message)))
}

fn message(tag: u8, mut body: Bytes) -> Option<Message> {
    Some(match tag {
        b'R' => Message::Authentication(body.try_get_u32().ok()?, body),
        b'1' => Message::ParseComplete,
        b'D' => Message::Row(row(body)?),
        b'C' => Message::Complete,
        b'Z' => Message::Ready,
        b'E' => Message::Refusal(Refusal::read(&body)?),
        // BindComplete, BackendKeyData, NoticeResponse, NotificationResponse, ParameterStatus.
        b'2' | b'K' | b'N' | b'A' | b'S' => Message::Other,
        _ => return None,
    })
}

fn row(content: Bytes) -> Option<Row> {
    let mut left = &content[..];
    let count = left.try_get_u16().ok()?;
    let mut columns = Vec::with_capacity(usize::from(count));
    for _ in 0..count {
        let length = left.try_get_i32().ok()?;
        let start = content.len() - left.len();
        columns.push(match usize::try_from(length) {
            Ok(length) => {
                left = left.get(length..)?;
                Some(start..start + length)
            }
            Err(_) => None,
        });
    }
    left.is_empty().then(|| Row::new(content, columns))
}

/// Why the server has not done what it was asked for, in its words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    severity: String,
    code: String,
    message: String,
    /// Which of the values, tables or locks it means.
    detail: String,
}

impl Refusal {
    fn read(mut body: &[u8]) -> Option<Self> {
        let mut refusal = Self {
            severity: String::new(),
            code: String::new(),
            message: String::new(),
            detail: String::new(),
        };
        loop {
            let (field, rest) = body.split_first()?;
            if *field == 0 {
                return Some(refusal);
            }
            let (text, rest) = text(rest)?;
            match field {
                b'S' => refusal.severity = text,
                b'C' => refusal.code = text,
                b'M' => refusal.message = text,
                b'D' => refusal.detail = text,
                _ => {}
            }
            body = rest;
        }
    }

    /// What has happened, as in PostgreSQL's appendix A.
    pub(super) fn code(&self) -> &str {
        &self.code
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} ({})", self.severity, self.message, self.code)?;
        if self.detail.is_empty() { Ok(()) } else { write!(f, ": {}", self.detail) }
    }
}

impl std::error::Error for Refusal {}

/// A text that ends with a zero, and what is behind it.
pub(super) fn text(bytes: &[u8]) -> Option<(String, &[u8])> {
    let end = bytes.iter().position(|octet| *octet == 0)?;
    Some((String::from_utf8_lossy(bytes.get(..end)?).into_owned(), bytes.get(end + 1..)?))
}

pub(super) fn wrong(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(tag: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + 4).unwrap();
        [&[tag][..], &length.to_be_bytes(), body].concat()
    }

    async fn read(bytes: &[u8]) -> io::Result<Message> {
        Incoming::new(bytes).next().await
    }

    #[tokio::test]
    async fn a_row_has_its_columns() {
        let body = [&[0, 3][..], &3_i32.to_be_bytes(), b"abc", &(-1_i32).to_be_bytes(), &0_i32.to_be_bytes()];
        let Message::Row(row) = read(&framed(b'D', &body.concat())).await.unwrap() else { panic!() };
        assert_eq!(row.try_get(0), Ok("abc".to_owned()));
        assert_eq!(row.try_get(1), Ok(None::<String>));
        assert_eq!(row.try_get(2), Ok(Some(String::new())));
    }

    #[tokio::test]
    async fn a_refusal_has_the_servers_words() {
        let body = b"SERROR\0VERROR\0C23505\0Mduplicate key\0DKey (a) exists.\0\0";
        let Message::Refusal(refusal) = read(&framed(b'E', body)).await.unwrap() else { panic!() };
        assert_eq!(refusal.code(), "23505");
        assert_eq!(refusal.to_string(), "ERROR: duplicate key (23505): Key (a) exists.");
    }

    #[tokio::test]
    async fn what_ends_early_or_makes_no_sense_is_an_error() {
        let row = framed(b'D', &[&[0, 1][..], &3_i32.to_be_bytes(), b"abc"].concat());
        for end in 0..row.len() {
            assert_eq!(read(&row[..end]).await.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        }
        let wrong = [
            framed(b'D', &[&[0, 1][..], &4_i32.to_be_bytes(), b"abc"].concat()),
            framed(b'D', &[&[0, 1][..], &2_i32.to_be_bytes(), b"abc"].concat()),
            framed(b'E', b"Mwithout an end"),
            framed(b'?', b""),
            vec![b'Z', 0, 0, 0, 3],
            vec![b'Z', 255, 255, 255, 255],
        ];
        for bytes in wrong {
            assert_eq!(read(&bytes).await.unwrap_err().kind(), io::ErrorKind::InvalidData, "{bytes:?}");
        }
    }
}
