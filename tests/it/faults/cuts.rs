//! Connections cut at each byte of an exchange, in both directions.

use std::cell::RefCell;

use futures_util::future::join_all;
use tracevault::{Config, Durability, Error, Outcome, Receipt, Tracevault};
use uuid::Uuid;

use super::{
    proxy::{Proxy, Then, Toward},
    *,
};

/// So many cuts at once.
const LANES: usize = 32;

/// What goes through the proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Exchange {
    /// One row, by a prepared INSERT.
    Row,
    /// One row with an id of the caller's, by INSERT … ON CONFLICT.
    OwnId,
    /// 20 rows, by unnest.
    Batch,
    Copy,
}

impl Exchange {
    fn records(self) -> usize {
        match self {
            Self::Row | Self::OwnId => 1,
            Self::Batch => 20,
            Self::Copy => 70,
        }
    }
}

struct Site {
    table: Table,
    direct: Tracevault,
}

impl Site {
    async fn new() -> Self {
        let table = table(shared_cluster()).await;
        let config = Config::new(shared_cluster().connection_string()).table_name(&table.name);
        Self { table, direct: Tracevault::new(config.emit_timeout(ms(20_000))).unwrap() }
    }
}

/// A pool of one connection, by a proxy of its own.
struct Lane<'t> {
    table: &'t Table,
    exchange: Exchange,
    proxy: Proxy,
    /// As the server knows its connections.
    name: String,
    audit: Tracevault,
    /// Past the proxy, and with time.
    direct: &'t Tracevault,
}

impl<'t> Lane<'t> {
    async fn new(site: &'t Site, exchange: Exchange, emit_timeout: Duration) -> Self {
        let Site { table, direct } = site;
        let proxy = Proxy::start(shared_cluster().port()).await;
        let name = kit::unique("lane");
        let config = Config::new(format!("{} application_name={name}", proxy.url())).table_name(&table.name);
        let audit = Tracevault::new(config.pool_size(1).emit_timeout(emit_timeout)).unwrap();
        Self { table, exchange, proxy, name, audit, direct }
    }

    /// All at once: they are in the queue before the writer can look at it, and so are one batch.
    async fn emit(&self, names: &[String]) -> Vec<Result<Receipt, Error>> {
        let emits = names.iter().map(|name| {
            let event = named(name);
            self.audit.emit(if self.exchange == Exchange::OwnId { event.id(Uuid::now_v7()) } else { event })
        });
        ends("an emit", join_all(emits)).await
    }

    /// Opens the connection, and prepares on it what is to be prepared. Retried, since this is not what is tested; in
    /// vain where the machine is so loaded that the callers' time is over each time.
    #[must_use]
    async fn warm_up(&self) -> bool {
        for _ in 0..50 {
            if self.emit(&names(self.exchange.records())).await.iter().all(Result::is_ok) {
                return true;
            }
        }
        false
    }

    /// How many bytes an exchange has.
    async fn learn(&self) -> [(Toward, usize); 2] {
        let mut learned = [[0; 2]; 2];
        assert!(self.warm_up().await);
        for counts in &mut learned {
            self.proxy.count();
            let names = names(self.exchange.records());
            assert!(self.emit(&names).await.iter().all(Result::is_ok));
            *counts = [self.proxy.counted(Toward::Server), self.proxy.counted(Toward::Client)];
            let transactions = "WHERE correlation_id = ANY($1)";
            let rows = self.table.select("count(DISTINCT xmin::text)", transactions, &[&names]).await;
            assert_eq!(rows[0].get::<_, i64>(0), 1, "one batch");
        }
        let (text, copies) = (self.proxy.heard(b"INSERT"), self.proxy.heard(b"PGCOPY"));
        let expected = (self.exchange == Exchange::OwnId, self.exchange == Exchange::Copy);
        assert_eq!((text, copies), expected, "what is prepared is not sent again");
        assert_eq!(learned[0], learned[1], "each is as long as the next");
        assert_eq!(self.proxy.connections(), 1);
        [(Toward::Server, learned[0][0]), (Toward::Client, learned[0][1])]
    }

