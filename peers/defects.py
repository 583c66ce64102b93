"""Where a peer is known to be wrong: narrow conditions on the question, one for each defect that
crates/calendar/README.md lists. Such a question proves nothing about us, so it is left out."""

from __future__ import annotations

import re

from generate import Case, Change, changes

HOUR = 3600
DAY = 24 * HOUR


def cron(case: Case, answered: list[int]) -> str | None:
    """Why cronsim's opinion does not count. `answered`: all instants that it or we named."""
    fields = case.expression.split()
    if len(fields) == 6:
        return "six fields: cronsim takes seconds"
    if range_of_one(case.expression, "-"):
        return "a range of one with a step: cronsim reads a-a/n as a/n"
    fixed = len(fields) == 5 and not any(field.startswith("*") for field in fields[:2])
    if fixed and case.local().fold:
        return "a fixed job asked about in a second pass: cronsim forgets which pass it is"
    # Whoever is wrong about a change named an instant beside it that is wrong, or that the other left out.
    touched = [it for it in changes(case.zone) if any(abs(at - it.at) <= DAY for at in answered)]
    if fixed and any(abs(it.after - it.before) >= 3 * HOUR for it in touched):
        return "a fixed job beside a change of three hours or more: cronsim makes up for it"
    if not fixed and any(upsets_hours(it) for it in touched):
        return "a wild job beside a change that is not from hour to hour, or that skips midnight"
    return None


def range_of_one(expression: str, dash: str) -> bool:
    """A range that begins where it ends, with a step."""
    ranges = re.findall(rf"(\w+){re.escape(dash)}(\w+)/", expression.upper())
    return any(value(first) == value(last) for first, last in ranges)


def value(text: str) -> str:
    names = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]
    names_of_months = "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split()
    if text in names:
        return str(names.index(text))
    if text in names_of_months:
        return str(names_of_months.index(text) + 1)
    return text.lstrip("0")


def upsets_hours(change: Change) -> bool:
    """cronsim steps from full hour to full hour, and begins a day at its midnight."""
    start, end = change.at + change.before, change.at + change.after
    skips_midnight = start % DAY == 0 or start // DAY != (end - 1) // DAY
    return start % HOUR != 0 or end % HOUR != 0 or (end > start and skips_midnight)


def calendar(case: Case, one_refuses: bool) -> str | None:
    """Why oncalendar's opinion does not count where systemd is not there to confirm it."""
    if one_refuses:
        return "refused by one: oncalendar's grammar is not quite systemd's"
    if case.local().fold:
        return "asked in a second pass: oncalendar forgets which pass it is"
    if "~" in case.expression and "/" in case.expression:
        return "days from the month's end with a step: oncalendar counts from the other end"
    if range_of_one(case.expression, ".."):
        return "a range of one with a step: oncalendar reads a..a/n as a/n"
    return None
