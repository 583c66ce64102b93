use super::*;

const ID: &str = "4c1e0a52-7f36-4b2e-9d7c-2f6b1c9e8a10";

fn house(tls: bool) -> House {
    House {
        domains: vec!["beats.example.org".parse().unwrap()],
        mail_bytes: 100_000,
        tls,
    }
}

/// What is answered to a line; every address is found, and every text is taken.
fn said(session: &mut Session<'_>, line: &str) -> String {
    let line = format!("{line}\r\n");
    let mut next = session.line(Ok(line.as_bytes()));
    if let Next::LookUp(address) = next {
        next = session.looked_up(address, Found::One);
    }
    let (reply, mark) = match &next {
        Next::Say(reply) => (reply, ""),
        Next::Close(reply) => (reply, " close"),
        Next::Text(reply) => (reply, " text"),
        Next::StartTls(reply) => (reply, " tls"),
        Next::LookUp(_) => unreachable!("it was looked up"),
    };
    format!("{}{mark}", reply.code)
}

#[test]
fn commands_have_their_order() {
    let house = house(true);
    let mut session = Session::new(&house);
    assert_eq!(session.greeting().code, 220);
    for (line, expected) in [
        ("MAIL FROM:<a@b.example>", "503"),
        ("EHLO", "501"),
        ("EHLO nas.lan", "250"),
        (&format!("RCPT TO:<{ID}@beats.example.org>"), "503"),
        ("DATA", "503"),
        (
            "MAIL FROM:<a@b.example> SIZE=100 BODY=8BITMIME SMTPUTF8",
            "250",
        ),
        ("MAIL FROM:<a@b.example>", "503"),
        ("DATA", "503"),
        ("RCPT TO:<x@example.org>", "550"),
        ("DATA", "554"),
        (
            &format!("rcpt to:<{ID}+start@beats.example.org> NOTIFY=NEVER"),
            "250",
        ),
        ("DATA", "354 text"),
    ] {
        assert_eq!(said(&mut session, line), expected, "{line}");
    }
    let envelope = session.envelope().unwrap();
    assert_eq!(
        (envelope.from.as_str(), envelope.to.len()),
        ("a@b.example", 1)
    );
    assert_eq!(
        session.told(Outcome::Taken),
        Next::Say(Reply::new(250, "2.0.0 recorded"))
    );
    for (line, expected) in [
        ("DATA", "503"),
        ("MAIL FROM:<>", "250"),
        ("RSET", "250"),
        ("DATA", "503"),
        ("MAIL FROM:<root>", "250"),
        ("HELO nas.lan", "250"),
        ("MAIL FROM: <a@b.example>", "250"),
        ("QUIT", "221 close"),
    ] {
        assert_eq!(said(&mut session, line), expected, "{line}");
    }
}

#[test]
fn what_is_not_offered_is_refused() {
    let house = house(false);
    for (line, expected) in [
        ("VRFY ana", "502"),
        ("EXPN list", "502"),
        ("AUTH PLAIN AGFuYQBzZWNyZXQ=", "502"),
        ("STARTTLS", "502"),
        ("BDAT 100 LAST", "502 close"),
        ("ETRN x", "500"),
        ("LHLO x", "500"),
        ("GET / HTTP/1.1", "500"),
        ("", "500"),
        ("NOOP", "250"),
        ("HELP", "214"),
        ("MAIL FROM:<a@b.example> SIZE=100001", "552"),
        ("MAIL FROM:<a@b.example> SIZE=10000000000", "552"),
        ("MAIL FROM:<a@b.example> SIZE=x", "501"),
        ("MAIL FROM:<a@b.example> FOO=bar", "555"),
        ("MAIL FROM:<a@b.example> BODY=BINARYMIME", "555"),
        ("MAIL FROM:a@b.example", "501"),
        ("MAIL TO:<a@b.example>", "501"),
    ] {
        let mut session = Session::new(&house);
        assert_eq!(said(&mut session, "EHLO x"), "250");
        assert_eq!(said(&mut session, line), expected, "{line}");
    }
}

#[test]
fn extensions_are_told_and_encryption_forgets_what_was_said() {
    let house = house(true);
    let mut session = Session::new(&house);
    let told = |session: &mut Session<'_>| {
        let Next::Say(reply) = session.line(Ok(b"EHLO x\r\n")) else {
            panic!("no reply");
        };
        let mut out = Vec::new();
        reply.write(&mut out);
        String::from_utf8(out).unwrap()
    };
    let all = "250-beats.example.org\r\n250-PIPELINING\r\n250-SIZE 100000\r\n250-8BITMIME\r\n\
               250-SMTPUTF8\r\n250-ENHANCEDSTATUSCODES\r\n250 STARTTLS\r\n";
    assert_eq!(told(&mut session), all);
    assert_eq!(said(&mut session, "MAIL FROM:<a@b.example>"), "250");
    assert_eq!(said(&mut session, "STARTTLS"), "220 tls");
    session.is_encrypted();
    assert_eq!(said(&mut session, "MAIL FROM:<a@b.example>"), "503");
    let all = "250-beats.example.org\r\n250-PIPELINING\r\n250-SIZE 100000\r\n250-8BITMIME\r\n\
               250-SMTPUTF8\r\n250 ENHANCEDSTATUSCODES\r\n";
    assert_eq!(told(&mut session), all);
    assert_eq!(said(&mut session, "STARTTLS"), "503");
    assert_eq!(
        said(&mut session, &format!("RCPT TO:<{ID}@beats.example.org>")),
        "503"
    );
}