    /// A cut that new connections can make good.
    async fn cut(&self, toward: Toward, at: usize) {
        assert!(self.warm_up().await, "{toward:?} {at}");
        let names = names(self.exchange.records());
        self.proxy.cut_after(at, toward, Then::Accept);
        let answers = self.emit(&names).await;
        assert!(self.proxy.has_cut(), "{toward:?} {at}");
        for answer in answers {
            let receipt = answer.unwrap_or_else(|error| panic!("{toward:?} {at}: {error}"));
            assert_eq!((receipt.durability, receipt.duplicate), (Durability::Committed, false), "{toward:?} {at}");
        }
        let rows = rows(self.table, &names).await;
        assert!(rows.values().all(|rows| *rows == 1), "{toward:?} {at}: {rows:?}");
    }

    /// A cut after which nothing can be tried again until the caller does. How many were told what; `None`: the machine
    /// is so loaded that the callers' time was over before there was anything to cut.
    async fn cut_off(&self, toward: Toward, at: usize) -> Option<Told> {
        if !self.warm_up().await {
            return None;
        }
        let names = names(self.exchange.records());
        self.proxy.cut_after(at, toward, Then::Refuse);
        let answers = self.emit(&names).await;
        if !self.proxy.has_cut() {
            self.proxy.spare();
            return None;
        }
        let mut there = rows(self.table, &names).await;
        for (name, answer) in names.iter().zip(&answers) {
            agree(name, answer, there[name]);
        }
        // The last attempt has ended on both sides: what was told is not tried any more.
        ends("the last attempt", async {
            while self.audit.stats().queued > 0 {
                tokio::time::sleep(ms(1)).await;
            }
        })
        .await;
        until_gone(self.table, &self.name).await;
        for (name, rows) in rows(self.table, &names).await {
            let answer = &answers[names.iter().position(|other| *other == name).unwrap()];
            agree(&name, answer, rows);
            there.insert(name, rows);
        }
        let present = there.values().filter(|rows| **rows == 1).count();
        assert!(present == 0 || present == names.len(), "{toward:?} {at}: {present} of {}", names.len());

        self.proxy.refuse(false);
        let mut told = Told::default();
        let again = names.iter().zip(answers).filter_map(|(name, answer)| {
            told.count(&answer, present > 0);
            let id = answer.err()?.record_id().unwrap();
            Some(async move {
                let receipt = self.direct.emit(named(name).id(id)).await.unwrap();
                assert_eq!((receipt.id, receipt.durability), (id, Durability::Committed));
                assert_eq!(receipt.duplicate, present > 0, "{toward:?} {at}");
            })
        });
        join_all(again).await;
        let rows = rows(self.table, &names).await;
        assert!(rows.values().all(|rows| *rows == 1), "{toward:?} {at}: {rows:?}");
        Some(told)
    }

    async fn close(self) {
        let drained = self.audit.close().await.unwrap();
        let stats = self.audit.stats();
        assert_eq!((drained.left, stats.queued), (0, 0));
        assert_eq!(stats.accepted, stats.stored + stats.failed, "{stats:?}");
    }
}

/// What callers were told, and how it was.
#[derive(Debug, Default)]
struct Told {
    committed: usize,
    rejected: usize,
    unknown_there: usize,
    unknown_missing: usize,
}

impl Told {
    fn count(&mut self, answer: &Result<Receipt, Error>, there: bool) {
        let number = match answer {
            Ok(_) => &mut self.committed,
            Err(error) if error.outcome() == Outcome::Rejected => &mut self.rejected,
            Err(_) if there => &mut self.unknown_there,
            Err(_) => &mut self.unknown_missing,
        };
        *number += 1;
    }

    fn add(&mut self, other: &Self) {
        self.committed += other.committed;
        self.rejected += other.rejected;
        self.unknown_there += other.unknown_there;
        self.unknown_missing += other.unknown_missing;
    }
}

/// Every `step`th byte; and each of the first and of the last, where messages begin and end.
fn offsets(exchange: [(Toward, usize); 2], step: usize) -> Vec<(Toward, usize)> {
    // Of a COPY, whose rows are alike, still not all: that would take ten minutes.
    let step = if long() { step.div_ceil(32) } else { step };
    let few = |toward, bytes: usize| {
        (0..=bytes).filter(move |at| at % step == 0 || *at < 4 || at + 12 > bytes).map(move |at| (toward, at))
    };
    exchange.into_iter().flat_map(|(toward, bytes)| few(toward, bytes)).collect()
}

