//! The proxy before PostgreSQL.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use std::net::SocketAddr;
use std::time::Duration;

use nightbeat_testkit::postgres::{self, Database};
use nightbeat_testkit::proxy::{Behaviour, Ending, Message, Point, Proxy, STARTUP, Side};
use nightbeat_testkit::until;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_postgres::{Client, NoTls};

/// What our test's transaction is, as three messages of the client: each is a `Query`.
const TRANSACTION: [&str; 3] = ["BEGIN", "INSERT INTO kept VALUES (1)", "COMMIT"];

/// Long enough for a machine that has nothing to do, and right either way on one that has.
const A_WHILE: Duration = Duration::from_millis(100);

fn kept() -> (Database, Proxy) {
    let database = postgres::database();
    database.run("CREATE TABLE kept (number bigint)");
    let proxy = Proxy::to(database.socket());
    (database, proxy)
}

fn count(database: &Database) -> String {
    let rows = database.run("SELECT count(*) FROM kept");
    rows[0][0].clone().unwrap()
}

async fn connect(proxy: &Proxy, database: &Database) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(&proxy.url(database.name()), NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

/// Does the transaction; which of its statements was the first without an answer.
async fn transact(client: &Client) -> Result<(), usize> {
    for (at, statement) in TRANSACTION.iter().enumerate() {
        client.simple_query(statement).await.map_err(|_| at)?;
    }
    Ok(())
}

fn kinds(messages: &[Message], side: Side) -> String {
    let from = messages.iter().filter(|message| message.side == side);
    from.map(|message| message.kind).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn it_sees_the_messages_of_both_sides() {
    let (database, proxy) = kept();
    proxy.record();
    let client = connect(&proxy, &database).await.unwrap();
    transact(&client).await.unwrap();
    let messages = proxy.recorded();
    assert_eq!(messages[0].kind, STARTUP);
    assert_eq!(kinds(&messages, Side::Client), "-QQQ");
    let answers = kinds(&messages, Side::Server);
    assert!(answers.starts_with('R'), "{answers}");
    assert!(answers.ends_with("KZCZCZCZ"), "{answers}");
    assert_eq!((proxy.connections(), proxy.open()), (1, 1));
}

/// The answer to the question for TLS is one byte, and no message.
#[tokio::test(flavor = "multi_thread")]
async fn it_understands_the_question_for_tls() {
    let (database, proxy) = kept();
    proxy.record();
    let mut client = call(proxy.address()).await;
    client
        .write_all(&[0, 0, 0, 8, 4, 210, 22, 47])
        .await
        .unwrap();
    assert_eq!(client.read_u8().await.unwrap(), b'N');
    // Byte by byte: a message may come in any pieces.
    let parameters = format!("user\0postgres\0database\0{}\0\0", database.name());
    let length = u8::try_from(parameters.len() + 8).unwrap();
    let head = [0, 0, 0, length, 0, 3, 0, 0];
    for byte in head.into_iter().chain(parameters.into_bytes()) {
        client.write_all(&[byte]).await.unwrap();
    }
    let mut answer = Vec::new();
    while !answer.ends_with(b"Z\0\0\0\x05I") {
        assert!(client.read_buf(&mut answer).await.unwrap() > 0);
    }
    let messages = proxy.recorded();
    assert_eq!(kinds(&messages, Side::Client), "--");
    let answers = kinds(&messages, Side::Server);
    assert!(
        answers.starts_with("-R") && answers.ends_with("KZ"),
        "{answers}"
    );
}

/// At each boundary: what the client was not told, and what the database has.
#[tokio::test(flavor = "multi_thread")]
async fn cut_at_each_message_of_a_transaction() {
    let (database, proxy) = kept();
    // The server answers each query with `CommandComplete` and `ReadyForQuery`.
    let mut cases = Vec::new();
    for at in 1..=3 {
        cases.push((Side::Client, Point::Before(at), at - 1, false));
        cases.push((Side::Client, Point::After(at), at - 1, at == 3));
        // The first of its two answers, and before the second: the client cannot go on.
        let answer = at * 2 - 1;
        cases.push((Side::Server, Point::Before(answer), at - 1, at == 3));
        cases.push((Side::Server, Point::After(answer), at - 1, at == 3));
        cases.push((Side::Server, Point::Before(answer + 1), at - 1, at == 3));
    }
    for ending in [Ending::Close, Ending::Reset] {
        for (side, point, unanswered, committed) in &cases {
            database.run("TRUNCATE kept");
            let client = connect(&proxy, &database).await.unwrap();
            let before = proxy.cuts();
            proxy.cut_at(*side, *point, ending);
            let answered = transact(&client).await;
            assert_eq!(answered, Err(*unanswered), "{side:?} {point:?} {ending:?}");
            assert_eq!(proxy.cuts(), before + 1);
            // The server learns of it, and ends what was under way.
            until("the session has ended", async || {
                let open =
                    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()";
                (database.run(open)[0][0].as_deref() == Some("1")).then_some(())
            })
            .await;
            let expected = if *committed { "1" } else { "0" };
            assert_eq!(count(&database), expected, "{side:?} {point:?} {ending:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_is_done_once_and_counts_for_each_connection() {
    let (database, proxy) = kept();
    let (one, other) = (
        connect(&proxy, &database).await.unwrap(),
        connect(&proxy, &database).await.unwrap(),
    );
    proxy.cut_at(Side::Client, Point::Before(2), Ending::Close);
    one.simple_query("").await.unwrap();
    other.simple_query("").await.unwrap();
    one.simple_query("").await.unwrap_err();
    other.simple_query("").await.unwrap();
    assert!(!proxy.forget_cut());
    proxy.cut_at(Side::Client, Point::Before(1), Ending::Close);
    assert!(proxy.forget_cut());
    other.simple_query("").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_answer_to_one_certain_commit_is_cut_and_to_no_other() {
    let (database, proxy) = kept();
    let (one, other) = (
        connect(&proxy, &database).await.unwrap(),
        connect(&proxy, &database).await.unwrap(),
    );
    proxy.cut_answer(&["VALUES (7)", "COMMIT"], Ending::Reset);
    let insert = |number: u32| format!("BEGIN; INSERT INTO kept VALUES ({number})");
    one.batch_execute(&insert(7)).await.unwrap();
    other.batch_execute(&insert(8)).await.unwrap();
    other.batch_execute("COMMIT").await.unwrap();
    assert_eq!(proxy.cuts(), 0);
    one.batch_execute("COMMIT").await.unwrap_err();
    assert_eq!(proxy.cuts(), 1);
    assert_eq!(count(&database), "2");
    assert!(!proxy.forget_cut());
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_is_not_an_end() {
    let (database, proxy) = kept();
    let client = connect(&proxy, &database).await.unwrap();
    proxy.cut_at(Side::Server, Point::Before(1), Ending::Silence);
    let asking = tokio::spawn(async move { client.simple_query("SELECT 1").await.map(drop) });
    until("it is cut", async || (proxy.cuts() == 1).then_some(())).await;
    tokio::time::sleep(A_WHILE).await;
    assert!(!asking.is_finished());
    assert_eq!(proxy.open(), 1);
    // Another connection is not concerned; and the silent one can still be cut.
    connect(&proxy, &database).await.unwrap();
    proxy.cut();
    asking.await.unwrap().unwrap_err();
}

#[tokio::test(flavor = "multi_thread")]
async fn cut_and_reset_end_what_is_open_and_let_new_ones_in() {
    let (database, proxy) = kept();
    for end in [Proxy::cut, Proxy::reset] {
        let client = connect(&proxy, &database).await.unwrap();
        client.simple_query("").await.unwrap();
        end(&proxy);
        client.simple_query("").await.unwrap_err();
    }
    connect(&proxy, &database).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_black_hole_keeps_everything_until_it_is_none() {
    let (database, proxy) = kept();
    let client = connect(&proxy, &database).await.unwrap();
    proxy.behave(Behaviour::Blackhole);
    let asking = tokio::spawn(async move { client.simple_query("SELECT 1").await.map(drop) });
    // Connecting is taken, and goes no further.
    let _taken = TcpStream::connect(proxy.address()).await.unwrap();
    tokio::time::sleep(A_WHILE).await;
    assert!(!asking.is_finished());
    proxy.behave(Behaviour::Pass);
    asking.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_refuses_is_not_there_until_it_is_back() {
    let (database, proxy) = kept();
    let client = connect(&proxy, &database).await.unwrap();
    proxy.behave(Behaviour::Refuse);
    client.simple_query("").await.unwrap_err();
    let refused = TcpStream::connect(proxy.address()).await.unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    proxy.behave(Behaviour::Pass);
    connect(&proxy, &database).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delay_is_at_least_as_long() {
    let (database, proxy) = kept();
    let client = connect(&proxy, &database).await.unwrap();
    proxy.behave(Behaviour::Delay(A_WHILE));
    let began = tokio::time::Instant::now();
    client.simple_query("SELECT 1").await.unwrap();
    // There and back.
    assert!(began.elapsed() >= 2 * A_WHILE);
}

/// Bytes and ends are the same with any protocol.
#[tokio::test(flavor = "multi_thread")]
async fn after_so_many_bytes_of_anything() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = Proxy::to(listener.local_addr().unwrap());
    for (ending, end) in [
        (Ending::Close, None),
        (Ending::Reset, Some(std::io::ErrorKind::ConnectionReset)),
    ] {
        proxy.cut_at(Side::Client, Point::Bytes(5), ending);
        let mut client = call(proxy.address()).await;
        client.write_all(b"0123456789").await.unwrap();
        let (mut server, _) = listener.accept().await.unwrap();
        let mut arrived = Vec::new();
        server.read_to_end(&mut arrived).await.unwrap();
        assert_eq!(arrived, b"01234");
        let ended = client.read(&mut [0; 1]).await;
        assert_eq!(ended.err().map(|error| error.kind()), end);
    }
    proxy.cut_at(Side::Server, Point::Bytes(3), Ending::Close);
    let mut client = call(proxy.address()).await;
    client.write_all(b"ask").await.unwrap();
    let (mut server, _) = listener.accept().await.unwrap();
    server.write_all(b"answer").await.unwrap();
    let mut arrived = Vec::new();
    client.read_to_end(&mut arrived).await.unwrap();
    assert_eq!(arrived, b"ans");
}

/// A half that is closed is passed on, and the other half still is heard.
#[tokio::test(flavor = "multi_thread")]
async fn a_half_closed_connection_stays_half_open() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = Proxy::to(listener.local_addr().unwrap());
    let mut client = call(proxy.address()).await;
    client.write_all(b"all of it").await.unwrap();
    client.shutdown().await.unwrap();
    let (mut server, _) = listener.accept().await.unwrap();
    let mut arrived = Vec::new();
    server.read_to_end(&mut arrived).await.unwrap();
    assert_eq!(arrived, b"all of it");
    server.write_all(b"thanks").await.unwrap();
    drop(server);
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).await.unwrap();
    assert_eq!(answer, b"thanks");
}

async fn call(address: SocketAddr) -> TcpStream {
    TcpStream::connect(address).await.unwrap()
}
