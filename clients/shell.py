"""What scripts send with the tools that every system has: a signal each, in the forms that people write."""

import subprocess

from server import HANGING_SECONDS, expect, problems

# Longer than what curl sends without asking first (`Expect: 100-continue`).
LONG = "a line of a long log\n" * 60_000


def run(script, text=""):
    """The exit code, and what a shell script prints."""
    ended = subprocess.run(
        ["bash", "-c", script], input=text, capture_output=True, text=True, timeout=HANGING_SECONDS
    )
    return ended.returncode, ended.stdout + ended.stderr


def each(server, of, forms):
    """Runs each form against a heartbeat of its own, and compares what arrived: kind, method, exit code, body."""
    for number, (form, wanted) in enumerate(forms):
        slug = f"{of}-{number}"
        made = server.check(slug)
        text = LONG if "LONG" in form else "from a pipe"
        script = form.replace("LONG", "-").replace("URL", made["ping_url"])
        script = script.replace("SLUG", f"{server.base}/ping/{server.ping}/{slug}")
        script = script.replace("$FILE", str(server.folder / slug))
        code, said = run(script, text)
        expect(f"{form}: its end ({said})", code, 0)
        signals = server.signals(slug)
        if len(signals) != 1:
            problems.append(f"{form}: {len(signals)} signals")
            continue
        found = tuple(signals[0][field] for field in ("kind", "method", "exit_code"))
        expect(form, found, wanted[:3])
        body = signals[0]["body"] or ""
        if len(wanted) > 3:
            expect(f"{form}: body", wanted[3] in body, True)
        else:
            expect(f"{form}: body", body, "")


def refused(server, form, code):
    """A signal that nobody knows is a failure that cron mails."""
    unknown = f"{server.base}/ping/00000000-0000-4000-8000-000000000000"
    expect(f"{form}: an unknown heartbeat", run(form.replace("URL", unknown))[0], code)


def curl(server):
    """curl, as the snippets have it, with all its ways to send a body."""
    forms = [
        ("curl -fsS -m 10 --retry 5 URL", ("success", "GET", None)),
        ("curl -fsS -m 10 --retry 5 -o /dev/null SLUG", ("success", "GET", None)),
        ("curl -fsS URL/start", ("start", "GET", None)),
        ("false; curl -fsS URL/$?", ("fail", "GET", 1)),
        ("true; curl -fsS URL/$?", ("success", "GET", 0)),
        ('curl -fsS --data-raw "$(echo all is well)" URL', ("success", "POST", None, "all is well")),
        ('curl -fsS --data-raw "" URL', ("success", "POST", None)),
        ("curl -fsS -X POST URL/fail", ("fail", "POST", None)),
        ("echo output | curl -fsS --data-binary @- URL/log", ("log", "POST", None, "output\n")),
        ("curl -fsS -T - URL", ("success", "PUT", None, "from a pipe")),
        ("curl -fsS -T - SLUG/3", ("fail", "PUT", 3, "from a pipe")),
        ("curl -fsS -F log=@- URL", ("success", "POST", None, "from a pipe")),
        ("curl -fsS --data-binary @LONG URL", ("success", "POST", None, "a line of a long log")),
        ("curl -fsS -H 'Expect: 100-continue' --data-binary @- URL", ("success", "POST", None, "from a pipe")),
        ("curl -fsS -I URL", ("success", "HEAD", None)),
        ("curl -fsS -0 URL", ("success", "GET", None)),
        ("curl -fsS -0 -H Host: URL", ("success", "GET", None)),
        ("curl -fsS --compressed -L URL/", ("success", "GET", None)),
        ("curl -fsS --json '{\"rows\": 12}' URL", ("success", "POST", None, "rows")),
    ]
    each(server, "curl", forms)
    refused(server, "curl -fsS URL", 22)


SNITCH_HOST = "snitch.example.org"


