//! What the server has told its clients, and must stand by.

use std::sync::{Arc, Mutex};

use cairn_test_env::acme::{Account, Certified};

/// Everything that was acknowledged. The locks are held for a line each.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    accounts: Mutex<Vec<Arc<Account>>>,
    orders: Mutex<Vec<Entry>>,
}

/// An order whose URL a client was given.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) account: Arc<Account>,
    pub(crate) url: String,
    /// What became of it; `None` while its worker is still at it.
    pub(crate) end: Option<End>,
}

#[derive(Clone, Debug)]
pub(crate) enum End {
    /// The client has the certificate.
    Certified(Certified),
    /// It was in processing when the server was killed, and the server said so.
    Failed,
}

impl Ledger {
    pub(crate) fn account(&self, account: &Arc<Account>) {
        self.accounts.lock().unwrap().push(Arc::clone(account));
    }

    pub(crate) fn order(&self, account: &Arc<Account>, url: &str) {
        let entry = Entry { account: Arc::clone(account), url: url.to_owned(), end: None };
        self.orders.lock().unwrap().push(entry);
    }

    pub(crate) fn end(&self, url: &str, end: End) {
        let mut orders = self.orders.lock().unwrap();
        let entry = orders.iter_mut().find(|entry| entry.url == url).unwrap();
        assert!(entry.end.is_none(), "{url} came to its end twice");
        entry.end = Some(end);
    }

    pub(crate) fn accounts(&self) -> Vec<Arc<Account>> {
        self.accounts.lock().unwrap().clone()
    }

    pub(crate) fn orders(&self) -> Vec<Entry> {
        self.orders.lock().unwrap().clone()
    }

    /// The chains that clients were given.
    pub(crate) fn certificates(&self) -> Vec<Certified> {
        let orders = self.orders.lock().unwrap();
        let certified = orders.iter().filter_map(|entry| match &entry.end {
            Some(End::Certified(certified)) => Some(certified.clone()),
            Some(End::Failed) | None => None,
        });
        certified.collect()
    }

    pub(crate) fn summary(&self) -> String {
        let (accounts, orders) = (self.accounts.lock().unwrap().len(), self.orders.lock().unwrap().len());
        format!("{accounts} accounts, {orders} orders, {} certificates so far", self.certificates().len())
    }
}
