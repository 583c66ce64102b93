"""What schemathesis has to know besides the OpenAPI document.

Strings of our own formats; and what no schema can say: that a channel exists, that a time is still to come.
"""

import datetime
import itertools
import os
import uuid

import schemathesis
from hypothesis import strategies as st

CHANNEL = os.environ["FUZZ_CHANNEL"]
OWN_KEY = os.environ["FUZZ_OWN_KEY"]
NUMBERS = itertools.count()

CRON = ["30 3 * * *", "*/5 * * * *", "0 0 1 JAN,JUL *", "15 14 * * MON-FRI", "0 4 L * *", "0 12 * * FRI#2"]
CALENDAR = ["daily", "Mon..Fri 02:00", "*-*-01 04:30:00", "Sat 04:00\nSun 05:00", "*:0/15", "2030-01-01 00:00"]
ZONES = ["UTC", "Europe/Madrid", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe"]
RULES = ["files_total > 0", "duration < 2h", "bytes_total >= 50% of median(14)", 'metric("rows") >= 1', "errors == 0 else warning"]

# As the server gives them out; a place in a list need not be that of an item.
CURSORS = ["1790000000000000.4c1e0a52ffffffffffffffffffffffff", "17", "0"]

schemathesis.openapi.format("cron", st.sampled_from(CRON))
schemathesis.openapi.format("calendar", st.sampled_from(CALENDAR))
schemathesis.openapi.format("timezone", st.sampled_from(ZONES))
schemathesis.openapi.format("rule", st.sampled_from(RULES))
schemathesis.openapi.format("cursor", st.sampled_from(CURSORS))


def is_time(value):
    """Whether it is a time as the API takes it."""
    if not isinstance(value, str):
        return False
    try:
        return datetime.datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


def is_uuid(value):
    try:
        return isinstance(value, str) and str(uuid.UUID(value)) == value.lower()
    except ValueError:
        return False


def ahead(days):
    at = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=days)
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def channels_that_exist(body):
    """Ids that name nothing become the id of a channel."""
    if isinstance(body.get("channels"), list) and all(map(is_uuid, body["channels"])):
        body["channels"] = [CHANNEL for _ in body["channels"]]
    if is_uuid(body.get("fallback_channel")):
        body["fallback_channel"] = CHANNEL


def times_to_come(body):
    """A window that is over, or ends before it begins, becomes one that lies ahead."""
    for name, days in (("from", 1), ("to", 2), ("until", 1)):
        if is_time(body.get(name)):
            body[name] = ahead(days)


def settings_of_a_kind(body):
    """Which settings a kind has, and what they look like, is told by `GET /channel-kinds`."""
    settings = body.get("settings", {})
    if not isinstance(settings, dict) or not all(isinstance(v, (str, type(None))) for v in settings.values()):
        return
    if isinstance(body.get("kind"), str):
        body["kind"] = "webhook"
        body["settings"] = {"url": "http://127.0.0.1:1/"}
    elif "settings" in body:
        body["settings"] = {"url": "http://127.0.0.1:1/"}


def a_slug_that_is_free(body):
    """In Healthchecks' dialect a slug that is taken is a wrong field: it has no other word for that."""
    if isinstance(body.get("slug"), str) and body["slug"]:
        body["slug"] = f"free-{next(NUMBERS)}"


@schemathesis.hook
def before_call(context, case, kwargs):
    """Puts right what the document allows and nobody could know; what is to be refused stays as it is."""
    if case.operation.path == "/keys/{id}" and case.path_parameters.get("id") == OWN_KEY:
        # Whoever saws off the branch that they sit on is refused from then on.
        case.path_parameters["id"] = str(uuid.UUID(int=0))
    if case.method == "DELETE" and case.path_parameters.get("channel") == CHANNEL:
        # It is the one that `channels_that_exist` names.
        case.path_parameters["channel"] = str(uuid.UUID(int=0))
    if case.meta is None:
        return
    if case.operation.path.endswith("/flips/") and not case.meta.generation.mode.is_positive:
        # What is not one value is sent as an empty one, which stands for none, as at Healthchecks.
        for name in ("seconds", "start", "end"):
            if case.query and isinstance(case.query.get(name), (list, dict)):
                case.query[name] = "x"
    if not case.meta.generation.mode.is_positive:
        return
    if case.operation.path.endswith("/flips/") and "seconds" in case.query:
        # Either how far back, or from when until when.
        for name in ("start", "end"):
            case.query.pop(name, None)
    if not isinstance(case.body, dict):
        return
    path = case.operation.path
    if path.startswith("/checks"):
        a_slug_that_is_free(case.body)
    if path.startswith(("/heartbeats", "/project")):
        channels_that_exist(case.body)
    if path.startswith(("/maintenance", "/incidents")):
        times_to_come(case.body)
    if path.startswith(("/channels", "/channel-kinds")):
        settings_of_a_kind(case.body)
