//! The line to put into a job, ready to copy, for whatever runs it.

/// Something to copy.
pub(in crate::web) struct Snippet {
    /// For whom.
    pub(in crate::web) name: &'static str,
    /// What to do with it.
    pub(in crate::web) hint: &'static str,
    pub(in crate::web) text: String,
}

/// A template: `URL` stands for the signal URL, `BASE` for the server and `ID` for the heartbeat.
const TEMPLATES: [(&str, &str, &str); 14] = [
    (
        "curl",
        "At the end of a script, where it is reached only if all went well.",
        "curl -fsS -m 10 --retry 5 URL > /dev/null",
    ),
    (
        "bash",
        "Tells of the start, of failures, and sends the output along.",
        r#"#!/bin/bash
set -uo pipefail
url=URL
signal() { curl -fsS -m 10 --retry 5 "$@" > /dev/null || true; }

signal "$url/start"
code=0
output=$(/usr/local/bin/backup.sh 2>&1) || code=$?
printf '%s\n' "$output" | tail -c 90000 | signal --data-binary @- "$url/$code"
exit "$code""#,
    ),
    (
        "nightbeat run",
        "Does all of that by itself, and keeps signals that could not be sent.",
        "nightbeat run ID --url BASE -- /usr/local/bin/backup.sh",
    ),
    (
        "cron",
        "A line of a crontab. A percent sign in it must be written \\%.",
        "30 3 * * *  /usr/local/bin/backup.sh && curl -fsS -m 10 --retry 5 URL > /dev/null",
    ),
    (
        "systemd",
        "systemctl edit backup.service",
        r#"[Service]
ExecStartPre=-/usr/bin/curl -fsS -m 10 URL/start
ExecStopPost=-/bin/sh -c 'curl -fsS -m 10 --retry 5 URL/$([ "$SERVICE_RESULT" = success ] && echo 0 || echo 1)'"#,
    ),
    (
        "restic",
        "The summary tells how many files and bytes there were.",
        r#"out=$(restic backup --json /home 2>&1); code=$?
printf '%s\n' "$out" | tail -c 90000 | curl -fsS -m 30 --retry 5 --data-binary @- "URL/$code""#,
    ),
    (
        "borg",
        "With --json it tells how much there was. Its exit code 1 is a warning: name it under warning codes.",
        r#"out=$(borg create --json ::'{hostname}-{now}' /home 2>&1); code=$?
printf '%s\n' "$out" | curl -fsS -m 30 --retry 5 --data-binary @- "URL/$code""#,
    ),
    (
        "rclone",
        "The last lines tell how much was moved.",
        r#"out=$(rclone sync /home remote:home --stats-one-line -v 2>&1); code=$?
printf '%s\n' "$out" | tail -c 90000 | curl -fsS -m 30 --retry 5 --data-binary @- "URL/$code""#,
    ),
    (
        "rsync",
        "--stats tells how many files there were. Its exit code 24 is a warning: name it under warning codes.",
        r#"out=$(rsync -a --delete --stats /home/ /mnt/nas/home/ 2>&1); code=$?
printf '%s\n' "$out" | curl -fsS -m 30 --retry 5 --data-binary @- "URL/$code""#,
    ),
    (
        "Python",
        "Without a library.",
        r#"import urllib.request

urllib.request.urlopen("URL", data=b"done", timeout=10)"#,
    ),
    (
        "PowerShell",
        "At the end of a scheduled task's script.",
        r#"Invoke-RestMethod -Uri "URL" -Method Post -Body "$output" -TimeoutSec 10 | Out-Null"#,
    ),
    (
        "Kubernetes CronJob",
        "The container needs curl; the secret keeps the URL out of the manifest.",
        r#"# kubectl create secret generic nightbeat --from-literal=url=URL
apiVersion: batch/v1
kind: CronJob
metadata:
  name: backup
spec:
  schedule: "30 3 * * *"
  concurrencyPolicy: Forbid
  jobTemplate:
    spec:
      template:
        spec:
          restartPolicy: Never
          containers:
            - name: backup
              image: example.org/backup
              env:
                - name: NIGHTBEAT_SIGNAL
                  valueFrom:
                    secretKeyRef: { name: nightbeat, key: url }
              command: ["/bin/sh", "-c", "/backup.sh; curl -fsS -m 10 --retry 5 $NIGHTBEAT_SIGNAL/$?"]"#,
    ),
    (
        "Docker",
        "The job in a container, the signal from the host.",
        "docker run --rm example.org/backup; curl -fsS -m 10 --retry 5 URL/$? > /dev/null",
    ),
    (
        "GitHub Actions",
        "Put the URL into a secret named NIGHTBEAT_SIGNAL.",
        r#"      - name: Tell Nightbeat
        if: always()
        env:
          NIGHTBEAT_SIGNAL: ${{ secrets.NIGHTBEAT_SIGNAL }} # URL
          CODE: ${{ job.status == 'success' && '0' || '1' }}
        run: curl -fsS -m 10 --retry 5 "$NIGHTBEAT_SIGNAL/$CODE""#,
    ),
];

