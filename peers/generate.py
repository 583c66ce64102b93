"""Random questions: expressions, sane and odd, in zones and at instants where schedules are hard."""

from __future__ import annotations

import random
import zoneinfo
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import cache
from zoneinfo import ZoneInfo

# Zones with clock changes of all kinds: an hour, half an hour, two and three hours, a whole day, at midnight,
# four times a year; and some without.
ZONES = """
Africa/Cairo Africa/Casablanca Africa/El_Aaiun Africa/Johannesburg Africa/Tripoli America/Adak
America/Anchorage America/Argentina/San_Luis America/Asuncion America/Bogota America/Caracas
America/Chicago America/Denver America/Godthab America/Halifax America/Havana America/Los_Angeles
America/Mexico_City America/New_York America/Santiago America/Sao_Paulo America/Scoresbysund
America/St_Johns Antarctica/Casey Antarctica/Troll Asia/Amman Asia/Baku Asia/Beirut Asia/Damascus
Asia/Dhaka Asia/Gaza Asia/Jerusalem Asia/Kathmandu Asia/Kolkata Asia/Pyongyang Asia/Tehran Asia/Tokyo
Asia/Ulaanbaatar Atlantic/Azores Australia/Adelaide Australia/Eucla Australia/Lord_Howe
Australia/Sydney Europe/Berlin Europe/Chisinau Europe/Dublin Europe/Istanbul Europe/Kiev
Europe/Lisbon Europe/London Europe/Madrid Europe/Moscow Europe/Riga Europe/Volgograd Indian/Mauritius
Pacific/Apia Pacific/Auckland Pacific/Chatham Pacific/Easter Pacific/Fiji Pacific/Norfolk
Pacific/Tongatapu UTC
""".split()

FIRST_YEAR, LAST_YEAR = 2000, 2037
# Longest expression: more is refused as cron, and says nothing new as a calendar event.
CHARACTERS_MAX = 100
# Of the instants, half lie within so many hours of a clock change.
NEAR_HOURS = 30

MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
WEEKDAYS = "Sunday Monday Tuesday Wednesday Thursday Friday Saturday".split()
SHORTHANDS = "minutely hourly daily weekly monthly quarterly semiannually yearly annually".split()


@dataclass(frozen=True)
class Change:
    """A clock change: at an instant, from one offset to another (all in seconds)."""

    at: int
    before: int
    after: int


@dataclass(frozen=True)
class Case:
    """One question: the next instants of `expression` in `zone`, strictly after `start` (Unix seconds)."""

    kind: str
    expression: str
    zone: str
    start: int

    def local(self) -> datetime:
        return datetime.fromtimestamp(self.start, ZoneInfo(self.zone))


@cache
def zones() -> list[str]:
    known = zoneinfo.available_timezones()
    return [name for name in ZONES if name in known]


@cache
def changes(zone: str) -> tuple[Change, ...]:
    """The clock changes from 1999 to 2040."""
    rules = ZoneInfo(zone)

    def offset(at: int) -> int:
        return int(datetime.fromtimestamp(at, rules).utcoffset().total_seconds())

    day = 86_400
    first, last = (int(datetime(year, 1, 1, tzinfo=timezone.utc).timestamp()) for year in (1999, 2040))
    found = []
    for low in range(first, last, day):
        if offset(low) == offset(low + day):
            continue
        before, high = offset(low), low + day
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if offset(middle) == before else (low, middle)
        found.append(Change(high, before, offset(high)))
    return tuple(found)


