"""Front ends of borg: real backups, and some that fail."""

import json
import os
import pathlib
import subprocess
import sys

from server import expect


# Programs that came with the interpreter's packages.
PROGRAMS = pathlib.Path(sys.executable).parent


def home(server, name):
    """A folder with something worth keeping, and an environment of which it is the home."""
    folder = server.folder / name
    (folder / "source").mkdir(parents=True)
    (folder / "source" / "file").write_text("worth keeping")
    unasked = {"BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes"}
    environment = {**os.environ, **unasked, "HOME": str(folder), "XDG_CONFIG_HOME": str(folder / ".config")}
    return folder, environment


def borgmatic(server):
    """A real backup with borg, and two that fail; its hooks of four products."""
    folder, environment = home(server, "borgmatic")
    for slug in ("b-kuma", "b-cronitor", "b-sentry"):
        server.check(slug)
    kuma = server.api("/api/v1/heartbeats/b-kuma")["id"]

    def run(source, repository):
        config = {
            "source_directories": [str(source)],
            "source_directories_must_exist": True,
            "repositories": [{"path": str(repository)}],
            "healthchecks": {
                "ping_url": f"{server.base}/ping/{server.ping}/b-health",
                "create_slug": True,
                "send_logs": True,
            },
            "uptime_kuma": {"push_url": f"{server.base}/api/push/{kuma}", "states": ["finish", "fail"]},
            "cronitor": {"ping_url": f"{server.base}/p/{server.ping}/b-cronitor"},
            "sentry": {
                "data_source_name_url": f"http://{server.ping}@{server.place}/1",
                "monitor_slug": "b-sentry",
            },
        }
        file = folder / "config.yaml"
        file.write_text(json.dumps(config))
        command = [PROGRAMS / "borgmatic", "-c", file, "-v", "1"]
        ended = subprocess.run([*command, "create"], env=environment, capture_output=True, text=True)
        return ended.returncode, ended.stdout + ended.stderr

    repository = folder / "repository"
    init = ["borg", "init", "--encryption", "none", repository]
    subprocess.run(init, check=True, env=environment, capture_output=True)
    expect("borgmatic: a backup", run(folder / "source", repository)[0], 0)
    code, said = run(folder / "source", folder / "missing")
    expect(f"borgmatic: no repository ({said})", code, 1)
    code, said = run(folder / "no-source", repository)
    expect(f"borgmatic: no source ({said})", code, 1)

    one = ["start", "log", "success"]
    kinds = server.kinds("b-health")
    expect("borgmatic: Healthchecks, well", kinds[:3] in (one, ["start", "success", "log"]), True)
    expect("borgmatic: Healthchecks, starts and ends", [k for k in kinds if k != "log"],
           ["start", "success", "start", "fail", "start", "fail"])
    ends = [s for s in server.signals("b-health") if s["kind"] in ("success", "fail")]
    expect("borgmatic: its log is the body", [bool(s["body"]) for s in ends], [True, True, True])
    expect("borgmatic: Uptime Kuma", server.kinds("b-kuma"), ["success", "fail", "fail"])
    six = ["start", "success", "start", "fail", "start", "fail"]
    expect("borgmatic: Cronitor", server.kinds("b-cronitor"), six)
    expect("borgmatic: Sentry", server.kinds("b-sentry"), six)


def emborg(server):
    """A real backup with borg, and one that fails; each ends with borg's exit code."""
    folder, environment = home(server, "emborg")
    made = server.check("e-health")
    settings = folder / ".config" / "emborg"
    settings.mkdir(parents=True)
    (settings / "settings").write_text("configurations = 'home'\ndefault_configuration = 'home'\n")

    def emborg(command, repository):
        lines = {
            "repository": str(repository),
            "archive": "{{now}}",
            "encryption": "none",
            "src_dirs": str(folder / "source"),
            "healthchecks_url": f"{server.base}/ping",
            "healthchecks_uuid": made["uuid"],
        }
        text = "".join(f"{name} = {value!r}\n" for name, value in lines.items())
        (settings / "home").write_text(text)
        ended = subprocess.run(
            [PROGRAMS / "emborg", *command], env=environment, capture_output=True, text=True, cwd=folder
        )
        return ended.returncode, ended.stdout + ended.stderr

    repository = folder / "repository"
    code, said = emborg(["init"], repository)
    expect(f"emborg: init ({said})", code, 0)
    code, said = emborg(["create"], repository)
    expect(f"emborg: a backup ({said})", code, 0)
    code, said = emborg(["create"], folder / "missing")
    expect(f"emborg: no repository ({said})", code, 2)
    expect(
        "emborg: arrived",
        server.told("e-health", "kind", "exit_code", "method"),
        [("start", None, "POST"), ("success", 0, "POST"), ("start", None, "POST"), ("fail", 2, "POST")],
    )
    expect("emborg: borg's words are the body", "missing" in server.signals("e-health")[0]["body"], True)
