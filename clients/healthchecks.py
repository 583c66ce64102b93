"""Healthchecks' client libraries: every call that they have, in all three versions of the API."""

import json
import pathlib
import subprocess
import urllib.request

from server import HANGING_SECONDS, expect, problems

NODE = pathlib.Path(__file__).with_name("node")


def have_a_hook(server):
    """The project has one channel, named hook, which reaches nobody."""
    if not server.api("/api/v1/channels")["items"]:
        hook = {"name": "hook", "kind": "webhook", "settings": {"url": "http://127.0.0.1:1/"}}
        server.api("/api/v1/channels", hook)


def from_pypi(server):
    """The PyPI package healthchecks-io."""
    from healthchecks_io import Client
    from healthchecks_io.client.exceptions import CheckNotFoundError, HCAPIAuthError
    from healthchecks_io.schemas import CheckCreate, CheckUpdate

    have_a_hook(server)
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


def answers(of, command):
    """What a client in another language was answered: it prints that as JSON."""
    ended = subprocess.run(command, capture_output=True, text=True, timeout=HANGING_SECONDS)
    if ended.returncode == 0:
        return json.loads(ended.stdout)
    problems.append(f"{of}: ended with {ended.returncode}: {ended.stderr}")
    return None


def from_npm(server):
    """The npm package healthchecks-io-client."""
    have_a_hook(server)
    for version in (1, 2, 3):
        of = f"healthchecks-io-client, version {version}"
        script = ["node", NODE / "healthchecks.mjs", server.base, server.write, server.read, str(version)]
        said = answers(of, script)
        if said is None:
            continue
        name, tags = f"By node {version}", f"node node{version}"
        made = said["made"]
        expect(f"{of}: made", (made["name"], made["tags"], made["timeout"]), (name, tags, 600))
        expect(f"{of}: status", made["status"], "new")
        expect(f"{of}: slug", made["slug"], f"by-node-{version}")
        again = said["again"]
        expect(f"{of}: unique", (again["ping_url"], again["desc"]), (made["ping_url"], "again"))
        cron = (said["cron"]["schedule"], said["cron"]["tz"])
        expect(f"{of}: cron", cron, ("30 3 * * *", "Europe/Madrid"))
        changed = said["changed"]
        expect(f"{of}: changed", (changed["desc"], changed["grace"], changed["name"]), ("new", 120, name))
        listed = [check["ping_url"] for check in said["listed"]["checks"]]
        expect(f"{of}: listed", listed, [made["ping_url"]])
        expect(f"{of}: shown", said["shown"]["ping_url"], made["ping_url"])
        expect(f"{of}: pinged", said["pinged"], ["OK"] * 5)
        types = [ping["type"] for ping in said["pings"]["pings"]]
        expect(f"{of}: pings", types, ["fail", "fail", "success", "success", "start"])
        methods = [ping["method"] for ping in said["pings"]["pings"]]
        expect(f"{of}: a text is posted", methods, ["GET", "POST", "GET", "POST", "GET"])
        flips = [flip["up"] for flip in said["flips"]["flips"]]
        expect(f"{of}: flips", flips, [0])
        expect(f"{of}: integrations", [c["name"] for c in said["integrations"]["channels"]], ["hook"])
        expect(f"{of}: paused", said["paused"]["status"], "paused")
        seen = said["looked"]["checks"][0]
        expect(f"{of}: read-only", ("ping_url" in seen, len(seen["unique_key"])), (False, 40))
        expect(f"{of}: by its unique key", said["looked_at"], seen)
        expect(f"{of}: refused", said["refused"], {"name": "StatusCodeError", "status": 401})
        expect(f"{of}: deleted", said["deleted"]["name"], name)
        for gone in ("gone", "pinged_gone"):
            expect(f"{of}: {gone}", said[gone], {"name": "StatusCodeError", "status": 404})


def from_crates_io(server, program):
    """The crate healthchecks, with its third version of the API."""
    of = "crate healthchecks"
    have_a_hook(server)
    said = answers(of, [program, server.base, server.write, server.read])
    if said is None:
        return
    made = said["made"]
    expect(f"{of}: made", (made["name"], made["tags"], made["timeout"]), ("By crate", "rust crate", 600))
    expect(f"{of}: slug", made["slug"], "by-crate")
    again = said["again"]
    expect(f"{of}: unique", (again["ping_url"], again["desc"]), (made["ping_url"], "again"))
    expect(f"{of}: known as updated", said["updated"], True)
    changed = said["changed"]
    expect(f"{of}: changed", (changed["schedule"], changed["tz"]), ("30 3 * * *", "Europe/Madrid"))
    expect(f"{of}: pinged", said["pinged"], [True] * 8)
    kinds = ["start", "success", "start", "fail", "fail", "fail", "success", "fail"]
    expect(f"{of}: pings", [ping["type"] for ping in reversed(said["pings"])], kinds)
    expect(f"{of}: a text is posted", said["pings"][3]["method"] + said["pings"][4]["method"], "GETPOST")
    # It reads a list of flips, and not what Healthchecks answers; see above.
    expect(f"{of}: flips are not read", said["flips"] is None, False)
    expect(f"{of}: shown", said["shown"]["ping_url"], made["ping_url"])
    seen = said["seen"]
    expect(f"{of}: read-only", ("ping_url" in seen, len(seen["unique_key"])), (False, 40))
    expect(f"{of}: by its unique key", said["seen_alone"], seen)
    expect(f"{of}: channels", [channel["name"] for channel in said["channels"]], ["hook"])
    expect(f"{of}: paused", said["paused"]["status"], "paused")
    expect(f"{of}: refused", said["refused"], "invalid API key, make sure you're not using a read-only key")
    expect(f"{of}: missing", said["missing"].startswith("no check found"), True)
    expect(f"{of}: deleted", (said["deleted"]["name"], said["gone"]), ("By crate", True))
