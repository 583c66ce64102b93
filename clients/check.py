"""Runs other people's clients against a real server, and looks at what arrived.

    check.py --nightbeat target/debug/nightbeat

Healthchecks' ping and management API is spoken by the PyPI package healthchecks-io and by borgmatic, Uptime
Kuma's, Cronitor's and Sentry's by borgmatic, Sentry's also by its SDK. What differs is said where it is
expected. Ends with 1 and a line about each thing that is not as it should be.
"""

import argparse
import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

HANGING_SECONDS = 60
problems = []


def expect(what, found, wanted):
    if found != wanted:
        problems.append(f"{what}: {found!r}, expected {wanted!r}")


class Server:
    """A server of its own, with one project."""

    def __init__(self, nightbeat, folder):
        self.folder = pathlib.Path(folder)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.base = f"http://127.0.0.1:{port}"
        database = f"sqlite:{self.folder}/nightbeat.db"
        init = [nightbeat, "init", "--email", "ana@example.org", "--json", "--database", database]
        keys = json.loads(subprocess.run(init, check=True, capture_output=True).stdout)
        self.write, self.read, self.ping = keys["api_key"], keys["read_only_key"], keys["ping_key"]
        serve = [nightbeat, "serve", "--listen", f"127.0.0.1:{port}", "--database", database]
        serve += ["--public-url", self.base]
        self.log = open(self.folder / "log", "wb")
        self.process = subprocess.Popen(serve, stderr=self.log)
        until = time.monotonic() + HANGING_SECONDS
        while True:
            try:
                urllib.request.urlopen(f"{self.base}/readyz", timeout=5).read()
                return
            except OSError:
                if time.monotonic() > until:
                    sys.exit("the server does not start")
                time.sleep(0.05)

    def stop(self):
        self.process.terminate()
        expect("the server's end", self.process.wait(HANGING_SECONDS), 0)

    def api(self, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data, {"X-Api-Key": self.write})
        return json.load(urllib.request.urlopen(request, timeout=10))

    def check(self, **fields):
        return self.api("/api/v3/checks/", fields)

    def kinds(self, slug):
        """What a heartbeat was told, the oldest first."""
        items = self.api(f"/api/v1/heartbeats/{slug}/signals")["items"]
        return [signal["kind"] for signal in reversed(items)]

    def signals(self, slug):
        return self.api(f"/api/v1/heartbeats/{slug}/signals")["items"]


def healthchecks_io(server):
    """Every call of the PyPI package, in all three versions of the API."""
    from healthchecks_io import Client
    from healthchecks_io.client.exceptions import CheckNotFoundError, HCAPIAuthError
    from healthchecks_io.schemas import CheckCreate, CheckUpdate

    hook = {"name": "hook", "kind": "webhook", "settings": {"url": "https://hooks.example.org/"}}
    server.api("/api/v1/channels", hook)
    for version in (1, 2, 3):
        of = f"healthchecks-io, version {version}"
        urls = {"api_url": f"{server.base}/api/", "ping_url": f"{server.base}/ping/"}
        client = Client(server.write, server.ping, api_version=version, **urls)
        slug = f"by-client-{version}"
        name = f"By client {version}"
        made = client.create_check(CheckCreate(name=name, tags="py client", timeout=600))
        expect(f"{of}: made", (made.name, made.tags, made.timeout, made.status), (name, "py client", 600, "new"))
        expect(f"{of}: slug", made.slug, slug)
        # What it does not name, the client sends as empty.
        again = client.create_check(CheckCreate(name=name, tags="py client", desc="again", unique=["name"]))
        expect(f"{of}: unique", (again.uuid, again.desc), (made.uuid, "again"))
        cron = CheckCreate(name=f"Cron {version}", schedule="30 3 * * *", tz="Europe/Madrid")
        expect(f"{of}: cron", client.create_check(cron).timeout, None)
        changed = client.update_check(made.uuid, CheckUpdate(desc="new", grace=120))
        expect(f"{of}: changed", (changed.desc, changed.grace, changed.name), ("new", 120, name))
        expect(f"{of}: listed", [c.uuid for c in client.get_checks(["py"])][-1], made.uuid)
        expect(f"{of}: shown", client.get_check(made.uuid).uuid, made.uuid)
        for said in (
            client.start_ping(uuid=made.uuid),
            client.success_ping(uuid=made.uuid, data="done"),
            client.success_ping(slug=slug),
            client.exit_code_ping(3, slug=slug, data="no room"),
            client.fail_ping(slug=slug),
        ):
            expect(f"{of}: ping", said, (True, "OK"))
        expect(f"{of}: arrived", server.kinds(slug), ["start", "success", "success", "fail", "fail"])
        pings = client.get_check_pings(made.uuid)
        expect(f"{of}: pings", [ping.type for ping in pings], ["fail", "fail", "success", "success", "start"])
        expect(f"{of}: duration", pings[3].duration is None, False)
        try:
            client.get_check_flips(made.uuid, seconds=3600)
            problems.append(f"{of}: flips are read now: expect them")
        except TypeError:
            # It reads a list, as an example in the documentation has it. Healthchecks' server answers an
            # object, and so do we.
            pass
        expect(f"{of}: channels", [c.name for c in client.get_integrations()], ["hook"])
        badges = client.get_badges()
        badge = json.load(urllib.request.urlopen(badges["py"].json_url, timeout=10))
        expect(f"{of}: badge", badge["status"], "down")
        expect(f"{of}: paused", client.pause_check(made.uuid).status, "paused")
        looking = Client(server.read, api_version=version, **urls)
        seen = [c for c in looking.get_checks() if c.name == name]
        expect(f"{of}: read-only", (seen[0].uuid, len(seen[0].unique_key)), (None, 40))
        for refused, call in (
            (HCAPIAuthError, lambda: looking.pause_check(made.uuid)),
            (CheckNotFoundError, lambda: client.success_ping(slug="nobody")),
        ):
            try:
                call()
                problems.append(f"{of}: not refused with {refused.__name__}")
            except refused:
                pass
        expect(f"{of}: deleted", client.delete_check(made.uuid).name, name)
        try:
            client.get_check(made.uuid)
            problems.append(f"{of}: a deleted check is shown")
        except CheckNotFoundError:
            pass