def snitch(server):
    """curl, as Dead Man's Snitch's users have it."""
    token = server.check("snitch")["uuid"].replace("-", "")
    url = f"http://{SNITCH_HOST}:{server.port}/{token}"
    curl = f"curl -fsS --resolve {SNITCH_HOST}:{server.port}:127.0.0.1"
    for form, wanted in (
        ("curl -fsS URL", ("success", None, None)),
        ("false; curl -fsS -d s=$? URL", ("fail", 1, None)),
        ("true; curl -fsS -d s=$? URL", ("success", 0, None)),
        ("curl -fsS -d 'm=12 tables' URL", ("success", None, "12 tables")),
        ("false; curl -fsS -d s=$? --data-urlencode 'm=50% & more' URL", ("fail", 1, "50% & more")),
        ('false; curl -fsS "URL?s=$?&m=12+tables"', ("fail", 1, "12 tables")),
        ("curl -fsS --data-raw 'all done' URL", ("success", None, "all done")),
    ):
        code, said = run(form.replace("curl -fsS", curl).replace("URL", url))
        expect(f"{form}: its end ({said})", code, 0)
        newest = server.signals("snitch")[0]
        expect(form, (newest["kind"], newest["exit_code"], newest["body"]), wanted)


def wget(server):
    """GNU Wget."""
    forms = [
        ("wget -q -T 10 -t 5 -O /dev/null URL", ("success", "GET", None)),
        ("wget -q --spider URL", ("success", "HEAD", None)),
        ("wget -q -O - --post-data='all is well' URL/fail", ("fail", "POST", None, "all is well")),
        # It asks a file how large it is, and a pipe has no answer.
        (
            'cat >"$FILE"; wget -q -O - --post-file="$FILE" SLUG/0',
            ("success", "POST", 0, "from a pipe"),
        ),
        ("wget -q -O - --method=PUT --body-data=x URL", ("success", "PUT", None, "x")),
    ]
    each(server, "wget", forms)
    refused(server, "wget -q -O /dev/null URL", 8)


def busybox(server):
    """Busybox' wget, as Alpine and routers have it."""
    forms = [
        # Without `-T`: Debian's busybox 1.35 dies of it.
        ("busybox wget -q -O /dev/null URL", ("success", "GET", None)),
        ("busybox wget -q --spider URL/start", ("start", "GET", None)),
        ("busybox wget -q -O - --post-data 'all is well' URL", ("success", "POST", None, "all is well")),
        ("busybox wget -q -O - --post-file /dev/stdin SLUG/1 <<<output", ("fail", "POST", 1, "output\n")),
    ]
    each(server, "busybox", forms)
    refused(server, "busybox wget -q -O /dev/null URL", 1)


def python(server):
    """Python without a library, as the handbook has it."""
    line = "import urllib.request; urllib.request.urlopen('URL', {}timeout=10)"
    forms = [
        (f'python3 -c "{line.format("")}"', ("success", "GET", None)),
        (f"""python3 -c "{line.format("data=b'done', ")}" """, ("success", "POST", None, "done")),
    ]
    each(server, "python", forms)
    refused(server, forms[0][0], 1)


def bash(server):
    """No tool at all: bash opens the connection itself, and speaks HTTP/1.0 without a host."""
    talk = f"exec 3<>/dev/tcp/127.0.0.1/{server.port}; printf '%s' \"$REQUEST\" >&3; grep -q '200 OK' <&3"

    def request(line, *more):
        return "REQUEST=$'" + "\\r\\n".join([line, *more, "", ""]) + "'"

    path = "/ping/" + server.check("bash-path")["uuid"]
    expect("bash: GET", run(f"{request(f'GET {path} HTTP/1.0')}; {talk}")[0], 0)
    posted = request(f"POST {path}/fail HTTP/1.0", "Content-Length: 5") + "wrong"
    expect("bash: POST", run(f"{posted}; {talk}")[0], 0)
    told = server.told("bash-path", "kind", "method", "body")
    expect("bash: arrived", told, [("success", "GET", None), ("fail", "POST", "wrong")])
