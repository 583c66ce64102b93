"""Signals by e-mail, sent by Python's smtplib and by swaks. `check.py` runs this."""

import pathlib
import smtplib
import socket
import ssl
import subprocess
from email.message import EmailMessage
from email.utils import make_msgid

from server import Server, expect

TESTDATA = pathlib.Path(__file__).resolve().parent.parent / "crates/server/testdata"
DOMAIN = "beats.example.org"
# As a crontab's MAILTO makes Debian's cron hand it to sendmail, with what a mail server adds.
CRON = """\
Received: by nas.lan (Postfix, from userid 0)
\tid 5A1C42A0; Sun, 22 Nov 2026 03:30:07 +0000 (UTC)
From: root@nas.lan (Cron Daemon)
To: %s
Subject: Cron <root@nas> /usr/local/bin/backup.sh
MIME-Version: 1.0
Content-Type: text/plain; charset=UTF-8
Content-Transfer-Encoding: 8bit
X-Cron-Env: <SHELL=/bin/sh>
Auto-Submitted: auto-generated
Message-Id: <20261122033007.5A1C42A0@nas.lan>
Date: Sun, 22 Nov 2026 03:30:07 +0000 (UTC)

Größe: 12 MB
.a line that begins with a dot
all well
"""


def smtplib_and_swaks(nightbeat, folder):
    """Everything that a mail can say, in the clear and encrypted, and everything that is refused."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = pathlib.Path(folder)
    folder.mkdir()
    config = folder / "nightbeat.toml"
    config.write_text(
        f"smtp_listen = '127.0.0.1:{port}'\nsmtp_domain = '{DOMAIN}'\n"
        f"smtp_certificate = '{TESTDATA}/mail.pem'\nsmtp_key = '{TESTDATA}/mail.key.pem'\n"
        "limits.mail_bytes = '200kB'\n"
    )
    server = Server(nightbeat, folder, "--config", str(config))
    try:
        job = server.check("m-job")["ping_url"].rsplit("/", 1)[1]
        address = server.api("/api/v1/heartbeats/m-job")["ping_email"]
        expect("mail: its address", address, f"{job}@{DOMAIN}")
        endings(server, port, job)
        several(server, port, job)
        refused(server, port, job)
        words(server, port)
        swaks(server, port, job)
    finally:
        server.stop()


def letter(subject, text, to, **headers):
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "root@nas.lan", ", ".join(to), subject
    message["Message-ID"] = make_msgid(domain="nas.lan")
    for name, value in headers.items():
        message[name] = value
    message.set_content(text)
    return message


def endings(server, port, job):
    """What an address says, in the clear and encrypted."""

    def to(ending):
        return f"{job}{ending}@{DOMAIN}"

    for encrypted in (False, True):
        of = "mail, encrypted" if encrypted else "mail, in the clear"
        with smtplib.SMTP("localhost", port, timeout=60) as client:
            if encrypted:
                client.starttls(context=ssl.create_default_context(cafile=TESTDATA / "ca.pem"))
            for ending in ("+start", "", "+fail", "+log", "+0", "+3"):
                client.send_message(letter("a subject", "a text", [to(ending)]))
            by_slug = f"{server.ping}+m-job+fail@{DOMAIN}"
            client.send_message(letter("Prüfung", "Größe 3 €", [by_slug]))
        expect(f"{of}: arrived", server.kinds("m-job")[-7:], ["start", "success", "fail", "log", "success", "fail", "fail"])
        newest = server.signals("m-job")[0]
        expect(f"{of}: its body", newest["body"], "Subject: Prüfung\n\nGröße 3 €\n")
        who = (newest["method"], newest["user_agent"], newest["source"])
        expect(f"{of}: from whom", who, ("MAIL", "Email from root@nas.lan", "127.0.0.1"))
        ping = server.api(f"/api/v3/checks/{job}/pings/")["pings"][0]
        shown = (ping["scheme"], ping["method"], ping["ua"], ping["type"])
        expect(f"{of}: as a ping", shown, ("email", "", "Email from root@nas.lan", "fail"))


def several(server, port, job):
    """One mail to several, some of whom are not there; and one that comes again."""
    other = server.check("m-other")["ping_url"].rsplit("/", 1)[1]
    before = len(server.kinds("m-job"))
    message = letter("to all", "a text", ["everybody"])
    addresses = [f"{job}@{DOMAIN}", f"{other}+fail@{DOMAIN}", f"nobody@{DOMAIN}", "ana@example.org"]
    with smtplib.SMTP("localhost", port, timeout=60) as client:
        for _ in range(3):
            gone = client.send_message(message, to_addrs=addresses)
            codes = sorted((who, code, text[:5]) for who, (code, text) in gone.items())
            expect("mail to several: refused", codes, [("ana@example.org", 550, b"5.7.1"), (addresses[2], 550, b"5.1.1")])
    expect("mail to several: sent thrice, it is one", len(server.kinds("m-job")), before + 1)
    expect("mail to several: the other one", server.kinds("m-other"), ["fail"])


def refused(server, port, job):
    before = server.kinds("m-job")
    with smtplib.SMTP("localhost", port, timeout=60) as client:
        for address, code in ((f"{job}@example.org", 550), (f"x+m-job@{DOMAIN}", 550), (f"{job}+256@{DOMAIN}", 550)):
            try:
                client.send_message(letter("s", "t", ["x"]), to_addrs=[address])
                expect(f"mail to {address}", "taken", "refused")
            except smtplib.SMTPRecipientsRefused as error:
                expect(f"mail to {address}", error.recipients[address][0], code)
        expect("mail: its size is told", client.esmtp_features.get("size"), "200000")
        try:
            client.send_message(letter("s", "long line\n" * 30_000, [f"{job}@{DOMAIN}"]))
            expect("a large mail", "taken", "refused")
        except smtplib.SMTPSenderRefused as error:
            expect("a large mail", error.smtp_code, 552)
        expect("mail: nobody is told who is here", client.verify(job)[0], 502)
    expect("mail: what is refused is no signal", server.kinds("m-job"), before)


def words(server, port):
    """Keywords in subject and text, set by Healthchecks' names."""
    fields = {"failure_kw": "FAILED", "success_kw": "completed", "start_kw": "begins"}
    server.check("m-words", filter_subject=True, filter_body=True, **fields)
    address = [f"{server.ping}+m-words@{DOMAIN}"]
    html = letter("report", "Your program shows no HTML.", address)
    html.add_alternative("<html><body><p>Backup <b>FAILED</b></p></body></html>", subtype="html")
    with smtplib.SMTP("localhost", port, timeout=60) as client:
        for message in (
            letter("backup begins", "x", address),
            letter("report", "It completed, after all.", address),
            letter("completed, but it FAILED", "x", address),
            html,
            letter("nothing to say", "x", address),
        ):
            client.send_message(message)
    found = [(s["kind"], s["ignored"]) for s in reversed(server.signals("m-words"))]
    wanted = [("start", None), ("success", None), ("fail", None), ("fail", None), ("success", "keywords")]
    expect("mail: words", found, wanted)


