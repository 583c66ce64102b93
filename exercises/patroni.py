#!/usr/bin/python3
"""PostgreSQL fails over under Patroni while Nightbeat takes signals.

Two PostgreSQL servers under Patroni with a synchronous standby, etcd, and two Nightbeat nodes with both hosts
in their URL. Jobs signal all the time, and try again where they are refused. Then

1. the primary's machine dies: Patroni and PostgreSQL are killed with -9 at once; the standby is promoted;
2. it comes back, and Patroni makes a standby of it;
3. somebody switches over to it on purpose.

At the end: is every signal that was answered 200 in the log, and each one with a nonce once? Was the job that
went silent told, and no other called down?

Everything is in a temporary folder, on ports of its own on 127.0.0.1, and ends with this. On Debian:

    apt-get install postgresql patroni python3-etcd etcd-server
    cargo build --release && exercises/patroni.py --nightbeat target/release/nightbeat

Run as root, it becomes the user postgres, which the Debian package has made. It takes about two minutes.
"""

import argparse
import glob
import http.client
import http.server
import json
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

USER = "postgres"
HOST = "127.0.0.1"

# Patroni notices a dead primary when its key in etcd is this old, in seconds. It is the least that it takes.
LEADER_TTL = 20

JOBS = 40
# How often a job signals; its grace has to hold out for a failover and the minute that a gap is given.
EVERY, GRACE = 10, 90
# One that is silent, and is to be told.
SILENT_EVERY, SILENT_GRACE = 5, 5

# How long anything may take on a slow machine, in seconds.
PATIENCE = 120


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--nightbeat", default="target/release/nightbeat", help="the program")
    arguments.add_argument("--keep", action="store_true", help="keep the folder with all logs")
    arguments = arguments.parse_args()
    folder = prepare(arguments.nightbeat)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit("told to stop"))
    room = Room(folder)
    broken = ["it did not come to its end"]
    try:
        broken = exercise(room)
    finally:
        room.end()
        if broken or arguments.keep:
            print(f"The logs are in {folder}")
        else:
            shutil.rmtree(folder)
    for one in broken:
        print("BROKEN:", one)
    print("FAILED" if broken else "Everything held.")
    sys.exit(1 if broken else 0)


def exercise(room):
    """The three steps; what was promised and not kept."""
    room.start_etcd()
    room.start_patroni("a")
    primary = room.until_primary()
    room.start_patroni("b")
    room.until_synchronous(primary, "b")
    room.sql(primary, f"CREATE ROLE nightbeat LOGIN PASSWORD '{room.password}'", "postgres")
    room.sql(primary, "CREATE DATABASE nightbeat OWNER nightbeat", "postgres")
    say(f"primary {primary}, the other is its synchronous standby")

    people = People(room, room.start_nightbeat())
    jobs = [Job(people, f"job {n}", EVERY, GRACE, n % 2 == 0) for n in range(JOBS)]
    silent = Job(people, "silent", SILENT_EVERY, SILENT_GRACE, True)
    short = Job(people, "short grace", 5, 5, True)
    load = Load([*jobs, short])
    silent.signal()
    until("some hundred signals are answered", lambda: load.answered() > 300)

    old = primary
    died = time.monotonic()
    room.kill_machine(old)
    say(f"{old} is dead; {load.answered()} signals were answered until now")
    primary = room.until_primary(besides=old)
    say(f"{primary} is the primary {time.monotonic() - died:.1f} s after that")
    answered = load.answered()
    until("signals are answered again", lambda: load.answered() > answered + 10)
    say(f"signals are answered again {time.monotonic() - died:.1f} s after that")
    until("the silence is told", lambda: people.told("silent"))

    room.start_patroni(old)
    room.until_synchronous(primary, old)
    say(f"{old} is back, as the synchronous standby of {primary}")
    room.switch_over(primary, old)
    switched = time.monotonic()
    primary = room.until_primary(besides=primary)
    say(f"switched over to {primary} on purpose")
    answered = load.answered()
    until("signals are answered again", lambda: load.answered() > answered + 10)
    say(f"signals are answered again {time.monotonic() - switched:.1f} s after the switch was done")
    # Whatever is still to come without reason comes now.
    time.sleep(30)
    load.stop()
    return check(room, primary, people, load)


