//! A session on the server: several statements are sent at once, and run as one transaction.
//!
//! PostgreSQL commits where it is told to be in step again (Sync). What is sent in one go up to there is one transaction, of which either
//! everything is stored or nothing; and nothing is known to be stored before the server says that it is in step ([`Message::Ready`]).
//! So a group of statements costs one journey, one wake-up on either side and one commit, however many they are; statements that each had a
//! Sync of their own, as drivers send them, cost all of these each.

use std::io;
use std::time::{Duration, Instant};

use bytes::{BufMut as _, BytesMut};
use postgres_protocol::message::frontend;
use tokio::io::{AsyncWriteExt as _, ReadHalf, WriteHalf};

use super::messages::{Incoming, Message, Refusal, wrong};
use super::signin::{Server, Stream};
use super::values::{Parameters, Row};

/// Values are sent and asked for in binary form.
const BINARY: i16 = 1;

/// A text with its parameters.
#[derive(Debug)]
pub(super) struct Statement {
    pub(super) sql: &'static str,
    pub(super) parameters: Parameters,
}

/// Why a group has not been run.
#[derive(Debug)]
pub(super) enum Failure {
    /// The server has undone all of it.
    Refused(Refusal),
    /// The connection is lost: whether it is stored, nobody can say.
    Lost(io::Error),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Lost(error)
    }
}

/// An open session. Whoever drops it while a group runs ends it.
pub(super) struct Session {
    incoming: Incoming<ReadHalf<Box<dyn Stream>>>,
    outgoing: WriteHalf<Box<dyn Stream>>,
    /// What is sent next; kept for its memory.
    out: BytesMut,
    /// Statements that the server has prepared, each known by its place. They are texts of this program and so not many.
    prepared: Vec<&'static str>,
    opened: Instant,
    used: Instant,
}

impl Session {
    pub(super) async fn open(server: &Server) -> io::Result<Self> {
        let (incoming, outgoing) = server.sign_in().await?;
        let now = Instant::now();
        Ok(Self { incoming, outgoing, out: BytesMut::new(), prepared: Vec::new(), opened: now, used: now })
    }

    /// How long ago it was opened, and used.
    pub(super) fn age(&self) -> (Duration, Duration) {
        (self.opened.elapsed(), self.used.elapsed())
    }

    /// Fails unless the server is still there.
    pub(super) async fn ping(&mut self) -> Result<(), Failure> {
        self.run(&[]).await.map(drop)
    }

    /// Runs `statements` one after the other as one transaction, and gives the rows of each. All of it is stored when this returns; when it
    /// is refused, nothing is.
    pub(super) async fn run(&mut self, statements: &[&Statement]) -> Result<Vec<Vec<Row>>, Failure> {
        let new = self.write(statements)?;
        let Self { incoming, outgoing, out, prepared, used, .. } = self;
        // Both at once: a server whose answers nobody reads would read no further either.
        let send = async {
            outgoing.write_all_buf(out).await?;
            outgoing.flush().await.map_err(Failure::Lost)
        };
        let ((), answers) = tokio::try_join!(send, receive(incoming, prepared, new))?;
        *used = Instant::now();
        if answers.len() == statements.len() {
            Ok(answers)
        } else {
            Err(Failure::Lost(wrong("another number of answers than of statements")))
        }
    }

    /// Writes the group down. Gives those statements that the server prepares with it.
    fn write(&mut self, statements: &[&Statement]) -> io::Result<Vec<&'static str>> {
        self.out.clear();
        let mut new = Vec::new();
        for statement in statements {
            let known = self.prepared.iter().chain(&new).position(|sql| *sql == statement.sql);
            let place = known.unwrap_or(self.prepared.len() + new.len());
            let name = format!("s{place}");
            if known.is_none() {
                new.push(statement.sql);
                let types = statement.parameters.types().iter().copied();
                frontend::parse(&name, statement.sql, types, &mut self.out)?;
            }
            bind(&name, &statement.parameters, &mut self.out)?;
            frontend::execute("", 0, &mut self.out)?;
        }
        frontend::sync(&mut self.out);
        Ok(new)
    }

    /// Ends it in order.
    pub(super) async fn close(mut self) {
        self.out.clear();
        frontend::terminate(&mut self.out);
        // A server that is gone need not be told.
        if self.outgoing.write_all_buf(&mut self.out).await.is_ok() {
            let _gone = self.outgoing.shutdown().await;
        }
    }
}

/// The parameters of a statement, which are written down already.
fn bind(name: &str, parameters: &Parameters, out: &mut BytesMut) -> io::Result<()> {
    let count = i16::try_from(parameters.types().len()).map_err(io::Error::other)?;
    // The length itself, the names' ends, both lists of formats, the number of values.
    let length = 4 + 1 + (name.len() + 1) + 4 + 2 + parameters.values().len() + 4;
    out.put_u8(b'B');
    out.put_i32(i32::try_from(length).map_err(io::Error::other)?);
    out.put_u8(0);
    out.put_slice(name.as_bytes());
    out.put_u8(0);
    // One format for all.
    out.put_i16(1);
    out.put_i16(BINARY);
    out.put_i16(count);
    out.put_slice(parameters.values());
    out.put_i16(1);
    out.put_i16(BINARY);
    Ok(())
}

/// What the server says up to where it is in step again. The statements that it has prepared stay so, also when it undoes everything.
async fn receive(
    incoming: &mut Incoming<ReadHalf<Box<dyn Stream>>>,
    prepared: &mut Vec<&'static str>,
    new: Vec<&'static str>,
) -> Result<Vec<Vec<Row>>, Failure> {
    let (mut answers, mut rows, mut new) = (Vec::new(), Vec::new(), new.into_iter());
    let mut refusal = None;
    loop {
        let message = match (incoming.next().await, refusal.take()) {
            // It said why it went.
            (Err(_), Some(refusal)) => return Err(Failure::Lost(io::Error::other::<Refusal>(refusal))),
            (Err(error), None) => return Err(Failure::Lost(error)),
            (Ok(message), first) => {
                refusal = first;
                message
            }
        };
        match message {
            Message::ParseComplete => prepared.extend(new.next()),
            Message::Row(row) => rows.push(row),
            Message::Complete => answers.push(std::mem::take(&mut rows)),
            Message::Refusal(why) => refusal = refusal.or(Some(why)),
            Message::Ready => return refusal.map_or(Ok(answers), |why| Err(Failure::Refused(why))),
            Message::Other => {}
            Message::Authentication(..) => return Err(Failure::Lost(wrong("a question out of order"))),
        }
    }
}
