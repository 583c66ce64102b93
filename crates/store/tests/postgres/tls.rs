//! TLS, to a server whose certificate the tests' own authority has signed for `localhost`.

use nightbeat_store::{Opener, Store, StoreError};
use nightbeat_testkit::postgres::{Cluster, Settings};

const CA: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/postgres/certificates/ca.pem"
);

#[tokio::test]
async fn a_server_has_to_prove_who_it_is() {
    let cluster = Cluster::private(Settings {
        tcp: true,
        conf: &[("ssl", "on")],
        files: &[
            ("server.crt", include_bytes!("certificates/server.crt")),
            ("server.key", include_bytes!("certificates/server.key")),
        ],
        ..Settings::default()
    });
    let url = cluster.create("nightbeat");
    let address = cluster.address().unwrap();
    // Connected to by its address, and asked for a certificate of this name.
    let named = url.replace(
        &address.to_string(),
        &format!("localhost:{}", address.port()),
    );
    let named = format!("{named}?hostaddr={}&", address.ip());
    let url = format!("{url}?");
    for (url, options, good) in [
        (
            &named,
            format!("sslmode=verify-full&sslrootcert={CA}"),
            true,
        ),
        (&named, format!("sslmode=require&sslrootcert={CA}"), true),
        // Its certificate is not made out to the address.
        (&url, format!("sslmode=verify-full&sslrootcert={CA}"), false),
        (&url, format!("sslmode=verify-ca&sslrootcert={CA}"), true),
        // This machine does not know who signed it.
        (&named, "sslmode=require".to_owned(), false),
        (&named, "sslmode=prefer".to_owned(), false),
        (&url, "sslmode=verify-ca".to_owned(), false),
        (&named, "sslmode=disable".to_owned(), true),
    ] {
        let opened = Store::open_postgres(&format!("{url}{options}"), Opener::Server).await;
        let store = match opened {
            Ok(opened) => opened.store,
            Err(error) => {
                assert!(!good, "{options}: {error}");
                let text = error.to_string();
                assert!(matches!(error, StoreError::Unavailable(_)), "{text}");
                assert!(text.contains("certificate"), "{options}: {text}");
                continue;
            }
        };
        assert!(good, "{options}: it believes anybody");
        let encrypted = store.read(|sql| {
            let query = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
            sql.query(query, &[])?[0].get::<bool>(0)
        });
        let expected = options != "sslmode=disable";
        assert_eq!(encrypted.await.unwrap(), expected, "{options}");
    }
}

#[tokio::test]
async fn a_server_without_tls_is_refused_where_tls_is_asked_for() {
    let cluster = Cluster::private(Settings {
        tcp: true,
        ..Settings::default()
    });
    let url = format!(
        "{}?sslmode=verify-ca&sslrootcert={CA}",
        cluster.create("nightbeat")
    );
    let error = Store::open_postgres(&url, Opener::Server)
        .await
        .unwrap_err();
    let text = error.to_string();
    assert!(text.contains("sslmode=disable"), "{text}");
    assert!(!text.contains(cluster.password()), "{text}");
}