def check(room, primary, people, load):
    broken = []
    query = "SELECT convert_from(body, 'UTF8'), count(*) FROM signal WHERE body IS NOT NULL GROUP BY 1"
    stored = dict(line.rsplit("|", 1) for line in room.sql(primary, query).splitlines())
    twice = 0
    for said in load.said:
        times = int(stored.get(said.mark, 0))
        if said.answered and times == 0:
            broken.append(f"lost: {said.mark}")
        if times > 1 and said.job.nonce:
            broken.append(f"there {times} times in spite of its nonce: {said.mark}")
        if times > said.tries:
            broken.append(f"there {times} times after {said.tries} tries: {said.mark}")
        twice += times > 1
    again = sum(said.tries > 1 for said in load.said)
    print(f"{load.answered()} signals were answered 200; {again} needed several tries, {twice} without nonce "
          "are there several times")
    unverified = 0
    for name, status in people.alarms():
        if name == "silent":
            continue
        # A failover of 20 s is longer than its grace: that nobody knows is true.
        if status == "unverified" and name == "short grace":
            unverified += 1
        else:
            broken.append(f"told {status}: {name}")
    print(f"told: {sorted({(name, status) for name, status in people.alarms()})}; "
          f"{unverified} unverified about the one whose grace is shorter than the failover")
    return broken


