//! Passkeys, made and used by an authenticator in software.

use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{Signature, SigningKey};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::browser::{Browser, between};
use crate::people::{House, PASSWORD, house};

const ORIGIN: &str = "https://beats.example.org";
const PATH: &str = "/profile/passkeys";
/// The person is there, and has shown to be the one (WebAuthn, section 6.1).
const PRESENT_AND_VERIFIED: u8 = 0x05;
/// A new key follows.
const WITH_KEY: u8 = 0x40;

/// What makes a device's answer wrong; the second one is Eve's.
type Spoil = fn(&mut Device, &Device);

/// A device with one passkey.
struct Device {
    key: SigningKey,
    id: [u8; 16],
    user: String,
    uses: u32,
    /// What the browser says it is looking at.
    origin: &'static str,
}

impl Device {
    fn new(number: u8) -> Self {
        Self {
            key: SigningKey::from_slice(&[number; 32]).unwrap(),
            id: [number; 16],
            user: String::new(),
            uses: 0,
            origin: ORIGIN,
        }
    }

    fn client_data(&self, kind: &str, options: &Value) -> Vec<u8> {
        let data = json!({
            "type": kind,
            "challenge": options["publicKey"]["challenge"],
            "origin": self.origin,
            "crossOrigin": false,
        });
        data.to_string().into_bytes()
    }

    fn authenticator_data(&self, flags: u8) -> Vec<u8> {
        let mut data = Sha256::digest(b"beats.example.org").to_vec();
        data.push(flags);
        data.extend(self.uses.to_be_bytes());
        data
    }

    /// Makes its passkey: the answer to a question.
    fn create(&mut self, options: &Value) -> String {
        assert_eq!(
            options["publicKey"]["authenticatorSelection"]["residentKey"],
            "required"
        );
        options["publicKey"]["user"]["id"]
            .as_str()
            .unwrap()
            .clone_into(&mut self.user);
        let client_data = self.client_data("webauthn.create", options);
        let mut data = self.authenticator_data(PRESENT_AND_VERIFIED | WITH_KEY);
        data.extend([0; 16]);
        data.extend((self.id.len() as u16).to_be_bytes());
        data.extend(self.id);
        data.extend(self.cose_key());
        // CBOR: {"fmt": "none", "attStmt": {}, "authData": data}.
        let mut object = b"\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x58".to_vec();
        object.push(u8::try_from(data.len()).unwrap());
        object.extend(data);
        json!({
            "id": base64url(&self.id),
            "rawId": base64url(&self.id),
            "type": "public-key",
            "extensions": {},
            "response": {
                "clientDataJSON": base64url(&client_data),
                "attestationObject": base64url(&object),
            },
        })
        .to_string()
    }

    /// The public key as COSE has it: EC2, ES256, P-256, x, y.
    fn cose_key(&self) -> Vec<u8> {
        let point = self.key.verifying_key().to_sec1_point(false);
        let mut key = vec![0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01];
        for (name, coordinate) in [(0x21, point.x().unwrap()), (0x22, point.y().unwrap())] {
            key.extend([name, 0x58, 0x20]);
            key.extend(coordinate.iter());
        }
        key
    }

    /// Uses its passkey: the answer to a question.
    fn get(&mut self, options: &Value) -> String {
        self.uses += 1;
        let client_data = self.client_data("webauthn.get", options);
        let data = self.authenticator_data(PRESENT_AND_VERIFIED);
        let mut signed = data.clone();
        signed.extend(Sha256::digest(&client_data));
        let signature: Signature = self.key.sign(&signed);
        json!({
            "id": base64url(&self.id),
            "rawId": base64url(&self.id),
            "type": "public-key",
            "extensions": {},
            "response": {
                "clientDataJSON": base64url(&client_data),
                "authenticatorData": base64url(&data),
                "signature": base64url(signature.to_der().as_bytes()),
                "userHandle": self.user,
            },
        })
        .to_string()
    }
}

fn base64url(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let word = (0..3).fold(0_u32, |word, at| {
            word << 8 | chunk.get(at).map_or(0, |byte| u32::from(*byte))
        });
        for at in 0..=chunk.len() {
            text.push(char::from(LETTERS[(word >> (18 - 6 * at) & 63) as usize]));
        }
    }
    text
}

/// The question in a page, and the secret that names it.
fn question(page: &str) -> (Value, String) {
    let options = between(page, "data-options=\"", "\"").expect("a question");
    let options = options.replace("&#34;", "\"").replace("&#38;", "&");
    let ticket = between(page, "name=\"ticket\" value=\"", "\"").unwrap();
    (serde_json::from_str(&options).unwrap(), ticket.to_owned())
}

async fn named_house() -> House {
    house(|config| config.public_url = ORIGIN.parse().unwrap()).await
}

/// Makes the device's passkey for who is signed in.
async fn enroll(browser: &mut Browser, device: &mut Device) {
    let (options, ticket) = question(&browser.get(PATH).await.body);
    let answer = device.create(&options);
    let fields = [
        ("ticket", ticket.as_str()),
        ("credential", &answer),
        ("name", "my phone"),
    ];
    let made = browser.post(PATH, &fields).await;
    assert_eq!(made.status, 303, "{}", made.body);
}

