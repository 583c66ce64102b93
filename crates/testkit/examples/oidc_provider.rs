//! A small OpenID Connect provider for journeys through the pages: `oidc_provider ada@example.org`. It prints its
//! issuer, signs everybody in as that person, and ends with its standard input.

use std::io::Read as _;

use nightbeat_testkit::oidc::{OidcProvider, Person};

fn main() {
    let email = std::env::args().nth(1).expect("an e-mail address");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let provider = runtime.block_on(OidcProvider::start());
    let person = Person {
        subject: format!("subject of {email}"),
        email,
        verified: true,
    };
    *provider.at_the_browser.lock().expect("nobody has failed") = Some(person);
    println!("{}", provider.issuer());
    let mut rest = Vec::new();
    // Whoever started this holds the other end.
    std::io::stdin().read_to_end(&mut rest).expect("an end");
}