class Room:
    """The machines: processes, ports, folders."""

    def __init__(self, folder):
        self.folder = folder
        self.password = secrets.token_hex(12)
        self.processes = []
        self.patronis = {}
        self.etcd = port()
        self.ports = {name: {"sql": port(), "api": port()} for name in "ab"}

    def start(self, name, command, **environment):
        # It ends when this does, however that ends.
        command = ["setpriv", "--pdeathsig", "TERM", "--", *command]
        environment = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin", "HOME": self.folder,
                       "LC_ALL": "C.UTF-8", **environment}
        with open(f"{self.folder}/{name}.log", "ab") as log:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                       env=environment, cwd=self.folder)
        self.processes.append(process)
        return process

    def start_etcd(self):
        client, peer = f"http://{HOST}:{self.etcd}", f"http://{HOST}:{port()}"
        self.start("etcd", ["etcd", "--name=e", f"--data-dir={self.folder}/etcd",
                            f"--listen-client-urls={client}", f"--advertise-client-urls={client}",
                            f"--listen-peer-urls={peer}", f"--initial-advertise-peer-urls={peer}",
                            f"--initial-cluster=e={peer}"])
        until("etcd answers", lambda: ask(self.etcd, "GET", "/health") == 200)

    def start_patroni(self, name):
        path = f"{self.folder}/{name}.json"
        with open(path, "w") as file:
            # JSON is YAML, too.
            json.dump(self.configuration(name), file, indent=1)
        os.chmod(path, 0o600)
        self.patronis[name] = self.start(f"patroni-{name}", ["patroni", path])

    def configuration(self, name):
        own, folder = self.ports[name], self.folder
        access = ["local all all trust", "local replication all trust",
                  f"host all all {HOST}/32 scram-sha-256", f"host replication all {HOST}/32 scram-sha-256"]

        def user(name):
            return {"username": name, "password": self.password}

        return {
            "scope": "nightbeat", "name": name,
            "restapi": {"listen": f"{HOST}:{own['api']}", "connect_address": f"{HOST}:{own['api']}"},
            "etcd3": {"hosts": f"{HOST}:{self.etcd}"},
            "bootstrap": {
                "dcs": {"ttl": LEADER_TTL, "loop_wait": 2, "retry_timeout": 5, "synchronous_mode": True,
                        "postgresql": {"use_pg_rewind": True, "parameters": {"wal_log_hints": "on"}}},
                "initdb": [{"encoding": "UTF8"}, {"locale": "C.UTF-8"}, "data-checksums"],
            },
            "postgresql": {
                "listen": f"{HOST}:{own['sql']}", "connect_address": f"{HOST}:{own['sql']}",
                "data_dir": f"{folder}/{name}", "bin_dir": programs(), "pgpass": f"{folder}/{name}.pgpass",
                "pg_hba": access,
                "parameters": {"unix_socket_directories": folder},
                "authentication": {"superuser": user("postgres"), "replication": user("replicator"),
                                   "rewind": user("rewinder")},
            },
        }

    def until_primary(self, besides=None):
        """Who takes writes."""
        def look():
            for name, own in self.ports.items():
                if name != besides and ask(own["api"], "GET", "/primary") == 200:
                    return name
            return None
        return until("there is a primary", look)

    def until_synchronous(self, primary, standby):
        """The primary waits for the standby, and Patroni knows it."""
        query = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'"

        def look():
            known = ask(self.ports[standby]["api"], "GET", "/synchronous") == 200
            return known and self.sql(primary, query, "postgres").strip() == "1"
        until("the standby is synchronous", look)

    def kill_machine(self, name):
        """Patroni, PostgreSQL and all its sessions, as a machine dies."""
        with open(f"{self.folder}/{name}/postmaster.pid") as file:
            server = int(file.readline())
        patroni = self.patronis.pop(name)
        # So that neither notices what becomes of the other.
        for process in (patroni.pid, server):
            os.kill(process, signal.SIGSTOP)
        for process in [*children(server), server, patroni.pid]:
            try:
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:
                pass
        patroni.wait()

    def switch_over(self, primary, to):
        answer = ask(self.ports[primary]["api"], "POST", "/switchover", {"leader": primary, "candidate": to})
        assert answer == 200, f"Patroni does not switch over: {answer}"

    def url(self):
        hosts = ",".join(f"{HOST}:{own['sql']}" for own in self.ports.values())
        return f"postgres://nightbeat:{self.password}@{hosts}/nightbeat?target_session_attrs=read-write"

    def start_nightbeat(self):
        """Two nodes; their ports and what `nightbeat init` says."""
        program = f"{self.folder}/nightbeat"
        made = subprocess.run([program, "init", "--email", "ana@example.org", "--json"], check=True,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              env={"NIGHTBEAT_DATABASE": self.url()})
        nodes = [port(), port()]
        for number, own in enumerate(nodes):
            data = f"{self.folder}/node-{number}"
            os.mkdir(data)
            self.start(f"nightbeat-{number}",
                       [program, "serve", f"--listen={HOST}:{own}", f"--public-url=http://{HOST}:{own}"],
                       NIGHTBEAT_DATABASE=self.url(), NIGHTBEAT_DATA_FOLDER=data,
                       NIGHTBEAT_OUTGOING_ALLOW=f"{HOST}/32")
        for own in nodes:
            until("a node is ready", lambda: ask(own, "GET", "/readyz") == 200)
        return nodes, json.loads(made.stdout)

    def sql(self, name, query, database="nightbeat"):
        """What a server answers, on its Unix socket."""
        command = [f"{programs()}/psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-h", self.folder,
                   "-p", str(self.ports[name]["sql"]), "-U", "postgres", "-d", database, "-c", query]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True,
                              env={"LC_ALL": "C.UTF-8"})
        return done.stdout

    def end(self):
        """Ends what was started: the nodes first, etcd last."""
        for process in reversed(self.processes):
            if process.poll() is None:
                process.terminate()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()


class People:
    """Whoever has the API key, and what they are told."""

    def __init__(self, room, served):
        self.nodes, made = served
        self.key = made["api_key"]
        self.messages = []
        receiver = http.server.ThreadingHTTPServer((HOST, 0), self.receiver())
        threading.Thread(target=receiver.serve_forever, daemon=True).start()
        url = f"http://{HOST}:{receiver.server_port}/"
        self.create("/channels", {"name": "pager", "kind": "webhook", "settings": {"url": url}})

    def create(self, path, body):
        headers = {"authorization": f"Bearer {self.key}", "content-type": "application/json"}
        connection = http.client.HTTPConnection(HOST, self.nodes[0], timeout=PATIENCE)
        connection.request("POST", f"/api/v1{path}", json.dumps(body), headers)
        answer = connection.getresponse()
        text = answer.read()
        assert answer.status == 201, (answer.status, text)
        return json.loads(text)

    def receiver(self):
        messages = self.messages

        class Receiver(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                messages.append(json.loads(body))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_):
                pass
        return Receiver

    def alarms(self):
        """The name of each heartbeat that was told, and what it was said to be."""
        parts = [part for message in list(self.messages) for part in message.get("heartbeats", [message])]
        told = [(part["heartbeat"]["name"], part["heartbeat"]["status"]) for part in parts]
        return [(name, status) for name, status in told if status != "up"]

    def told(self, name):
        return any(one == name for one, _ in self.alarms())


