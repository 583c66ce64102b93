"""A server of its own for other people's clients, and what is not as it should be."""

import json
import pathlib
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

HANGING_SECONDS = 60
# What was found to be wrong: a line each.
problems = []


def expect(what, found, wanted):
    if found != wanted:
        problems.append(f"{what}: {found!r}, expected {wanted!r}")


class Server:
    """A server with one project.

    Its public URL has this path, and `settings` are more options of `nightbeat serve`.
    """

    def __init__(self, nightbeat, folder, *settings, path=""):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(exist_ok=True)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.host = f"127.0.0.1:{self.port}"
        self.base = f"http://{self.host}{path}"
        # The same as a DSN has it, behind the key.
        self.place = f"{self.host}{path}"
        database = f"sqlite:{self.folder}/nightbeat.db"
        init = [nightbeat, "init", "--email", "ana@example.org", "--json", "--database", database]
        keys = json.loads(subprocess.run(init, check=True, capture_output=True).stdout)
        self.write, self.read, self.ping = keys["api_key"], keys["read_only_key"], keys["ping_key"]
        serve = [nightbeat, "serve", "--listen", self.host, "--database", database]
        serve += ["--public-url", self.base, *settings]
        self.log = open(self.folder / "log", "wb")
        self.process = subprocess.Popen(serve, stderr=self.log)
        until = time.monotonic() + HANGING_SECONDS
        while True:
            try:
                urllib.request.urlopen(f"{self.base}/readyz", timeout=5).read()
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > until:
                    sys.exit(f"the server does not start:\n{(self.folder / 'log').read_text()}")
                time.sleep(0.05)

    def stop(self):
        self.process.terminate()
        expect("the server's end", self.process.wait(HANGING_SECONDS), 0)
        self.log.close()

    def api(self, path, body=None, method=None):
        """What a path of an API answers, as JSON."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data, {"X-Api-Key": self.write}, method=method)
        return json.load(urllib.request.urlopen(request, timeout=10))

    def status(self, path, headers=(), method="GET", body=None):
        """The status that a path is answered with."""
        request = urllib.request.Request(self.base + path, body, dict(headers), method=method)
        try:
            return urllib.request.urlopen(request, timeout=10).status
        except urllib.error.HTTPError as error:
            return error.code

    def check(self, slug, **fields):
        """Makes a check, and answers it as Healthchecks shows it."""
        return self.api("/api/v3/checks/", {"name": slug, "slug": slug, **fields})

    def signals(self, slug):
        """What a heartbeat was told, the newest first."""
        return self.api(f"/api/v1/heartbeats/{slug}/signals")["items"]

    def kinds(self, slug):
        """Which kinds of signals it was told, the oldest first."""
        return [signal["kind"] for signal in reversed(self.signals(slug))]

    def told(self, slug, *fields):
        """Fields of what it was told, the oldest first."""
        return [tuple(signal[field] for field in fields) for signal in reversed(self.signals(slug))]