#[test]
fn an_address_may_stand_in_brackets_of_its_own() {
    let mut house = house(false);
    house.domains = vec!["[127.0.0.1]".parse().unwrap(), "::1".parse().unwrap()];
    let mut session = Session::new(&house);
    assert_eq!(said(&mut session, "EHLO [127.0.0.1]"), "250");
    assert_eq!(said(&mut session, "MAIL FROM:<a@[192.0.2.1]>"), "250");
    for domain in ["[127.0.0.1]", "[IPv6:::1]"] {
        assert_eq!(
            said(&mut session, &format!("RCPT TO:<{ID}@{domain}>")),
            "250"
        );
    }
    assert_eq!(
        said(&mut session, &format!("RCPT TO:<{ID}@[127.0.0.2]>")),
        "550"
    );
    assert_eq!(said(&mut session, &format!("RCPT TO:<{ID}>")), "550");
    assert_eq!(
        session.envelope().unwrap().to.len(),
        1,
        "named twice, it is told once"
    );
}

#[test]
fn what_is_found_at_an_address_is_answered() {
    let house = house(false);
    for (found, code) in [
        (Found::One, 250),
        (Found::None, 550),
        (Found::Several, 550),
        (Found::Unknown, 451),
    ] {
        let mut session = Session::new(&house);
        said(&mut session, "EHLO x");
        said(&mut session, "MAIL FROM:<>");
        let line = format!("RCPT TO:<{ID}@beats.example.org>\r\n");
        let Next::LookUp(address) = session.line(Ok(line.as_bytes())) else {
            panic!("not looked up");
        };
        let Next::Say(reply) = session.looked_up(address, found) else {
            panic!("no reply");
        };
        assert_eq!(reply.code, code, "{found:?}");
        let may_go_on = said(&mut session, "DATA") == "354 text";
        assert_eq!(may_go_on, found == Found::One);
    }
}

#[test]
fn recipients_mistakes_and_idle_talk_have_an_end() {
    let house = house(false);
    let mut session = Session::new(&house);
    said(&mut session, "EHLO x");
    said(&mut session, "MAIL FROM:<>");
    for number in 0..RECIPIENTS_MAX {
        let line = format!("RCPT TO:<key+job-{number}@beats.example.org>");
        assert_eq!(said(&mut session, &line), "250");
    }
    assert_eq!(
        said(&mut session, "RCPT TO:<key+one-more@beats.example.org>"),
        "452"
    );
    assert_eq!(said(&mut session, "DATA"), "354 text");

    let mut session = Session::new(&house);
    for _ in 1..REFUSALS_MAX {
        assert_eq!(said(&mut session, "what"), "500");
    }
    assert_eq!(said(&mut session, "what"), "421 close");

    let mut session = Session::new(&house);
    for _ in 0..IDLE_COMMANDS_MAX {
        assert_eq!(said(&mut session, "NOOP"), "250");
    }
    assert_eq!(said(&mut session, "NOOP"), "421 close");
}

#[test]
fn a_line_that_is_none_is_refused() {
    let house = house(false);
    for problem in [LineProblem::TooLong, LineProblem::Bare] {
        let mut session = Session::new(&house);
        let Next::Say(reply) = session.line(Err(problem)) else {
            panic!("no reply");
        };
        assert_eq!(reply.code, 500);
    }
}

#[test]
fn nothing_that_the_client_said_comes_back() {
    let house = house(false);
    let mut session = Session::new(&house);
    for line in [
        "EHLO marker",
        "MAIL FROM:<marker@b.example> MARKER=1",
        "MAIL FROM:<marker@b.example>",
        "RCPT TO:<marker@marker>",
        "RCPT TO:<marker@beats.example.org>",
        "NOOP marker",
        "marker",
    ] {
        let line = format!("{line}\r\n");
        let (Next::Say(reply) | Next::Close(reply)) = session.line(Ok(line.as_bytes())) else {
            panic!("{line}");
        };
        let mut out = Vec::new();
        reply.write(&mut out);
        let out = String::from_utf8(out).unwrap();
        assert!(!out.to_lowercase().contains("marker"), "{out}");
    }
}
