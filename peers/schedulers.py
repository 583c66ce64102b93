"""The schedulers that are asked, and their answers in one form."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from itertools import islice

from cronsim import CronSim, CronSimError
from generate import Case
from oncalendar import OnCalendar, OnCalendarError

# Instants that are compared.
COUNT = 5
# Longest wait for a peer's answer, in seconds. Some search a century day by day.
SECONDS_MAX = 10


@dataclass(frozen=True)
class Answer:
    """Up to COUNT instants in Unix seconds; or none at all, and why: refused, or no answer."""

    instants: tuple[int, ...] = ()
    refused: str | None = None
    silent: str | None = None

    def __str__(self) -> str:
        if self.refused is not None:
            return f"refused: {self.refused}"
        if self.silent is not None:
            return f"no answer: {self.silent}"
        return ", ".join(str(datetime.fromtimestamp(at, timezone.utc)) for at in self.instants) or "never"

    def same(self, other: Answer) -> bool:
        return (self.refused is None) == (other.refused is None) and self.instants == other.instants


# --- Python's ---------------------------------------------------------------------------------------


class TooLong(Exception):
    pass


@contextmanager
def limited():
    def stop(*_):
        raise TooLong

    signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, SECONDS_MAX)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def python_peer(case: Case) -> Answer:
    """What cronsim or oncalendar says."""
    library = CronSim if case.kind == "cron" else OnCalendar
    try:
        with limited():
            instants = islice(library(case.expression, case.local()), COUNT)
            return Answer(tuple(int(at.timestamp()) for at in instants))
    except (CronSimError, OnCalendarError) as error:
        return Answer(refused=str(error))
    except TooLong:
        return Answer(silent=f"more than {SECONDS_MAX} s")
    # A peer that fails in a way that is not its own has no opinion.
    except Exception as error:  # noqa: BLE001
        return Answer(silent=f"{type(error).__name__}: {error}")


# --- systemd ----------------------------------------------------------------------------------------

SYSTEMD = shutil.which("systemd-analyze")
UTC_LINE = re.compile(r"\(in UTC\): \w+ (\S+ \S+) UTC$")
ELAPSE_LINE = re.compile(r"(?:Next elapse|Iter(?:\.|ation) #\d+): (.*)$")


def systemd_version() -> str:
    shown = subprocess.run([SYSTEMD, "--version"], capture_output=True, text=True, check=True)
    return shown.stdout.split()[1]


def systemd_group(cases: list[Case]) -> list[Answer]:
    """What systemd says to questions that share zone and instant. Several lines are asked one by one:
    a timer with several OnCalendar= lines elapses at each of their instants."""
    lines = list(dict.fromkeys(line for case in cases for line in case.expression.split("\n")))
    answers = systemd_lines(lines, cases[0].zone, cases[0].start)
    return [union([answers[line] for line in case.expression.split("\n")]) for case in cases]


def union(answers: list[Answer]) -> Answer:
    for answer in answers:
        if answer.refused is not None or answer.silent is not None:
            return answer
    instants = sorted({at for answer in answers for at in answer.instants})
    return Answer(tuple(instants[:COUNT]))


def systemd_lines(lines: list[str], zone: str, start: int) -> dict[str, Answer]:
    base = datetime.fromtimestamp(start, timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")
    command = [SYSTEMD, "calendar", f"--iterations={COUNT}", f"--base-time={base}", "--", *lines]
    environment = {"TZ": zone, "PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=SECONDS_MAX, check=False
        )
    except subprocess.TimeoutExpired:
        return dict.fromkeys(lines, Answer(silent=f"more than {SECONDS_MAX} s"))
    answers = {}
    for line in lines:
        if f"Failed to parse calendar specification '{line}'" in done.stderr:
            answers[line] = Answer(refused=done.stderr.strip())
        elif f"Failed to determine next elapse for '{line}'" in done.stderr:
            answers[line] = Answer(silent=done.stderr.strip())
    # What is left stands on stdout, in order, each one with its normalized form.
    blocks = done.stdout.split("Normalized form:")[1:]
    told = [line for line in lines if line not in answers]
    if len(blocks) != len(told):
        return dict.fromkeys(lines, Answer(silent=f"{done.stdout}{done.stderr}"))
    return answers | {line: systemd_block(block) for line, block in zip(told, blocks)}


def systemd_block(block: str) -> Answer:
    """Each instant has a line on the local clock, followed by one in UTC where that is another."""
    instants: list[str] = []
    for line in block.splitlines():
        if found := UTC_LINE.search(line):
            instants[-1] = found[1]
        elif (found := ELAPSE_LINE.search(line)) and found[1] != "never":
            _weekday, day, time, zone = found[1].split()
            instants.append(f"{day} {time}" if zone == "UTC" else "")
    if "" in instants:
        return Answer(silent=f"an instant without UTC: {block}")
    return Answer(tuple(int(datetime.fromisoformat(f"{it}+00:00").timestamp()) for it in instants))


# --- Nightbeat --------------------------------------------------------------------------------------


class Nightbeat:
    """`nightbeat schedule next --stdin`: one process for all questions."""

    def __init__(self, binary: str):
        command = [binary, "schedule", "next", "--stdin"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, cases: list[Case]) -> list[Answer]:
        def write():
            for case in cases:
                start = datetime.fromtimestamp(case.start, timezone.utc).isoformat()
                question = {
                    "kind": case.kind,
                    "expr": case.expression,
                    "tz": case.zone,
                    "from": start,
                    "count": COUNT,
                }
                self.process.stdin.write(json.dumps(question) + "\n")
            self.process.stdin.flush()

        # Both pipes would fill up if all was written before anything is read.
        writing = threading.Thread(target=write)
        writing.start()
        answers = [self.read() for _ in cases]
        writing.join()
        return answers

    def read(self) -> Answer:
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"differential: nightbeat ended with {self.process.wait()}")
        answer = json.loads(line)
        if "error" in answer:
            return Answer(refused=answer["error"])
        return Answer(tuple(int(datetime.fromisoformat(at).timestamp()) for at in answer["next"]))

    def close(self):
        self.process.stdin.close()
        if self.process.wait() != 0 or self.process.stdout.read():
            raise SystemExit("differential: nightbeat did not end well")