/// The same for mail; `ADDRESS` stands for the heartbeat's address, `ID` and `DOMAIN` for its parts.
const BY_MAIL: (&str, &str, &str) = (
    "E-mail",
    "For a device or a program that can only send mail. Words in the subject or the text may decide; see the handbook.",
    r"ADDRESS           it finished well
ID+start@DOMAIN     it begins
ID+fail@DOMAIN      it failed
ID+3@DOMAIN         it ended with exit code 3

# A line at the top of a crontab: what its jobs print is mailed there.
MAILTO=ID+log@DOMAIN",
);

/// All of them for the heartbeat with this id on the server at `base`, which takes mail for `mail_domain`.
pub(in crate::web) fn for_heartbeat(
    base: &str,
    id: &str,
    mail_domain: Option<&str>,
) -> Vec<Snippet> {
    let url = format!("{base}/api/heartbeat/{id}");
    let made = TEMPLATES.iter().map(|(name, hint, text)| Snippet {
        name,
        hint,
        text: text
            .replace("BASE", base)
            .replace(" ID ", &format!(" {id} "))
            .replace("URL", &url),
    });
    made.chain(mail_domain.map(|domain| by_mail(id, domain)))
        .collect()
}

fn by_mail(id: &str, domain: &str) -> Snippet {
    let (name, hint, text) = BY_MAIL;
    let text = text
        .replace("ADDRESS", &format!("{id}@{domain}"))
        .replace("ID", id)
        .replace("DOMAIN", domain);
    Snippet { name, hint, text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_snippet_has_the_real_url_and_no_placeholder() {
        let id = "4c1e8a52-09d3-4b7e-8f6a-1d2c3b4a5968";
        let all = for_heartbeat("https://beats.example.org", id, None);
        assert_eq!(all.len(), TEMPLATES.len());
        for snippet in all {
            assert!(
                snippet.text.contains("https://beats.example.org"),
                "{}",
                snippet.name
            );
            assert!(snippet.text.contains(id), "{}", snippet.name);
            for placeholder in ["URL", "BASE", " ID "] {
                assert!(!snippet.text.contains(placeholder), "{}", snippet.name);
            }
        }
        let all = for_heartbeat("https://beats.example.org", id, Some("mail.example.org"));
        assert_eq!(all.len(), TEMPLATES.len() + 1);
        let by_mail = &all[TEMPLATES.len()].text;
        assert!(by_mail.starts_with(&format!("{id}@mail.example.org ")));
        assert!(by_mail.contains(&format!("\nMAILTO={id}+log@mail.example.org")));
        assert!(!by_mail.contains("ID") && !by_mail.contains("DOMAIN"));
    }
}
