//! Signing in at an OpenID Connect provider.

use nightbeat_server::config::{Config, Secret, SignUp};
use nightbeat_testkit::oidc::{CLIENT_ID, CLIENT_SECRET, OidcProvider, Person, Spoiled};

use crate::browser::Browser;
use crate::people::{House, house};

fn configured(provider: &OidcProvider) -> impl FnOnce(&mut Config) + use<> {
    let issuer = provider.issuer();
    move |config| {
        config.oidc.issuer = Some(issuer);
        config.oidc.client_id = Some(CLIENT_ID.to_owned());
        config.oidc.client_secret = Some(Secret(CLIENT_SECRET.to_owned()));
        config.oidc.name = Some("Keyring".to_owned());
        config.public_url = "http://beats.example.org".parse().unwrap();
        // The provider is on this machine.
        config.outgoing.allow = vec!["127.0.0.1/32".parse().unwrap()];
    }
}

fn person(subject: &str, email: &str, verified: bool) -> Person {
    Person {
        subject: subject.to_owned(),
        email: email.to_owned(),
        verified,
    }
}

impl House {
    /// Goes to the provider, signs in there, and comes back: the path of the way back.
    async fn to_provider_and_back(
        &self,
        browser: &mut Browser,
        provider: &OidcProvider,
        person: &Person,
    ) -> String {
        let away = browser.get("/sign-in/oidc?next=/projects/new").await;
        assert_eq!(away.status, 303, "{}", away.body);
        let now = self.nightbeat.server.node().now().0 / 1_000_000;
        let back = provider.sign_in(away.header("location").unwrap(), person, now);
        let path = back.strip_prefix("http://beats.example.org").unwrap();
        path.to_owned()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_the_provider_knows_is_signed_in() {
    let provider = OidcProvider::start().await;
    let house = house(configured(&provider)).await;
    let mut browser = Browser::new(house.nightbeat.address());
    assert!(
        browser
            .get("/sign-in")
            .await
            .body
            .contains("Sign in with Keyring")
    );
    let ana = person("ana-there", "Ana@example.org", true);
    let back = house
        .to_provider_and_back(&mut browser, &provider, &ana)
        .await;
    let entered = browser.get(&back).await;
    assert_eq!(
        (entered.status, entered.header("location")),
        (303, Some("/projects/new")),
        "{}",
        entered.body
    );
    assert!(
        browser
            .get("/profile")
            .await
            .body
            .contains("ana@example.org")
    );
    assert_eq!(
        browser.get(&back).await.status,
        401,
        "the way back works once"
    );

    // The same person, whose address at the provider is another one now, and not verified.
    let mut again = Browser::new(house.nightbeat.address());
    let moved = person("ana-there", "eve@example.org", false);
    let back = house
        .to_provider_and_back(&mut again, &provider, &moved)
        .await;
    assert_eq!(again.get(&back).await.status, 303);
    assert!(again.get("/profile").await.body.contains("ana@example.org"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_is_not_verified_opens_nobodys_account() {
    let provider = OidcProvider::start().await;
    let house = house(configured(&provider)).await;
    let mut browser = Browser::new(house.nightbeat.address());
    let mallory = person("mallory", "ana@example.org", false);
    let back = house
        .to_provider_and_back(&mut browser, &provider, &mallory)
        .await;
    assert_eq!(
        (browser.get(&back).await.status, browser.session()),
        (403, None)
    );
    let unknown = person("fay", "fay@example.org", true);
    let back = house
        .to_provider_and_back(&mut browser, &provider, &unknown)
        .await;
    assert_eq!(
        (browser.get(&back).await.status, browser.session()),
        (403, None)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn where_sign_up_is_open_the_first_visit_makes_an_account() {
    let provider = OidcProvider::start().await;
    let configure = configured(&provider);
    let open = |config: &mut Config| {
        configure(config);
        config.sign_up = SignUp::Open;
    };
    let house = house(open).await;
    let mut browser = Browser::new(house.nightbeat.address());
    let fay = person("fay", "fay@example.org", true);
    let back = house
        .to_provider_and_back(&mut browser, &provider, &fay)
        .await;
    assert_eq!(browser.get(&back).await.status, 303);
    let profile = browser.get("/profile").await.body;
    assert!(profile.contains("fay@example.org"), "{profile}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_not_for_this_sign_in_is_refused() {
    let provider = OidcProvider::start().await;
    let house = house(configured(&provider)).await;
    let ana = person("ana-there", "ana@example.org", true);
    for spoiled in [
        Spoiled::Key,
        Spoiled::Audience,
        Spoiled::Issuer,
        Spoiled::Nonce,
        Spoiled::Expired,
    ] {
        *provider.spoil.lock().unwrap() = spoiled;
        let mut browser = Browser::new(house.nightbeat.address());
        let back = house
            .to_provider_and_back(&mut browser, &provider, &ana)
            .await;
        let refused = browser.get(&back).await;
        assert_eq!(
            (refused.status, browser.session()),
            (401, None),
            "{spoiled:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_browser_that_went_comes_back() {
    let provider = OidcProvider::start().await;
    let house = house(configured(&provider)).await;
    let ana = person("ana-there", "ana@example.org", true);
    // Mallory signs in, and sends Ana the way back: Ana would be signed in as Mallory.
    let mut mallory = Browser::new(house.nightbeat.address());
    let back = house
        .to_provider_and_back(&mut mallory, &provider, &ana)
        .await;
    let mut victim = Browser::new(house.nightbeat.address());
    victim.get("/sign-in").await;
    assert_eq!(
        (victim.get(&back).await.status, victim.session()),
        (401, None)
    );
    for path in [
        "/sign-in/oidc/callback",
        "/sign-in/oidc/callback?code=x&state=y",
        "/sign-in/oidc/callback?error=access_denied&state=y",
    ] {
        assert_eq!(victim.get(path).await.status, 401, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_is_away_is_told() {
    let house = house(|config| {
        config.oidc.issuer = Some("http://127.0.0.1:9".to_owned());
        config.oidc.client_id = Some(CLIENT_ID.to_owned());
    })
    .await;
    let mut browser = Browser::new(house.nightbeat.address());
    let told = browser.get("/sign-in/oidc").await;
    assert_eq!(told.status, 502);
    assert!(
        told.body.contains("does not answer as it should"),
        "{}",
        told.body
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_provider_there_is_no_such_page() {
    let house = house(|_| {}).await;
    let mut browser = Browser::new(house.nightbeat.address());
    assert!(!browser.get("/sign-in").await.body.contains("OpenID"));
    assert_eq!(browser.get("/sign-in/oidc").await.status, 404);
}