/// Cuts and lets new connections through.
async fn cut_each(exchange: Exchange, step: usize) {
    let site = &Site::new().await;
    let learned = Lane::new(site, exchange, ms(20_000)).await.learn().await;
    let left = &RefCell::new(offsets(learned, step));
    join_all((0..LANES).map(|_| async move {
        let lane = Lane::new(site, exchange, ms(20_000)).await;
        while let Some((toward, at)) = { left.borrow_mut().pop() } {
            lane.cut(toward, at).await;
        }
        lane.close().await;
    }))
    .await;
}

/// Cuts and lets nothing through until callers were told.
async fn cut_off_each(exchange: Exchange, step: usize) {
    let site = &Site::new().await;
    let learned = Lane::new(site, exchange, ms(20_000)).await.learn().await;
    let left = &RefCell::new(offsets(learned, step));
    let told = &RefCell::new(Told::default());
    join_all((0..LANES).map(|_| async move {
        let mut patience = ms(300);
        let mut lane = Lane::new(site, exchange, patience).await;
        while let Some((toward, at)) = { left.borrow_mut().pop() } {
            let told_of = lane.cut_off(toward, at).await;
            // Where all of the answer comes, it is that of the callers, if they have time.
            if let Some(one) = told_of.filter(|one| one.committed > 0 || (toward, at) != learned[1]) {
                told.borrow_mut().add(&one);
                continue;
            }
            left.borrow_mut().push((toward, at));
            // Once more, with more time.
            patience *= 2;
            assert!(patience < ms(20_000), "{toward:?} {at} is never cut, or never answered");
            lane.close().await;
            lane = Lane::new(site, exchange, patience).await;
        }
        lane.close().await;
    }))
    .await;
    let told = told.borrow();
    assert!(told.committed > 0 && told.unknown_there > 0 && told.unknown_missing > 0, "{told:?}");
    assert_eq!(told.rejected, 0, "a cut tells nobody what became of it: {told:?}");
}

#[tokio::test]
async fn a_row_survives_a_cut_at_each_byte() {
    cut_each(Exchange::Row, 1).await;
}

#[tokio::test]
async fn a_row_with_an_id_of_the_callers_survives_a_cut_at_each_byte() {
    cut_each(Exchange::OwnId, 5).await;
}

#[tokio::test]
async fn a_batch_survives_a_cut_at_each_byte() {
    cut_each(Exchange::Batch, 7).await;
}

#[tokio::test]
async fn a_copy_survives_a_cut_at_each_byte() {
    cut_each(Exchange::Copy, 61).await;
}

#[tokio::test]
async fn a_row_cut_off_at_each_byte_is_what_its_caller_was_told() {
    cut_off_each(Exchange::Row, 1).await;
}

#[tokio::test]
async fn a_row_with_an_id_of_the_callers_cut_off_is_what_its_caller_was_told() {
    cut_off_each(Exchange::OwnId, 11).await;
}

#[tokio::test]
async fn a_batch_cut_off_at_each_byte_is_what_its_callers_were_told() {
    cut_off_each(Exchange::Batch, 23).await;
}

#[tokio::test]
async fn a_copy_cut_off_is_all_there_or_not_at_all() {
    cut_off_each(Exchange::Copy, 211).await;
}

/// Nothing was sent, which is known; but for the few whose time is over just while a connection is tried.
#[tokio::test]
async fn where_no_connection_can_be_opened_nothing_is_stored_and_callers_are_told_so() {
    let site = &Site::new().await;
    let lane = Lane::new(site, Exchange::Row, ms(300)).await;
    assert!(lane.warm_up().await);
    lane.proxy.refuse(true);
    lane.proxy.sever();
    // Until the pool has noticed.
    ends("the old connection", async { while lane.audit.healthcheck().await {} }).await;
    let names = names(10);
    for name in &names {
        let error = ends("an emit", lane.audit.emit(named(name))).await.unwrap_err();
        assert_eq!(error.outcome(), Outcome::Rejected, "nothing was sent: {error}");
    }
    lane.proxy.refuse(false);
    assert!(lane.warm_up().await);
    assert!(rows(&site.table, &names).await.values().all(|rows| *rows == 0), "nor later");
    lane.close().await;
}
