#!/usr/bin/env python3
"""Asks Nightbeat and other schedulers the same random questions, and looks for differences.

    peers/differential.py --nightbeat target/debug/nightbeat

cron expressions are compared with PyPI's cronsim, calendar events with PyPI's oncalendar and, where the
machine has it, with systemd-analyze. A question counts where the peers agree with each other and none is
known to be wrong about it (defects.py); there must be no difference. Every run asks new questions; --seed
repeats an old one.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
from collections import Counter
from importlib.metadata import version

import defects
import schedulers
from generate import Case, Generator, zones
from schedulers import Answer, Nightbeat

# Calendar events that share zone and instant, so that one process of systemd answers them all.
GROUP = {"cron": 1, "oncalendar": 4}
# What we say of expressions that can be read and never fire.
NEVER = ("never fires", "names no day that exists")
# Groups that are asked about at once.
ROUND = 400
# Of all questions, at most so many are asked for each one that counts.
ASKED_MAX_FACTOR = 4
# Differences that are printed in full.
SHOWN_MAX = 20


def ask_peers(group: list[Case]) -> list[dict[str, Answer]]:
    """What each peer says to each question."""
    name = "cronsim" if group[0].kind == "cron" else "oncalendar"
    answers = [{name: schedulers.python_peer(case)} for case in group]
    if group[0].kind == "oncalendar" and schedulers.SYSTEMD:
        for known, answer in zip(answers, schedulers.systemd_group(group)):
            known["systemd"] = answer
    return answers


def why_not(case: Case, peers: dict[str, Answer], ours: Answer) -> str | None:
    """Why a question does not count."""
    answers = list(peers.values())
    if any(answer.silent is not None for answer in answers):
        return "a peer gave no answer"
    if not all(answer.same(answers[0]) for answer in answers):
        return "the peers disagree"
    if answers[0].instants and answers[0].instants[0] <= case.start:
        return "the peers name an instant before the question, as they do in second passes"
    if case.kind == "oncalendar":
        one_refuses = (answers[0].refused is None) != (ours.refused is None)
        return None if schedulers.SYSTEMD else defects.calendar(case, one_refuses)
    return defects.cron(case, [*answers[0].instants, *ours.instants])


def same(theirs: Answer, ours: Answer) -> bool:
    """We refuse what never fires."""
    never = theirs.refused is None and not theirs.instants
    return theirs.same(ours) or (never and any(words in (ours.refused or "") for words in NEVER))


class Tally:
    """What came of the questions of one kind."""

    def __init__(self, kind: str):
        self.kind = kind
        self.asked = 0
        self.counted = 0
        self.refused = 0
        self.left_out: Counter[str] = Counter()
        self.differences: list[str] = []

    def add(self, case: Case, peers: dict[str, Answer], ours: Answer):
        self.asked += 1
        if reason := why_not(case, peers, ours):
            self.left_out[reason] += 1
            return
        self.counted += 1
        theirs = next(iter(peers.values()))
        self.refused += theirs.refused is not None
        if not same(theirs, ours):
            question = f"{case.kind} {case.expression!r} {case.zone}, after {case.local().isoformat()}"
            answers = "".join(f"\n  {name}: {answer}" for name, answer in (peers | {"nightbeat": ours}).items())
            self.differences.append(question + answers)

    def report(self) -> str:
        lines = [
            f"{self.kind}: {self.asked} asked, {self.counted} compared ({self.refused} of them refused by all), "
            f"{len(self.differences)} different"
        ]
        lines += [f"  left out: {count} {reason}" for reason, count in self.left_out.most_common()]
        return "\n".join(lines)


def compare(kind: str, wanted: int, generator: Generator, pool, nightbeat: Nightbeat) -> Tally:
    tally = Tally(kind)
    while tally.counted < wanted:
        if tally.asked > wanted * ASKED_MAX_FACTOR:
            sys.exit(f"differential: too few questions count\n{tally.report()}")
        groups = [generator.group(kind, GROUP[kind]) for _ in range(ROUND)]
        asked = pool.imap(ask_peers, groups, chunksize=10)
        cases = [case for group in groups for case in group]
        ours = iter(nightbeat.ask(cases))
        for group, peers in zip(groups, asked):
            for case, known in zip(group, peers):
                tally.add(case, known, next(ours))
    return tally


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nightbeat", required=True, help="the binary")
    parser.add_argument("--cases", type=int, default=20_000, help="questions that must count, of both kinds")
    parser.add_argument("--seed", type=int, default=time.time_ns() // 1_000_000, help="default: the time")
    options = parser.parse_args()
    if len(zones()) < 40:
        sys.exit(f"differential: this machine knows {len(zones())} of the time zones; install tzdata")

    peers = f"cronsim {version('cronsim')}, oncalendar {version('oncalendar')}"
    if schedulers.SYSTEMD:
        peers += f", systemd {schedulers.systemd_version()}"
    else:
        peers += "; systemd-analyze is not on this machine, so calendar events have one peer only"
    print(f"seed {options.seed}: {len(zones())} zones; {peers}", flush=True)

    generator = Generator(options.seed)
    nightbeat = Nightbeat(options.nightbeat)
    wanted = options.cases // 2
    with multiprocessing.Pool() as pool:
        tallies = [compare(kind, wanted, generator, pool, nightbeat) for kind in GROUP]
    nightbeat.close()

    differences = [it for tally in tallies for it in tally.differences]
    print(*[tally.report() for tally in tallies], sep="\n")
    if differences:
        print(*differences[:SHOWN_MAX], sep="\n")
        sys.exit(f"differential: {len(differences)} differences; --seed {options.seed} repeats them")


if __name__ == "__main__":
    main()
