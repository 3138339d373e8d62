//! What a server has told its clients, and must stand by.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result, bail, ensure};
use tokio::sync::watch;

use crate::acme::{Account, Certified};
use crate::ledger;

/// Everything that was acknowledged. The locks are held for a line each.
#[derive(Debug, Default)]
pub struct Told {
    /// How many certificates clients were given.
    pub given: watch::Sender<u64>,
    accounts: Mutex<Vec<Arc<Account>>>,
    orders: Mutex<Vec<Entry>>,
}

/// An order whose URL a client was given.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) account: Arc<Account>,
    pub(super) url: String,
    /// What became of it; `None` while its worker is still at it.
    pub(super) end: Option<End>,
}

#[derive(Clone, Debug)]
pub(super) enum End {
    /// The client has the certificate.
    Certified(Certified),
    /// The server said that it has failed at it.
    Failed,
}

impl Told {
    pub(super) fn account(&self, account: &Arc<Account>) {
        locked(&self.accounts).push(Arc::clone(account));
    }

    pub(super) fn order(&self, account: &Arc<Account>, url: &str) {
        let entry = Entry { account: Arc::clone(account), url: url.to_owned(), end: None };
        locked(&self.orders).push(entry);
    }

    pub(super) fn end(&self, url: &str, end: End) -> Result<()> {
        let mut orders = locked(&self.orders);
        let entry = orders.iter_mut().rfind(|entry| entry.url == url);
        let entry = entry.with_context(|| format!("nobody was told of {url}"))?;
        ensure!(entry.end.is_none(), "{url} came to its end twice");
        if let End::Certified(_) = &end {
            self.given.send_modify(|given| *given += 1);
        }
        entry.end = Some(end);
        Ok(())
    }

    pub(super) fn accounts(&self) -> Vec<Arc<Account>> {
        locked(&self.accounts).clone()
    }

    pub(super) fn orders(&self) -> Vec<Entry> {
        locked(&self.orders).clone()
    }

    /// The certificates that clients were given.
    ///
    /// # Errors
    /// If one is none.
    pub fn certificates(&self) -> Result<Vec<ledger::Entry>> {
        let orders = locked(&self.orders);
        let certified = orders.iter().filter_map(|entry| match &entry.end {
            Some(End::Certified(certified)) => Some(certified.try_into()),
            Some(End::Failed) | None => None,
        });
        certified.collect()
    }

    /// How far it has come, in a line.
    pub fn summary(&self) -> String {
        let (accounts, orders) = (locked(&self.accounts).len(), locked(&self.orders).len());
        format!("{accounts} accounts, {orders} orders, {} certificates so far", *self.given.borrow())
    }

    /// No order may still have a worker.
    pub(super) fn finished(&self) -> Result<()> {
        match locked(&self.orders).iter().find(|entry| entry.end.is_none()) {
            Some(entry) => bail!("nobody has brought {} to its end", entry.url),
            None => Ok(()),
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
