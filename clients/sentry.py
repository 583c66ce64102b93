"""Sentry's own clients: the SDK for Python, and its command line."""

import os
import pathlib
import subprocess

from server import HANGING_SECONDS, expect

CLI = pathlib.Path(__file__).parent / "node" / "node_modules" / ".bin" / "sentry-cli"


def sdk(server):
    """Check-ins of Sentry's SDK, with and without a schedule."""
    import sentry_sdk
    from sentry_sdk.crons import MonitorStatus, capture_checkin, monitor

    sentry_sdk.init(dsn=f"http://{server.ping}@{server.place}/1", default_integrations=False)
    config = {
        "schedule": {"type": "crontab", "value": "0 4 * * *"},
        "timezone": "Europe/Vienna",
        "checkin_margin": 10,
        "max_runtime": 20,
    }

    @monitor(monitor_slug="sdk-job", monitor_config=config)
    def job(fails):
        if fails:
            raise ValueError("no")

    job(False)
    sentry_sdk.flush(HANGING_SECONDS)
    try:
        job(True)
    except ValueError:
        pass
    sentry_sdk.flush(HANGING_SECONDS)
    found = server.api("/api/v1/heartbeats/sdk-job")
    expect("sentry-sdk: schedule", found["schedule"], {"cron": "0 4 * * *", "timezone": "Europe/Vienna"})
    expect("sentry-sdk: grace and run time", (found["grace"], found["max_run_time"]), (600, 1200))
    expect("sentry-sdk: arrived", server.kinds("sdk-job"), ["start", "success", "start", "fail"])
    signals = server.signals("sdk-job")
    expect("sentry-sdk: a run id for each run", len({s["rid"] for s in signals}), 2)
    capture_checkin(monitor_slug="sdk-job", status=MonitorStatus.OK, duration=1.5)
    sentry_sdk.flush(HANGING_SECONDS)
    newest = server.signals("sdk-job")[0]
    expect("sentry-sdk: duration", (newest["kind"], newest["metrics"]), ("success", {"duration": 1.5}))


def cli(server):
    """`sentry-cli monitors run` round a job, with and without a schedule."""
    environment = {
        **os.environ,
        "SENTRY_DSN": f"http://{server.ping}@{server.place}/1",
        "SENTRY_DISABLE_UPDATE_CHECK": "1",
        "HOME": str(server.folder),
    }

    def run(*arguments):
        command = [CLI, "monitors", "run", *arguments]
        ended = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=HANGING_SECONDS
        )
        return ended.returncode, ended.stdout, ended.stderr

    schedule = ["--schedule", "0 4 * * *", "--timezone", "Europe/Vienna", "--check-in-margin", "10"]
    schedule += ["--max-runtime", "20", "--failure-issue-threshold", "2", "--recovery-threshold", "3"]
    code, out, said = run(*schedule, "cli-job", "--", "echo", "done")
    expect(f"sentry-cli: a job ({said})", (code, out), (0, "done\n"))
    found = server.api("/api/v1/heartbeats/cli-job")
    expect("sentry-cli: schedule", found["schedule"], {"cron": "0 4 * * *", "timezone": "Europe/Vienna"})
    expect("sentry-cli: grace and run time", (found["grace"], found["max_run_time"]), (600, 1200))
    thresholds = (found["failure_threshold"], found["recovery_threshold"])
    expect("sentry-cli: thresholds", thresholds, (2, 3))
    code, _, said = run("cli-job", "--", "sh", "-c", "exit 3")
    expect(f"sentry-cli: a job that fails ({said})", code, 3)
    six = server.told("cli-job", "kind", "rid")
    expect("sentry-cli: arrived", [kind for kind, _ in six], ["start", "success", "start", "fail"])
    pairs = [six[0][1] == six[1][1], six[2][1] == six[3][1], six[0][1] == six[2][1]]
    expect("sentry-cli: a run id for each run", pairs, [True, True, False])
    # Nobody has told what it is: it is not made up, and the job runs all the same.
    code, out, _ = run("cli-unknown", "--", "echo", "done")
    expect("sentry-cli: an unknown monitor", (code, out), (0, "done\n"))
    expect("sentry-cli: is not made up", server.api("/api/v3/checks/?slug=cli-unknown"), {"checks": []})
