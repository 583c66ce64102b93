//! A connection for what a test asks of the database itself, usable from any thread.

use std::time::Duration;

use tokio_postgres::{NoTls, SimpleQueryMessage};

use crate::wait::HANGING;

/// How long to wait before looking again.
const PAUSE: Duration = Duration::from_millis(10);

/// The rows of an answer; `None` is NULL.
pub type Rows = Vec<Vec<Option<String>>>;

/// Runs statements on a connection of their own; the rows of all of them, as text.
pub(super) fn run(url: &str, statements: &str) -> Result<Rows, tokio_postgres::Error> {
    blocking(async {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
        // Its error is the statement's error, too.
        let driving = tokio::spawn(connection);
        let answer = client.simple_query(statements).await;
        drop(client);
        let _ = driving.await;
        Ok(answer?.iter().filter_map(row).collect())
    })
}

/// Waits until the server answers; why not, when it never does or `ended` says that it cannot any more.
pub(super) fn until_it_answers(
    url: &str,
    mut ended: impl FnMut() -> Option<String>,
) -> Result<(), String> {
    let mut last = String::new();
    for _ in 0..HANGING.as_millis() / PAUSE.as_millis() {
        match run(url, "") {
            Ok(_) => return Ok(()),
            Err(error) => last = format!("{error:?}"),
        }
        if let Some(why) = ended() {
            return Err(why);
        }
        std::thread::sleep(PAUSE);
    }
    Err(last)
}

/// Waits until a condition holds; it is a statement that answers `t`.
pub(super) fn until(url: &str, condition: &str) {
    let mut last = None;
    for _ in 0..HANGING.as_millis() / PAUSE.as_millis() {
        last = Some(run(url, condition));
        if let Some(Ok(rows)) = &last
            && rows.first().and_then(|row| row[0].as_deref()) == Some("t")
        {
            return;
        }
        std::thread::sleep(PAUSE);
    }
    panic!("waited {HANGING:?} for: {condition}; the last answer: {last:?}");
}

fn row(message: &SimpleQueryMessage) -> Option<Vec<Option<String>>> {
    let SimpleQueryMessage::Row(row) = message else {
        return None;
    };
    let columns = 0..row.len();
    Some(
        columns
            .map(|column| row.get(column).map(str::to_owned))
            .collect(),
    )
}

/// On a thread of its own: the test's may drive a runtime, on which nothing can wait for another.
fn blocking<T: Send>(work: impl Future<Output = T> + Send) -> T {
    let drive = || {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.enable_all().build().unwrap().block_on(work)
    };
    std::thread::scope(|scope| scope.spawn(drive).join()).unwrap()
}
