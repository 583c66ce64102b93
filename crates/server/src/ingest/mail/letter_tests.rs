use super::*;

fn read(raw: &str) -> Letter {
    Letter::read(raw.replace('\n', "\r\n").as_bytes())
}

#[test]
fn a_plain_mail_is_its_subject_and_its_text() {
    let letter = read(
        "From: root <root@nas.lan>\nSubject: backup\n done\nDate: Sun, 22 Nov 2026 03:30:00 +0000\n\n\
         12 files\n\n.profile too\n",
    );
    assert_eq!(letter.subject, "backup done");
    assert_eq!(letter.text, "12 files\n\n.profile too\n");
    assert_eq!(letter.beside, "");
}

#[test]
fn encodings_are_undone() {
    let letter = read(
        "Subject: =?UTF-8?B?U2ljaGVydW5nIMO8YmVy?= =?iso-8859-1?Q?pr=FCft?=\nMIME-Version: 1.0\n\
         Content-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\n\
         Gr=F6=\n=DFe 3\n",
    );
    assert_eq!(letter.subject, "Sicherung überprüft");
    assert_eq!(letter.text, "Größe 3\n");
    let letter = read(
        "Subject: x\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n\n\
         R3LDtsOfZQo=\n",
    );
    assert_eq!(letter.text, "Größe\n");
    let letter = read(
        "Content-Type: text/plain; charset=Shift_JIS\nContent-Transfer-Encoding: base64\n\n\
         k/qWew==\n",
    );
    assert_eq!(letter.text, "日本");
}

#[test]
fn of_alternatives_the_plain_one_is_the_text_and_the_other_stands_beside() {
    let letter = read(
        "Subject: report\nContent-Type: multipart/alternative; boundary=b\n\n\
         --b\nContent-Type: text/plain\n\nSee the HTML part.\n\
         --b\nContent-Type: text/html\n\n<p>Job <b>SUCCESS</b> &amp; more</p>\n--b--\n",
    );
    assert_eq!(letter.text.trim(), "See the HTML part.");
    assert!(letter.beside.contains("Job SUCCESS & more"), "{letter:?}");
}

#[test]
fn a_mail_of_html_alone_is_what_it_says() {
    let letter = read(
        "Subject: report\nContent-Type: text/html; charset=utf-8\n\n\
         <html><head><title>t</title></head><body><h1>Backup</h1><p>12 files</p></body></html>\n",
    );
    assert!(letter.text.contains("Backup"), "{letter:?}");
    assert!(letter.text.contains("12 files") && !letter.text.contains('<'));
    assert_eq!(letter.beside, "");
}

#[test]
fn attachments_are_no_text() {
    let letter = read(
        "Subject: report\nContent-Type: multipart/mixed; boundary=b\n\n\
         --b\nContent-Type: text/plain\n\nall well\n\
         --b\nContent-Type: text/plain; name=x.log\nContent-Disposition: attachment; filename=x.log\n\n\
         ERROR\n--b--\n",
    );
    assert_eq!(letter.text.trim(), "all well");
}

#[test]
fn what_is_no_mail_is_text() {
    for raw in [
        &b"no header at all"[..],
        b"\r\n\r\nonly text\r\n",
        b"\xff\xfe\0",
        b"",
    ] {
        let letter = Letter::read(raw);
        assert_eq!(letter.subject, "", "{raw:?}");
        assert!(!letter.text.contains('\r'), "{letter:?}");
    }
    assert_eq!(Letter::read(b"\r\nonly text\r\n").text.trim(), "only text");
}

#[test]
fn a_subject_is_one_line_of_text() {
    let letter = read(&format!("Subject: a\tb\x07 {}\n\nx\n", "é".repeat(2_000)));
    assert!(letter.subject.starts_with("a b é"), "{}", letter.subject);
    assert_eq!(letter.subject.chars().count(), SUBJECT_CHARS_MAX);
}

fn line(name: &str, value: &str) -> String {
    match value {
        "" => String::new(),
        value => format!("{name}: {value}\n"),
    }
}

#[test]
fn a_mail_that_comes_again_bears_the_same_mark() {
    let mail = |received: &str, id: &str, date: &str, body: &str| {
        let (id, date) = (line("Message-ID", id), line("Date", date));
        read(&format!("{received}{id}{date}Subject: s\n\n{body}\n")).mark
    };
    let first = mail("", "<1@nas>", "Sun, 22 Nov 2026 03:30:00 +0000", "x");
    assert_eq!(first.as_ref().unwrap().len(), 2 * MARK_BYTES);
    let received = "Received: from nas by relay;\n Sun, 22 Nov 2026 03:31:00 +0000\n";
    let again = mail(received, "<1@nas>", "Sun, 22 Nov 2026 03:30:00 +0000", "x");
    assert_eq!(again, first);
    for (id, date, body) in [
        ("<2@nas>", "Sun, 22 Nov 2026 03:30:00 +0000", "x"),
        // A device that gives all its mails one id.
        ("<1@nas>", "Mon, 23 Nov 2026 03:30:00 +0000", "x"),
        ("<1@nas>", "Sun, 22 Nov 2026 03:30:00 +0000", "y"),
        ("<1@nas>", "", "x"),
        ("", "Sun, 22 Nov 2026 03:30:00 +0000", "x"),
    ] {
        let other = mail("", id, date, body);
        assert!(other.is_some() && other != first, "{id} {date} {body}");
    }
    assert_eq!(mail("", "", "", "x"), None, "it may be tomorrow's");
}

#[test]
fn a_mail_of_very_many_parts_is_not_taken_apart() {
    // Each in the one before: whoever takes them apart by recursion runs out of stack.
    let deep = "Content-Type: message/rfc822\r\n\r\n".repeat(100_000);
    let letter = Letter::read(format!("Subject: deep\r\n{deep}end\r\n").as_bytes());
    assert_eq!(letter.subject, "deep");
    assert!(letter.text.ends_with("end\n"));
    let few = "Content-Type: message/rfc822\r\n\r\n".repeat(PARTS_MAX);
    Letter::read(format!("{few}end\r\n").as_bytes());
}
