"""Throws schemathesis at a server with something in it: at /api/v1 by its own OpenAPI document, with all checks, and
at Healthchecks' dialect under /api/v3.

    fuzz.py --nightbeat target/debug/nightbeat [--examples 20] [--seed 1]

`--examples` is how many requests the generator makes up for each operation, besides those that it derives from the
document one by one. What the document cannot say (that a channel exists, that a time is in the future) is put
right by fuzz_hooks.py. Ends with 1 where anything failed; schemathesis' own report says what, with a curl line.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import urllib.request

from server import Server, problems

HERE = pathlib.Path(__file__).parent.resolve()
DOCUMENT = HERE.parent / "docs" / "openapi.json"
DIALECT = HERE / "healthchecks.yaml"
# Enough that deleting some of them leaves something to look at.
HEARTBEATS = 60

CONFIG = """
hooks = {hooks}

[cache]
enabled = false

# Two ways to show a key are two ways, not one of two keys: where both are sent, one of them counts.
[generation]
with-security-parameters = false

[dictionaries]
heartbeats = {{ values = {heartbeats} }}
checks = {{ values = {checks} }}
channels = {{ values = {channels} }}
incidents = {{ values = {incidents} }}
deliveries = {{ values = {deliveries} }}
keys = {{ values = {keys} }}
windows = {{ values = {windows} }}
cursors = {{ values = {cursors} }}
versions = {{ values = ["*", '"1"', '"2"'] }}

[parameters]
"path.heartbeat" = {{ dictionary = "heartbeats", probability = 0.7 }}
"query.heartbeat" = {{ dictionary = "heartbeats", probability = 0.7 }}
"path.check" = {{ dictionary = "checks", probability = 0.7 }}
"path.channel" = {{ dictionary = "channels", probability = 0.7 }}
"query.channel" = {{ dictionary = "channels", probability = 0.7 }}
"path.incident" = {{ dictionary = "incidents", probability = 0.7 }}
"path.delivery" = {{ dictionary = "deliveries", probability = 0.7 }}
"path.id" = {{ dictionary = "keys", probability = 0.7 }}
"path.window" = {{ dictionary = "windows", probability = 0.7 }}
"query.cursor" = {{ dictionary = "cursors", probability = 0.3 }}
"header.If-Match" = {{ dictionary = "versions", probability = 0.9 }}

# A version that is not the present one is refused with 412, as a name that is taken is with 409.
[checks.positive_data_acceptance]
expected-statuses = ["2xx", "401", "403", "404", "409", "412"]
[checks.negative_data_rejection]
expected-statuses = ["400", "401", "403", "404", "405", "409", "412", "413", "422"]
"""


def fill(server):
    """Heartbeats of all kinds, with signals, runs, incidents, and channels that reach nobody."""
    for number in range(4):
        settings = {"url": f"http://127.0.0.1:1/{number}"}
        server.api("/api/v1/channels", {"name": f"hook {number}", "kind": "webhook", "settings": settings})
    schedules = [
        {"every": 3600},
        {"cron": "30 3 * * *", "timezone": "Europe/Madrid"},
        {"calendar": "Mon..Fri 02:00\nSat 04:00", "timezone": "Pacific/Auckland"},
    ]
    made = []
    for number in range(HEARTBEATS):
        new = {"name": f"Job {number}", "tags": ["all", f"t{number % 5}"], "schedule": schedules[number % 3]}
        if number % 7 == 0:
            new |= {"rules": ["files_total > 0"], "keywords": {"in": ["body"], "failure": ["ERROR"]}}
        made.append(server.api("/api/v1/heartbeats", new))
        tell(made[-1]["ping_url"], number)
    server.api(f"/api/v1/heartbeats/{made[1]['slug']}/pause", method="POST")
    for number in range(20):
        server.api("/api/v1/maintenance", {"from": "2026-01-01T00:00:00Z", "to": soon(), "note": "move"})
        server.api("/api/v1/keys", {"name": f"key {number}", "scope": "read-only"})
    return made


def tell(url, number):
    """A few signals: some jobs do well, some fail, some are still running, some never said anything."""
    for tail, body in (("/start", b""), ("", b"12 files\n"), ("/3", b"\xffno room\0"))[: number % 4]:
        urllib.request.urlopen(f"{url}{tail}?m.rows=12.5", body, timeout=10).read()


def soon():
    import datetime

    return (datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=30)).isoformat()


def schemathesis(server, arguments):
    """A run over one document; whether all was well."""
    made = fill(server)
    incidents = server.api("/api/v1/incidents?open=true")["items"]
    channels = server.api("/api/v1/channels")["items"]
    deliveries = server.api("/api/v1/deliveries")["items"]
    keys = server.api("/api/v1/keys")["items"]
    windows = server.api("/api/v1/maintenance")["items"]
    words = {
        "hooks": str(HERE / "fuzz_hooks.py"),
        "heartbeats": [one["slug"] for one in made] + [one["id"] for one in made[:5]],
        "checks": [one["id"] for one in made],
        "channels": [one["name"] for one in channels] + [channels[0]["id"]],
        "incidents": [one["id"] for one in incidents],
        "deliveries": [one["id"] for one in deliveries],
        "keys": [one["id"] for one in keys if one["name"].startswith("key ")],
        "windows": [one["id"] for one in windows],
        "cursors": [server.api(f"/api/v1/{of}?limit=1")["next_cursor"] for of in ("heartbeats", "channels")],
    }
    config = server.folder / "schemathesis.toml"
    config.write_text(CONFIG.format(**{name: json.dumps(values) for name, values in words.items()}))
    own = next(key["id"] for key in keys if key["scope"] == "read-write")
    environment = {**os.environ, "FUZZ_CHANNEL": channels[0]["id"], "FUZZ_OWN_KEY": own}
    program = pathlib.Path(sys.executable).with_name("schemathesis")
    command = [program, "--config-file", config, "run", "--header", f"X-Api-Key: {server.write}"]
    command += ["--checks", "all", *arguments]
    return subprocess.run(command, env=environment, cwd=server.folder).returncode == 0


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--nightbeat", required=True)
    arguments.add_argument("--examples", default="20")
    arguments.add_argument("--seed", default="1")
    arguments.add_argument("--only", choices=["v1", "v3"], help="one of the two")
    arguments.add_argument("more", nargs="*", help="more options of `schemathesis run`")
    arguments = arguments.parse_args()
    usual = ["--seed", arguments.seed, "--max-examples", arguments.examples, *arguments.more]
    # The generator asks faster than a key may.
    os.environ["NIGHTBEAT_LIMITS_API_REQUESTS_PER_MINUTE"] = "off"
    well = True
    for version, document in (("v1", DOCUMENT), ("v3", DIALECT)):
        if arguments.only not in (None, version):
            continue
        with tempfile.TemporaryDirectory() as folder:
            server = Server(os.path.abspath(arguments.nightbeat), folder)
            try:
                print(f"== /api/{version}", flush=True)
                well &= schemathesis(server, [document, "--url", f"{server.base}/api/{version}", *usual])
            finally:
                server.stop()
    sys.exit(0 if well and not problems else 1)


main()