/// The question of the sign-in.
async fn ask(browser: &mut Browser) -> (Value, String) {
    browser.get("/sign-in").await;
    let asked = browser.post("/sign-in/passkey/ask", &[]).await;
    question(&asked.body)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_passkey_signs_in_without_an_address_and_without_a_password() {
    let house = named_house().await;
    let mut ana = house.browser("ana@example.org").await;
    let mut phone = Device::new(1);
    enroll(&mut ana, &mut phone).await;
    let listed = ana.get(PATH).await.body;
    assert!(
        listed.contains("my phone") && listed.contains("never"),
        "{listed}"
    );

    let mut browser = Browser::new(house.nightbeat.address());
    let form = browser.get("/sign-in").await.body;
    assert!(form.contains("Sign in with a passkey"), "{form}");
    let (options, ticket) = ask(&mut browser).await;
    let answer = phone.get(&options);
    let fields = [
        ("ticket", ticket.as_str()),
        ("credential", &answer),
        ("next", "/projects/new"),
    ];
    let entered = browser.post("/sign-in/passkey", &fields).await;
    assert_eq!(
        (entered.status, entered.header("location")),
        (303, Some("/projects/new")),
        "{}",
        entered.body
    );
    let profile = browser.get("/profile").await.body;
    assert!(
        profile.contains("ana@example.org") && profile.contains("by passkey"),
        "{profile}"
    );
    assert!(
        !ana.get(PATH).await.body.contains("never"),
        "its use is noted"
    );

    // The same answer once more: its question was used up.
    let mut thief = Browser::new(house.nightbeat.address());
    thief.get("/sign-in").await;
    assert_eq!(thief.post("/sign-in/passkey", &fields).await.status, 401);
    // And it answers no other question.
    let (_, other) = ask(&mut thief).await;
    let fields = [("ticket", other.as_str()), ("credential", &answer)];
    assert_eq!(thief.post("/sign-in/passkey", &fields).await.status, 401);
    assert_eq!(thief.session(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_answer_signs_nobody_in() {
    let house = named_house().await;
    let mut ana = house.browser("ana@example.org").await;
    let mut phone = Device::new(1);
    enroll(&mut ana, &mut phone).await;
    let mut eve = house.browser("eve@example.org").await;
    let mut eves = Device::new(2);
    enroll(&mut eve, &mut eves).await;

    let tries: [(&str, Spoil); 4] = [
        ("a false page", |phone, _| {
            phone.origin = "https://beats.example.com";
        }),
        ("another key", |phone, eves| phone.key = eves.key.clone()),
        ("another person", |phone, eves| {
            phone.user.clone_from(&eves.user);
        }),
        ("an unknown credential", |phone, _| phone.id = [9; 16]),
    ];
    for (what, spoil) in tries {
        let mut device = Device::new(1);
        device.user.clone_from(&phone.user);
        spoil(&mut device, &eves);
        let mut browser = Browser::new(house.nightbeat.address());
        let (options, ticket) = ask(&mut browser).await;
        let answer = device.get(&options);
        let fields = [("ticket", ticket.as_str()), ("credential", &answer)];
        let refused = browser.post("/sign-in/passkey", &fields).await;
        assert_eq!((refused.status, browser.session()), (401, None), "{what}");
    }
    let mut browser = Browser::new(house.nightbeat.address());
    let (_, ticket) = ask(&mut browser).await;
    for nonsense in ["", "{}", "null"] {
        let fields = [("ticket", ticket.as_str()), ("credential", nonsense)];
        assert_eq!(browser.post("/sign-in/passkey", &fields).await.status, 401);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_passkey_is_made_by_who_proves_to_be_the_person_and_opens_nothing_when_removed() {
    let house = named_house().await;
    let mut ana = house.browser("ana@example.org").await;
    house.let_an_hour_pass(&ana).await;
    let page = ana.get(PATH).await.body;
    assert!(!page.contains("data-options"), "{page}");
    let asked = ana.post(&format!("{PATH}/begin"), &[]).await;
    assert_eq!(
        asked.header("location"),
        Some("/confirm?next=/profile/passkeys")
    );
    assert_eq!(ana.post(PATH, &[("ticket", "x")]).await.status, 303);
    ana.post("/confirm", &[("password", PASSWORD)]).await;
    let mut phone = Device::new(1);
    enroll(&mut ana, &mut phone).await;

    let mut eve = house.browser("eve@example.org").await;
    let page = ana.get(PATH).await.body;
    let id = between(&page, "/profile/passkeys/", "/remove")
        .unwrap()
        .to_owned();
    let remove = format!("{PATH}/{id}/remove");
    eve.get(PATH).await;
    assert_eq!(eve.post(&remove, &[]).await.status, 404);
    // The same device cannot be somebody else's, too.
    let (options, ticket) = question(&eve.get(PATH).await.body);
    let answer = Device::new(1).create(&options);
    let fields = [("ticket", ticket.as_str()), ("credential", &answer)];
    assert_eq!(eve.post(PATH, &fields).await.status, 409);

    assert_eq!(ana.post(&remove, &[]).await.status, 303);
    let mut browser = Browser::new(house.nightbeat.address());
    let (options, ticket) = ask(&mut browser).await;
    let answer = phone.get(&options);
    let fields = [("ticket", ticket.as_str()), ("credential", &answer)];
    assert_eq!(browser.post("/sign-in/passkey", &fields).await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_name_and_https_there_are_no_passkeys() {
    let house = house(|_| {}).await;
    let mut ana = house.browser("ana@example.org").await;
    let page = ana.get(PATH).await.body;
    assert!(
        page.contains("only for a server that is reached by a name"),
        "{page}"
    );
    let mut browser = Browser::new(house.nightbeat.address());
    let form = browser.get("/sign-in").await.body;
    assert!(!form.contains("passkey"), "{form}");
    assert_eq!(browser.post("/sign-in/passkey/ask", &[]).await.status, 404);
}
