"""Runs other people's clients against a real server, and looks at what arrived.

    check.py --nightbeat target/debug/nightbeat --rust-client target/clients-rust/debug/nightbeat-clients

Healthchecks' ping and management API is spoken by the PyPI package healthchecks-io, the npm package
healthchecks-io-client, the crate healthchecks, borgmatic, emborg, and whatever sends an HTTP request; Uptime
Kuma's, Cronitor's and Sentry's by borgmatic, Sentry's also by its SDK and its command line; mail is sent by
smtplib and swaks. What differs is said where it is expected. Ends with 1 and a line about each thing that is not
as it should be.
"""

import argparse
import os
import sys
import tempfile

import borg
import healthchecks
import mail
import recorded
import sentry
import shell
from server import Server, problems


def look(clients, server):
    """Runs the clients one after the other; each is a function, and what else it needs."""
    try:
        for client, *more in clients:
            client(server, *more)
            print(f"{client.__module__}, {client.__name__}: looked at {server.base}")
    finally:
        server.stop()


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--nightbeat", required=True)
    arguments.add_argument("--rust-client", required=True)
    arguments = arguments.parse_args()
    nightbeat = os.path.abspath(arguments.nightbeat)
    all_of_them = (
        (healthchecks.from_pypi,),
        (healthchecks.from_npm,),
        (healthchecks.from_crates_io, arguments.rust_client),
        (borg.borgmatic,),
        (borg.emborg,),
        (sentry.sdk,),
        (sentry.cli,),
        (shell.curl,),
        (shell.snitch,),
        (shell.wget,),
        (shell.busybox,),
        (shell.python,),
        (shell.bash,),
        (recorded.runitor,),
        (recorded.resticprofile,),
        (recorded.ansible,),
    )
    under_a_path = ((healthchecks.from_pypi,), (healthchecks.from_npm,), (borg.borgmatic,), (sentry.cli,))
    with tempfile.TemporaryDirectory() as folder:
        look(all_of_them, Server(nightbeat, os.path.join(folder, "root"), "--snitch-host", shell.SNITCH_HOST))
        look(under_a_path, Server(nightbeat, os.path.join(folder, "path"), path="/beats"))
        mail.smtplib_and_swaks(nightbeat, os.path.join(folder, "mail"))
        print("mail, smtplib_and_swaks: looked at")
    for problem in problems:
        print(problem, file=sys.stderr)
    sys.exit(1 if problems else 0)


main()