def swaks(server, port, job):
    """What a person tries by hand; and cron's mail."""

    def run(*more):
        command = ["swaks", "--server", f"127.0.0.1:{port}", "--from", "root@nas.lan", *more]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
        return ended.returncode, ended.stdout + ended.stderr

    by_hand = ["--to", f"{job}+fail@{DOMAIN}", "--header", "Subject: a test", "--body", "by hand"]
    code, said = run(*by_hand)
    expect(f"swaks ({said})", code, 0)
    newest = server.signals("m-job")[0]
    expect("swaks: arrived", (newest["kind"], newest["body"].split("\n")[:3]), ("fail", ["Subject: a test", "", "by hand"]))
    file = server.folder / "cron.eml"
    file.write_text(CRON % f"{job}@{DOMAIN}")
    code, said = run("--to", f"{job}@{DOMAIN}", "--data", f"@{file}")
    expect(f"cron's mail ({said})", code, 0)
    newest = server.signals("m-job")[0]
    body = "Subject: Cron <root@nas> /usr/local/bin/backup.sh\n\nGröße: 12 MB\n.a line that begins with a dot\nall well\n"
    expect("cron's mail: arrived", (newest["kind"], newest["body"].rstrip()), ("success", body.rstrip()))
    expect("swaks: relay", run("--to", "ana@example.org")[0] != 0, True)
