//! Real PostgreSQL, with a proxy before it that can cut it off.

use nightbeat_domain::UnixMicros;
use nightbeat_domain::nodes::NodeId;
use nightbeat_store::dump::{Dump, dump, free_claims};
use nightbeat_store::{NodeFacts, Opener, Result, Store};
use nightbeat_testkit::postgres::{self, Database};
use nightbeat_testkit::proxy::{Behaviour, Proxy, Target};
use tokio::runtime::Runtime;
use uuid::Uuid;

use crate::engines::{Answer, Class, Engine, Numbers, call, sorted};
use crate::operations::Operation;

/// One node on a database. It lives by the database's clock, which is years after everything that the
/// sequences tell: its lease never runs out in between, and the gaps that its own ends leave have no part in any
/// decision.
pub(crate) struct PostgresEngine {
    store: Option<Store>,
    runtime: Runtime,
    proxy: Proxy,
    database: Database,
    numbers: Numbers,
    /// When it joined first.
    since: UnixMicros,
}

impl PostgresEngine {
    pub(crate) fn new() -> Self {
        let database = postgres::prepared("conformance", |url| {
            let opened = runtime().block_on(Store::open_postgres(url, Opener::Tool));
            drop(opened.unwrap());
        });
        let mut engine = Self {
            store: None,
            runtime: runtime(),
            proxy: Proxy::to(Target::Unix(database.socket())),
            database,
            numbers: Numbers::default(),
            since: UnixMicros(0),
        };
        engine.since = engine.open().unwrap();
        engine
    }

    /// Opens it and joins; the last node of this name, if there was one, ended in the middle of things.
    fn open(&mut self) -> Result<UnixMicros> {
        drop(self.store.take());
        let url = self.proxy.url(self.database.name());
        let opened = self
            .runtime
            .block_on(Store::open_postgres(&url, Opener::Server))?;
        let who = NodeFacts {
            id: NodeId(Uuid::from_u128(1)),
            name: "one".to_owned(),
            version: "1".to_owned(),
        };
        let joined = self.runtime.block_on(opened.store.join(who))?;
        self.store = Some(opened.store);
        Ok(joined.unwrap().clock)
    }

    fn run(&mut self, operation: Operation) -> std::result::Result<Answer, Class> {
        if matches!(operation, Operation::Reopen) {
            self.open()?;
            let store = self.store.clone().unwrap();
            self.runtime.block_on(store.write(free_claims))?;
            return Ok(Answer::Opened(None));
        }
        let store = self.store.clone().unwrap();
        let finished = match &operation {
            Operation::Finish(ended) => self.numbers.finished(ended),
            _ => Vec::new(),
        };
        let answer = self.runtime.block_on(call(&store, operation, finished))?;
        Ok(match answer {
            Answer::Claimed(claimed) => self.numbers.note(claimed),
            Answer::Watched(watched) => sorted(watched),
            Answer::Done(mut done) => {
                // Only nodes have a lease.
                done.renewed = None;
                Answer::Done(done)
            }
            answer => answer,
        })
    }
}

impl Engine for PostgresEngine {
    fn name(&self) -> &'static str {
        "PostgreSQL"
    }

    fn apply(
        &mut self,
        operation: &Operation,
        refused: bool,
    ) -> std::result::Result<Answer, Class> {
        if refused {
            self.proxy.behave(Behaviour::Refuse);
        }
        let answer = self.run(operation.clone());
        if refused {
            self.proxy.behave(Behaviour::Pass);
        }
        answer
    }

    fn dump(&mut self) -> Dump {
        let store = self.store.clone().unwrap();
        let mut dump = self.runtime.block_on(store.read(dump)).unwrap();
        dump.gaps.retain(|gap| gap.from < self.since);
        dump
    }

    fn has_own_clock(&self) -> bool {
        true
    }
}

fn runtime() -> Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().unwrap()
}