class Generator:
    """The same seed asks the same questions."""

    def __init__(self, seed: int):
        self.random = random.Random(seed)

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def one_of(self, choices):
        return self.random.choice(choices)

    def group(self, kind: str, size: int) -> list[Case]:
        """Questions that share zone and instant."""
        zone = self.one_of(zones())
        start = self.instant(zone)
        write = self.cron if kind == "cron" else self.calendar
        return [Case(kind, write(), zone, start) for _ in range(size)]

    def instant(self, zone: str) -> int:
        near = [it for it in changes(zone) if FIRST_YEAR <= year(it.at) <= LAST_YEAR]
        if near and self.chance(0.5):
            seconds = self.random.randint(-NEAR_HOURS * 3600, NEAR_HOURS * 3600)
            # Whole minutes are where schedules fire: the instant itself does not count.
            return self.one_of(near).at + (seconds // 60 * 60 if self.chance(0.5) else seconds)
        days = (datetime(LAST_YEAR + 1, 1, 1) - datetime(FIRST_YEAR, 1, 1)) // timedelta(days=1)
        first = int(datetime(FIRST_YEAR, 1, 1, tzinfo=timezone.utc).timestamp())
        return first + self.random.randrange(days * 86_400)

    # --- what both grammars share -----------------------------------------------------------------

    def number(self, low: int, high: int) -> str:
        value = self.random.randint(low, high)
        if self.chance(0.01):
            value = high + self.random.randint(1, 3)
        return f"{value:02}" if self.chance(0.3) else str(value)

    def ascending(self, low: int, high: int) -> tuple[str, str]:
        """The ends of a range; now and then the wrong way round."""
        ends = sorted(self.random.randint(low, high) for _ in range(2))
        if self.chance(0.03):
            ends.reverse()
        return str(ends[0]), str(ends[1])

    def step(self, most: int) -> str:
        return "0" if self.chance(0.01) else str(self.random.randint(1, most))

    def cased(self, word: str) -> str:
        return self.one_of([word, word.lower(), word.upper()])

    def finish(self, write) -> str:
        """An expression of bearable length, one in ten of them with slips of the keyboard."""
        while True:
            text = write()
            if self.chance(0.1):
                text = self.slip(text)
            if len(text) <= CHARACTERS_MAX:
                return text

    def slip(self, text: str) -> str:
        characters = list(text)
        for _ in range(self.random.randint(1, 2)):
            place = self.random.randrange(len(characters) + 1)
            new = self.one_of("0123456789*/-,#LW ~.:abT@+?")
            what = self.one_of(["insert", "replace", "remove"])
            if what == "insert" or place == len(characters):
                characters.insert(place, new)
            elif what == "replace":
                characters[place] = new
            else:
                del characters[place]
        return "".join(characters)

    # --- cron -------------------------------------------------------------------------------------

    def cron(self) -> str:
        def write() -> str:
            fields = [self.cron_field(position) for position in range(5)]
            return "  ".join(fields) if self.chance(0.05) else " ".join(fields)

        return self.finish(write)

    def cron_field(self, position: int) -> str:
        if self.chance(0.35):
            return "*"
        items = self.one_of([1, 1, 1, 1, 2, 3])
        return ",".join(self.cron_item(position) for _ in range(items))

    def cron_item(self, position: int) -> str:
        low, high = [(0, 59), (0, 23), (1, 31), (1, 12), (0, 7)][position]
        first, last = self.ascending(low, high)
        what = self.random.random()
        if what < 0.06:
            return "*"
        if what < 0.2:
            return f"*/{self.step(high)}"
        if what < 0.35:
            return f"{first}-{last}"
        if what < 0.45:
            return f"{first}-{last}/{self.step(12)}"
        if what < 0.52:
            return f"{self.number(low, high)}/{self.step(12)}"
        if position == 2 and what < 0.6:
            return self.one_of(["L", "LW", "L", "LW", "l", "lw", "W", "L-3"])
        if position == 3 and what < 0.7:
            return self.cased(self.one_of(MONTHS))
        if position == 4 and what < 0.85:
            day = self.one_of([self.cased(self.one_of(WEEKDAYS)[:3]), self.number(low, high)])
            nth = f"#{self.number(1, 5)}"
            return day + self.one_of(["", "", nth, nth, "L"])
        return self.number(low, high)

    # --- calendar events --------------------------------------------------------------------------

    def calendar(self) -> str:
        def write() -> str:
            lines = 1 if self.chance(0.93) else 2
            return "\n".join(self.calendar_line() for _ in range(lines))

        return self.finish(write)

    def calendar_line(self) -> str:
        if self.chance(0.04):
            text = self.cased(self.one_of(SHORTHANDS))
        else:
            parts = [self.weekdays()] if self.chance(0.35) else []
            if self.chance(0.5):
                parts.append(self.date())
            if self.chance(0.8) or not parts:
                parts.append(self.time())
            text = " ".join(parts)
        return f"{text} {self.one_of(zones())}" if self.chance(0.15) else text

    def weekdays(self) -> str:
        def day() -> str:
            name = self.one_of(WEEKDAYS)
            return self.cased(name if self.chance(0.3) else name[:3])

        def item() -> str:
            return day() + self.one_of(["..", "..", "-"]) + day() if self.chance(0.4) else day()

        items = [item() for _ in range(self.one_of([1, 1, 2]))]
        return ",".join(items) + ("," if self.chance(0.1) else "")

    def date(self) -> str:
        dash = "~" if self.chance(0.25) else "-"
        day = self.chain(1, 31 if dash == "-" else 28)
        text = f"{self.chain(1, 12)}{dash}{day}"
        if self.chance(0.4):
            return text
        some_year = self.random.randint(1995, 2045)
        years = [
            str(some_year),
            f"{some_year}..{some_year + self.random.randint(0, 20)}",
            f"{some_year}/{self.random.randint(1, 6)}",
            f"{self.random.randint(0, 99):02}",
        ]
        return f"{'*' if self.chance(0.75) else self.one_of(years)}-{text}"

    def time(self) -> str:
        text = f"{self.chain(0, 23)}:{self.chain(0, 59)}"
        return f"{text}:{self.chain(0, 59)}" if self.chance(0.35) else text

    def chain(self, low: int, high: int) -> str:
        if self.chance(0.35):
            return "*"
        items = self.one_of([1, 1, 1, 2])
        return ",".join(self.chain_item(low, high) for _ in range(items))

    def chain_item(self, low: int, high: int) -> str:
        first, last = self.ascending(low, high)
        what = self.random.random()
        if what < 0.2:
            return f"{first}..{last}"
        if what < 0.3:
            return f"{first}..{last}/{self.step(20)}"
        if what < 0.45:
            return f"{self.number(low, high)}/{self.step(20)}"
        return self.number(low, high)


def year(at: int) -> int:
    return datetime.fromtimestamp(at, timezone.utc).year