class Job:
    """A heartbeat and the job that signals."""

    def __init__(self, people, name, every, grace, nonce):
        made = people.create("/heartbeats", {"name": name, "schedule": {"every": every}, "grace": grace})
        self.path = f"/api/heartbeat/{made['id']}"
        self.name, self.nonce, self.nodes = name, nonce, people.nodes

    def signal(self, mark="", number=0):
        path = f"{self.path}?nonce={mark}" if self.nonce and mark else self.path
        return ask(self.nodes[number % len(self.nodes)], "POST", path, mark or None) == 200


class Said:
    """A signal, and what became of it."""

    def __init__(self, job, mark):
        self.job, self.mark, self.tries, self.answered = job, mark, 0, False


class Load:
    """Jobs that signal, each once a second, to any node, again and again until one has answered 200."""

    def __init__(self, jobs):
        self.said, self.over = [], threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(job,), daemon=True) for job in jobs]
        for thread in self.threads:
            thread.start()

    def run(self, job):
        number = 0
        while not self.over.wait(1):
            number += 1
            said = Said(job, f"{job.name.replace(' ', '-')}-{number}")
            self.said.append(said)
            while not said.answered and not self.over.is_set():
                said.tries += 1
                said.answered = job.signal(said.mark, number + said.tries)
                if not said.answered:
                    time.sleep(0.3)

    def answered(self):
        return sum(said.answered for said in list(self.said))

    def stop(self):
        self.over.set()
        for thread in self.threads:
            thread.join()


def ask(to, method, path, body=None):
    """The status of an answer; None where there is none."""
    connection = http.client.HTTPConnection(HOST, to, timeout=20)
    try:
        connection.request(method, path, json.dumps(body) if isinstance(body, dict) else body)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def until(what, look):
    """Looks again and again until there is something."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        found = look()
        if found:
            return found
        time.sleep(0.1)
    sys.exit(f"waited {PATIENCE} s for: {what}")


def children(parent):
    found = []
    for path in glob.glob("/proc/[0-9]*/stat"):
        try:
            with open(path) as file:
                fields = file.read().rsplit(") ", 1)[1].split()
        except OSError:
            continue
        if int(fields[1]) == parent:
            found.append(int(path.split("/")[2]))
    return found


def port():
    """A port that nobody has just now."""
    with socket.socket() as free:
        free.bind((HOST, 0))
        return free.getsockname()[1]


def programs():
    """Where the newest PostgreSQL of this machine is."""
    found = glob.glob("/usr/lib/postgresql/*/bin/initdb")
    if found:
        return os.path.dirname(max(found, key=lambda path: float(path.split("/")[4])))
    found = shutil.which("initdb")
    return os.path.dirname(found) if found else sys.exit("PostgreSQL is missing: apt-get install postgresql")


def prepare(nightbeat):
    """A folder of our own with the program in it, as somebody who is not root."""
    for program, package in (("patroni", "patroni"), ("etcd", "etcd-server"), ("setpriv", "util-linux")):
        if not shutil.which(program):
            sys.exit(f"{program} is missing: apt-get install {package}")
    if not os.path.exists(nightbeat):
        sys.exit(f"{nightbeat} is missing: cargo build --release, or --nightbeat PROGRAM")
    # Short: the names of Unix sockets have 107 bytes at most.
    folder = tempfile.mkdtemp(prefix="nightbeat-patroni-", dir="/tmp")
    shutil.copy(nightbeat, f"{folder}/nightbeat")
    if os.geteuid() == 0:
        user = pwd.getpwnam(USER)
        for path in (folder, f"{folder}/nightbeat"):
            os.chown(path, user.pw_uid, user.pw_gid)
        os.initgroups(USER, user.pw_gid)
        os.setgid(user.pw_gid)
        os.setuid(user.pw_uid)
    return folder


BEGAN = time.monotonic()


def say(text):
    print(f"{time.monotonic() - BEGAN:6.1f} s  {text}", flush=True)


if __name__ == "__main__":
    main()