def borgmatic(server):
    """A real backup with borg, and two that fail; its hooks of four products."""
    folder = server.folder / "borg"
    (folder / "source").mkdir(parents=True)
    (folder / "source" / "file").write_text("worth keeping")
    environment = {
        **os.environ,
        "HOME": str(folder),
        "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes",
    }
    for slug in ("b-kuma", "b-cronitor", "b-sentry"):
        server.check(name=slug, slug=slug)
    kuma = server.api("/api/v1/heartbeats/b-kuma")["id"]
    host = server.base.removeprefix("http://")

    def run(source, repository):
        config = {
            "source_directories": [str(source)],
            "source_directories_must_exist": True,
            "repositories": [{"path": str(repository)}],
            "healthchecks": {
                "ping_url": f"{server.base}/ping/{server.ping}/b-health",
                "create_slug": True,
                "send_logs": True,
            },
            "uptime_kuma": {"push_url": f"{server.base}/api/push/{kuma}", "states": ["finish", "fail"]},
            "cronitor": {"ping_url": f"{server.base}/p/{server.ping}/b-cronitor"},
            "sentry": {
                "data_source_name_url": f"http://{server.ping}@{host}/1",
                "monitor_slug": "b-sentry",
            },
        }
        file = folder / "config.yaml"
        file.write_text(json.dumps(config))
        command = [pathlib.Path(sys.executable).with_name("borgmatic"), "-c", file, "-v", "1"]
        ended = subprocess.run([*command, "create"], env=environment, capture_output=True, text=True)
        return ended.returncode, ended.stdout + ended.stderr

    repository = folder / "repository"
    init = ["borg", "init", "--encryption", "none", repository]
    subprocess.run(init, check=True, env=environment, capture_output=True)
    expect("borgmatic: a backup", run(folder / "source", repository)[0], 0)
    code, said = run(folder / "source", folder / "missing")
    expect(f"borgmatic: no repository ({said})", code, 1)
    code, said = run(folder / "no-source", repository)
    expect(f"borgmatic: no source ({said})", code, 1)

    one = ["start", "log", "success"]
    kinds = server.kinds("b-health")
    expect("borgmatic: Healthchecks, well", kinds[:3] in (one, ["start", "success", "log"]), True)
    expect("borgmatic: Healthchecks, starts and ends", [k for k in kinds if k != "log"],
           ["start", "success", "start", "fail", "start", "fail"])
    ends = [s for s in server.signals("b-health") if s["kind"] in ("success", "fail")]
    expect("borgmatic: its log is the body", [bool(s["body"]) for s in ends], [True, True, True])
    expect("borgmatic: Uptime Kuma", server.kinds("b-kuma"), ["success", "fail", "fail"])
    six = ["start", "success", "start", "fail", "start", "fail"]
    expect("borgmatic: Cronitor", server.kinds("b-cronitor"), six)
    expect("borgmatic: Sentry", server.kinds("b-sentry"), six)


def sentry_sdk(server):
    """Check-ins of Sentry's SDK, with and without a schedule."""
    import sentry_sdk as sdk
    from sentry_sdk.crons import MonitorStatus, capture_checkin, monitor

    host = server.base.removeprefix("http://")
    sdk.init(dsn=f"http://{server.ping}@{host}/1", default_integrations=False)
    config = {
        "schedule": {"type": "crontab", "value": "0 4 * * *"},
        "timezone": "Europe/Vienna",
        "checkin_margin": 10,
        "max_runtime": 20,
    }

    @monitor(monitor_slug="sdk-job", monitor_config=config)
    def job(fails):
        if fails:
            raise ValueError("no")

    job(False)
    sdk.flush(HANGING_SECONDS)
    try:
        job(True)
    except ValueError:
        pass
    sdk.flush(HANGING_SECONDS)
    found = server.api("/api/v1/heartbeats/sdk-job")
    expect("sentry-sdk: schedule", found["schedule"], {"cron": "0 4 * * *", "timezone": "Europe/Vienna"})
    expect("sentry-sdk: grace and run time", (found["grace"], found["max_run_time"]), (600, 1200))
    expect("sentry-sdk: arrived", server.kinds("sdk-job"), ["start", "success", "start", "fail"])
    signals = server.signals("sdk-job")
    expect("sentry-sdk: a run id for each run", len({s["rid"] for s in signals}), 2)
    capture_checkin(monitor_slug="sdk-job", status=MonitorStatus.OK, duration=1.5)
    sdk.flush(HANGING_SECONDS)
    newest = server.signals("sdk-job")[0]
    expect("sentry-sdk: duration", (newest["kind"], newest["metrics"]), ("success", {"duration": 1.5}))


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--nightbeat", required=True)
    nightbeat = os.path.abspath(arguments.parse_args().nightbeat)
    with tempfile.TemporaryDirectory() as folder:
        server = Server(nightbeat, folder)
        try:
            for client in (healthchecks_io, borgmatic, sentry_sdk):
                client(server)
                print(f"{client.__name__}: looked at")
        finally:
            server.stop()
    for problem in problems:
        print(problem, file=sys.stderr)
    sys.exit(1 if problems else 0)


main()
