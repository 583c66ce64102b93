"""Makes a client from the OpenAPI document, as anybody can, and runs a heartbeat's life with it.

    generated.py --nightbeat target/debug/nightbeat

openapi-python-client writes the client from docs/openapi.json; what it cannot express is a failure. The client
then makes a heartbeat, signals, reads, pauses and deletes on a real server. Ends with 1 and a line about each thing
that is not as it should be.
"""

import argparse
import importlib
import os
import pathlib
import subprocess
import sys
import tempfile
import urllib.request

from server import Server, expect, problems

DOCUMENT = pathlib.Path(__file__).parents[1] / "docs" / "openapi.json"
PROGRAMS = pathlib.Path(sys.executable).parent


def generate(folder):
    """Writes the package `nightbeat_client` into a folder."""
    config = folder / "config.yaml"
    config.write_text("post_hooks: []\n")
    command = [PROGRAMS / "openapi-python-client", "generate", "--path", DOCUMENT, "--meta", "none"]
    command += ["--config", config, "--output-path", folder / "nightbeat_client", "--fail-on-warning"]
    ended = subprocess.run(command, capture_output=True, text=True)
    if ended.returncode != 0:
        sys.exit(f"no client can be made from {DOCUMENT}:\n{ended.stdout}{ended.stderr}")


def life_of_a_heartbeat(server):
    """Create, change, signal, read, pause, resume, delete; and what is refused is told in the described way."""
    client_of = importlib.import_module("nightbeat_client")
    models = importlib.import_module("nightbeat_client.models")
    client = client_of.AuthenticatedClient(base_url=f"{server.base}/api/v1", token=server.write)

    def call(verb, *arguments, by=client, **named):
        module, _, name = verb.rpartition(".")
        operation = importlib.import_module(f"nightbeat_client.api.{module}.{name}")
        return operation.sync_detailed(*arguments, client=by, **named)

    new = models.NewHeartbeat(
        name="Nightly dump",
        schedule=models.CronSchedule(cron="30 3 * * *", timezone="Europe/Madrid"),
        grace=600,
        tags=["db"],
    )
    answer = call("heartbeats.create_heartbeat", body=new)
    made = answer.parsed
    expect("created", (answer.status_code, made.slug, made.status), (201, "nightly-dump", models.Status.NEW))
    expect("its schedule", made.schedule, new.schedule)
    tag = answer.headers["ETag"]
    edit = models.HeartbeatEdit(schedule=models.IntervalSchedule(every=3600), max_run_time=None)
    answer = call("heartbeats.change_heartbeat", made.slug, body=edit, if_match=tag)
    expect("changed", (answer.status_code, answer.parsed.schedule), (200, edit.schedule))
    answer = call("heartbeats.change_heartbeat", made.slug, body=edit, if_match=tag)
    expect("changed by another", (answer.status_code, answer.parsed.status), (412, 412))

    urllib.request.urlopen(f"{made.ping_url}/start", timeout=10).read()
    urllib.request.urlopen(made.ping_url, b"12 tables\nm.rows", timeout=10).read()
    answer = call("heartbeats.show_heartbeat", made.slug)
    shown = (answer.parsed.id, answer.parsed.status, answer.parsed.last_run.outcome)
    expect("shown", shown, (made.id, models.Status.UP, models.Outcome.OK))
    listed = call("heartbeats.list_heartbeats", tag=["db"], status=models.Status.UP).parsed
    expect("listed", ([one.id for one in listed.items], listed.next_cursor), ([made.id], None))
    signals = call("heartbeats.list_signals", made.slug, limit=1).parsed
    newest = signals.items[0]
    expect("signals", (newest.kind, newest.body), (models.SignalKind.SUCCESS, "12 tables\nm.rows"))
    older = call("heartbeats.list_signals", made.slug, cursor=signals.next_cursor).parsed
    expect("older signals", [one.kind for one in older.items], [models.SignalKind.START])
    runs = call("heartbeats.list_runs", made.slug).parsed.items
    expect("runs", [run.outcome for run in runs], [models.Outcome.OK])

    paused = call("heartbeats.pause_heartbeat", made.slug).parsed
    expect("paused", paused.status, models.Status.PAUSED)
    expect("resumed", call("heartbeats.resume_heartbeat", made.slug).parsed.status, models.Status.UP)
    looking = client_of.AuthenticatedClient(base_url=f"{server.base}/api/v1", token=server.read)
    refused = call("heartbeats.delete_heartbeat", made.slug, by=looking)
    expect("deleted by who only looks", (refused.status_code, refused.parsed.status), (403, 403))
    expect("deleted", call("heartbeats.delete_heartbeat", made.slug).status_code, 204)
    gone = call("heartbeats.show_heartbeat", made.slug)
    expect("gone", (gone.status_code, type(gone.parsed)), (404, models.Problem))
    bad = call("heartbeats.create_heartbeat", body=models.NewHeartbeat(name="", grace=0))
    expect("refused", (bad.status_code, bad.parsed.field), (422, "name"))


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--nightbeat", required=True)
    nightbeat = os.path.abspath(arguments.parse_args().nightbeat)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        generate(folder)
        sys.path.append(str(folder))
        server = Server(nightbeat, folder / "server")
        try:
            life_of_a_heartbeat(server)
        finally:
            server.stop()
    for problem in problems:
        print(problem, file=sys.stderr)
    sys.exit(1 if problems else 0)


main()
