"""Clients that cannot be had as a package: their requests, byte for byte as they send them.

Each is a request as the client's source makes it; Go's and Python's HTTP libraries add what stands in it besides.
"""

import json
import socket
import uuid

from server import HANGING_SECONDS, expect


def send(server, lines, body=b"", connection=None):
    """Sends a request with these lines; answers status, headers and body."""
    own = connection is None
    if own:
        connection = socket.create_connection(("127.0.0.1", server.port), HANGING_SECONDS)
    head = "\r\n".join([lines[0], f"Host: {server.host}", *lines[1:], "", ""])
    connection.sendall(head.encode() + body)
    answer = connection.makefile("rb")
    status = int(answer.readline().split()[1])
    headers = {}
    while line := answer.readline().strip():
        name, _, value = line.decode().partition(":")
        headers[name.lower()] = value.strip()
    length = 0 if lines[0].startswith("HEAD") else int(headers.get("content-length", 0))
    text = answer.read(length).decode()
    if own:
        connection.close()
    return status, headers, text


def runitor(server):
    """Start and end of a run, on one connection, with the limit of a body read from the first answer."""
    agent = ["User-Agent: runitor/v1.4.1 (+https://bdd.fi/x/runitor)", "Content-Type: text/plain"]
    end = ["Accept-Encoding: gzip"]

    def run(handle, code, output, query=""):
        rid = str(uuid.uuid4())
        query = f"?{query}rid={rid}"
        with socket.create_connection(("127.0.0.1", server.port), HANGING_SECONDS) as connection:
            start = [f"POST {handle}/start{query} HTTP/1.1", agent[0], "Content-Length: 0", agent[1], *end]
            started = send(server, start, connection=connection)
            length = f"Content-Length: {len(output)}"
            ending = [f"POST {handle}/{code}{query} HTTP/1.1", agent[0], length, agent[1], *end]
            ended = send(server, ending, output.encode(), connection)
        expect("runitor: the limit of a body", started[1].get("ping-body-limit"), "100000")
        return rid, started[0], ended[0]

    handle = "/ping/" + server.check("r-uuid")["uuid"]
    first, *answers = run(handle, 0, "well\n")
    expect("runitor: a run", answers, [200, 200])
    second, *answers = run(handle, 3, "no room\n")
    expect("runitor: a run that fails", answers, [200, 200])
    wanted = [
        ("start", first, None, None),
        ("success", first, 0, "well\n"),
        ("start", second, None, None),
        ("fail", second, 3, "no room\n"),
    ]
    expect("runitor: arrived", server.told("r-uuid", "kind", "rid", "exit_code", "body"), wanted)
    runs = server.api("/api/v1/heartbeats/r-uuid/runs")["items"]
    found = [(one["rid"], one["outcome"]) for one in runs]
    expect("runitor: runs", found, [(second, "failed"), (first, "ok")])
    _, *answers = run(f"/ping/{server.ping}/r-slug", 0, "", "create=1&")
    expect("runitor: created on the way", answers, [201, 200])
    expect("runitor: by slug", server.kinds("r-slug"), ["start", "success"])


def resticprofile(server):
    """`send-before` and `send-after` with HEAD, `send-after-fail` with the error as body."""
    path = "/ping/" + server.check("p-health")["uuid"]
    agent = ["User-Agent: resticprofile/0.33.1"]
    error = "restic snapshots on profile 'default': exit status 1\nCommand: restic snapshots\n"
    for lines, body in (
        ([f"HEAD {path}/start HTTP/1.1", *agent], ""),
        ([f"HEAD {path} HTTP/1.1", *agent], ""),
        ([f"HEAD {path}/start HTTP/1.1", *agent], ""),
        (
            [
                f"POST {path}/fail HTTP/1.1",
                *agent,
                f"Content-Length: {len(error)}",
                "Content-Type: text/plain; charset=UTF-8",
                "Accept-Encoding: gzip",
            ],
            error,
        ),
    ):
        expect(f"resticprofile: {lines[0]}", send(server, lines, body.encode())[0], 200)
    wanted = [
        ("start", "HEAD", None),
        ("success", "HEAD", None),
        ("start", "HEAD", None),
        ("fail", "POST", error),
    ]
    expect("resticprofile: arrived", server.told("p-health", "kind", "method", "body"), wanted)


def ansible(server):
    """`community.healthchecksio`: its JSON is called a form, and a GET without anything to say says `null`."""

    def ask(line, data=None):
        body = b"" if data is False else json.dumps(data).encode()
        lines = [
            f"{line} HTTP/1.1",
            "Accept-Encoding: identity",
            *([f"Content-Length: {len(body)}"] if body else []),
            *(["Content-Type: application/x-www-form-urlencoded"] if body else []),
            "User-Agent: ansible-httpget",
            f"X-Api-Key: {server.write}",
            "Connection: close",
        ]
        status, _, text = send(server, lines, body)
        return status, json.loads(text) if text.startswith("{") else text

    # Before it does anything it looks whether the key is good; a module that pings asks the wrong server.
    expect("ansible: is the key good", ask("GET /api/v1/checks")[0], 200)
    expect("ansible: asked at the pings", ask("GET /ping/checks")[0], 404)
    parameters = {
        "state": "present",
        "name": "By ansible",
        "tags": "ansible play",
        "desc": "",
        "timeout": 3600,
        "grace": 600,
        "manual_resume": False,
        "methods": "",
        "channels": "",
        "unique": ["name"],
    }
    status, made = ask("POST /api/v1/checks/", parameters)
    expect("ansible: made", (status, made["name"], made["tags"]), (201, "By ansible", "ansible play"))
    expect("ansible: made again", ask("POST /api/v1/checks/", parameters)[0], 200)
    one = made["ping_url"].rsplit("/", 1)[1]
    for path, within in (
        ("checks?tag=ansible&tag=play", "checks"),
        (f"checks/{one}", "ping_url"),
        (f"checks/{one}/pings", "pings"),
        (f"checks/{one}/flips", "flips"),
        ("channels", "channels"),
        ("badges", "badges"),
    ):
        status, answer = ask(f"GET /api/v1/{path}")
        expect(f"ansible: {path}", (status, within in answer), (200, True))
    for signal in ("/start", "", "/fail"):
        expect(f"ansible: ping{signal}", ask(f"HEAD /ping/{one}{signal}", False)[0], 200)
    expect("ansible: arrived", server.kinds("by-ansible"), ["start", "success", "fail"])
    expect("ansible: paused", ask(f"POST /api/v1/checks/{one}/pause")[0], 200)
    expect("ansible: deleted", ask(f"DELETE /api/v1/checks/{one}", False)[0], 200)
    expect("ansible: deleted again", ask(f"DELETE /api/v1/checks/{one}", False)[0], 404)
