//! Forms that tools document and that no sample shows: other versions, other locales, several runs in one output.

use crate::support::facts;
use nightbeat_evidence::limits::{EVIDENCES_MAX, LINE_BYTES_MAX, TELLTALES_MAX};
use nightbeat_evidence::{Outcome, Reader, Reading, Stream, TelltaleKind, Tool, read};

fn good(body: &str) -> Reading {
    let reading = read(body.as_bytes(), Some(0));
    assert_eq!(reading.outcome, Outcome::Ok, "{body}: {:?}", reading.why);
    assert_eq!(reading.why, None, "{body}");
    reading
}

fn facts_of(body: &str) -> Vec<String> {
    facts(&read(body.as_bytes(), Some(0)))
}

#[test]
fn several_tools_in_one_output_are_one_evidence_each_and_a_sum() {
    let body = "\
processed 13 files, 1.000 KiB in 0:02
snapshot de13ad41 saved
sending incremental file list

Number of files: 5 (reg: 4, dir: 1)
Number of deleted files: 2 (reg: 2)
Number of regular files transferred: 1
Total file size: 1.000 bytes
Literal data: 10 bytes
total size is 1.000  speedup is 1,00
Number of files: 8 (reg: 7, dir: 1)
Number of deleted files: 0
Number of regular files transferred: 0
Total file size: 2.000 bytes
Literal data: 0 bytes
total size is 2.000  speedup is 1,00
Total bytes written: 10240 (10KiB, 18MiB/s)
";
    let reading = good(body);
    assert_eq!(
        facts(&reading),
        [
            "restic files=13 bytes=1024 s=2.00 id=de13ad41",
            "rsync files=4 changed=1 bytes=1000 added=10 deletes=2 dry=false",
            "rsync files=7 changed=0 bytes=2000 added=0 deletes=0 dry=false",
            "tar bytes=10240",
        ]
    );
    let sum = reading.sum().unwrap();
    assert_eq!(sum.files_total, Some(24));
    assert_eq!(sum.bytes_total, Some(14_264));
    assert_eq!(sum.deletes, Some(2));
    assert_eq!(sum.dry_run, Some(false));
    assert_eq!(sum.duration, Some(2.0));
    assert_eq!(sum.errors, None);
    assert_eq!(Reading::default().sum(), None);
}

#[test]
fn rsync_with_a_dry_run_and_deletions_without_stats() {
    let body = "deleting old/\ndeleting old/a\ndeleting old/b\n\nsent 1.23K bytes  received 19 bytes  833.33 bytes/sec\ntotal size is 4.56M  speedup is 3.00 (DRY RUN)\n";
    assert_eq!(facts_of(body), ["rsync bytes=4560000 deletes=2 dry=true"]);
    let of_log = "2026/11/22 11:19:51 [4711] Number of files: 1,234,567 (reg: 1,200,000, dir: 34,567)\n2026/11/22 11:19:51 [4711] total size is 99\n";
    assert_eq!(facts_of(of_log), ["rsync files=1200000"]);
    let before_3_1 =
        "Number of files: 16\nNumber of files transferred: 13\nTotal file size: 312013 bytes\n";
    assert_eq!(
        facts_of(before_3_1),
        ["rsync files=16 changed=13 bytes=312013"]
    );
}

#[test]
fn a_script_that_goes_on_after_rsync_is_judged_by_what_rsync_said() {
    let body = "rsync: [sender] link_stat \"/mnt/photos\" failed: No such file or directory (2)\nrsync error: some files/attrs were not transferred (see previous errors) (code 23) at main.c(1338) [sender=3.2.7]\nall done\n";
    let reading = read(body.as_bytes(), Some(0));
    assert_eq!(reading.outcome, Outcome::Failed);
    assert_eq!(facts(&reading)[1], "! source-missing rsync 1");
    let vanished = "rsync warning: some files vanished before they could be transferred (code 24) at main.c(1338) [sender=3.2.7]\n";
    assert_eq!(
        read(vanished.as_bytes(), Some(24)).outcome,
        Outcome::Warning
    );
    assert_eq!(read(vanished.as_bytes(), Some(0)).outcome, Outcome::Warning);
}

#[test]
fn a_remote_that_rclone_does_not_know_is_told() {
    for body in [
        "2026/11/23 03:43:55 NOTICE: Config file \"/home/ben/.config/rclone/rclone.conf\" not found - using defaults\n2026/11/23 03:43:55 Failed to create file system for \"nas:data\": didn't find section in config file\n",
        "2026/11/23 03:43:55 CRITICAL: Failed to create file system for \"nas:data\": didn't find section in config file (\"nas\")\n",
    ] {
        let reading = read(body.as_bytes(), Some(1));
        assert_eq!(reading.outcome, Outcome::Failed);
        let why = reading.why.unwrap();
        assert!(
            why.starts_with("rclone ended with 1; ") && why.contains("didn't find section"),
            "{why}"
        );
    }
}

/// Borg 1.2.4, `borg check --verify-data`.
#[test]
fn a_damaged_repository_is_told() {
    let body = "Data integrity error: Segment entry checksum mismatch [segment 2, offset 8]\nIndex object count mismatch.\ncommitted index: 127 objects\nrebuilt index:   1 objects\nFinished full repository check, errors found.\n";
    let reading = read(body.as_bytes(), Some(1));
    assert_eq!(facts(&reading), ["borg"]);
    assert_eq!(
        reading.why.as_deref(),
        Some(
            "borg ended with 1; the repository is damaged: Data integrity error: Segment entry checksum mismatch [segment 2, offset 8]"
        )
    );
    let healthy = "Starting repository check\nFinished full repository check, no problems found.\n";
    assert_eq!(read(healthy.as_bytes(), Some(0)).outcome, Outcome::Ok);
}

#[test]
fn a_password_file_that_is_missing_is_told() {
    let body = "Resolving password failed: Fatal: /etc/restic/password does not exist\n";
    let why = read(body.as_bytes(), Some(1)).why.unwrap();
    assert!(why.contains("a password is missing: Resolving"), "{why}");
}

#[test]
fn the_file_that_vanished_is_named() {
    let body = "file has vanished: \"/srv/a\"\nfile has vanished: \"/srv/b\"\n\nNumber of files: 15 (reg: 14, dir: 1)\ntotal size is 99  speedup is 1.24\nrsync warning: some files vanished before they could be transferred (code 24) at main.c(1394) [sender=3.5.0]\n";
    let reading = read(body.as_bytes(), Some(24));
    assert_eq!(reading.outcome, Outcome::Warning);
    assert_eq!(
        reading.why.as_deref(),
        Some(
            "rsync ended with 24: some files vanished before they were transferred; file has vanished: \"/srv/a\""
        )
    );
}

/// What a script says of which most steps failed, and which printed that all is well.
#[test]
fn all_steps_that_went_wrong_are_named() {
    let body = "backup.sh: line 2: config.env: No such file or directory\n\
        backup.sh: line 3: my-tool: command not found\n\
        backup.sh: line 4: cd: /data: No such file or directory\n\
        backup.sh: line 5: no-such-dump: command not found\n\
        cp: cannot stat '/data/file': No such file or directory\n\
        rm: cannot remove '/data/old': No such file or directory\n\
        ls: cannot access '/data': No such file or directory\n\
        backup complete\n";
    let reading = read(body.as_bytes(), Some(0));
    assert_eq!(
        reading.why.as_deref(),
        Some(
            "a command was not found: backup.sh: line 3: my-tool: command not found; trouble also with config.env, cd, no-such-dump, cp, rm and ls"
        )
    );
    let many: Vec<String> = (0..30)
        .map(|number| format!("sh: 1: tool-{number}: not found\n"))
        .collect();
    let many = many.concat();
    let why = read(many.as_bytes(), Some(0)).why.unwrap();
    assert!(why.ends_with("tool-7, tool-8 and 21 more"), "{why}");
}

#[test]
fn both_sides_of_one_rsync_are_one_run() {
    let body = "rsync error: error in file IO (code 11) at receiver.c(871) [receiver=3.2.7]\nrsync error: error in rsync protocol data stream (code 12) at io.c(228) [sender=3.2.7]\n";
    assert_eq!(facts_of(body), ["rsync v3.2.7"]);
    let twice = "rsync error: timeout (code 30) at io.c(1) [sender=3.2.7]\nrsync error: timeout (code 30) at io.c(1) [sender=3.2.7]\n";
    assert_eq!(facts_of(twice).len(), 2);
}

#[test]
fn restic_of_other_versions() {
    let dry = "Files:          13 new,     2 changed,     0 unmodified\nWould add to the repo: 1.500 MiB\n\nprocessed 15 files, 2.000 GiB in 1:02:03\n";
    assert_eq!(
        facts_of(dry),
        ["restic files=15 changed=15 bytes=2147483648 added=1572864 dry=true s=3723.00"]
    );
    let newer = concat!(
        r#"{"message_type":"error","error":{"message":"open /data/f3: permission denied"},"during":"archival","item":"/data/f3"}"#,
        "\n",
        r#"{"message_type":"summary","dry_run":false,"files_new":1,"files_changed":0,"data_added":10,"data_added_packed":8,"total_files_processed":12,"total_bytes_processed":300,"total_duration":1.5,"snapshot_id":"ab"}"#,
        "\n",
        r#"{"message_type":"exit_error","code":3,"message":"Warning: at least one source file could not be read"}"#,
        "\n",
    );
    let reading = read(newer.as_bytes(), Some(3));
    assert_eq!(reading.outcome, Outcome::Warning);
    assert_eq!(
        facts(&reading),
        [
            "restic files=12 changed=1 bytes=300 added=10 errors=1 dry=false s=1.50 id=ab",
            "! permission-denied restic 1",
        ]
    );
    let locked = r#"{"message_type":"exit_error","code":11,"message":"Fatal: unable to create lock in backend: repository is already locked by PID 4 on nas"}"#;
    let reading = read(locked.as_bytes(), Some(11));
    assert_eq!(reading.outcome, Outcome::Failed);
    assert_eq!(reading.telltales[0].kind, TelltaleKind::LockHeld);
}

#[test]
fn a_summary_after_jq_is_read_too() {
    let pretty = "{\n  \"message_type\": \"summary\",\n  \"total_files_processed\": 13,\n  \"snapshot_id\": \"ab\"\n}\n";
    assert_eq!(facts_of(pretty), ["restic files=13 id=ab"]);
    assert_eq!(
        read(pretty.as_bytes(), None).evidence[0].line,
        "\"total_files_processed\": 13,"
    );
}

#[test]
fn borg_two_and_show_rc() {
    let body = "Archive name: a\nDuration: 1 minutes 5.50 seconds\nNumber of files: 1337\nOriginal size: 1.50 GB\nDeduplicated size: 2.00 MB\nterminating with warning status, rc 1\n";
    let reading = read(body.as_bytes(), Some(1));
    assert_eq!(
        facts(&reading),
        ["borg files=1337 bytes=1500000000 added=2000000 s=65.50 id=a"]
    );
    assert_eq!(reading.outcome, Outcome::Warning);
    let info = "terminating with success status, rc 0\n";
    good(info);
    let log = r#"{"type": "log_message", "levelname": "ERROR", "message": "Failed to create/acquire the lock /r/lock.exclusive (timeout).", "msgid": "LockTimeout"}"#;
    let reading = read(log.as_bytes(), Some(0));
    assert_eq!(facts(&reading), ["borg", "! lock-held borg 1"]);
    assert_eq!(reading.outcome, Outcome::Failed);
}

#[test]
fn other_lines_between_those_of_a_document_do_not_break_it() {
    let body = "{\n    \"archive\": {\n        \"stats\": {\ncp: error writing '/mnt/x': No space left on device\n            \"nfiles\": 13\n        }\n    }\n}\n";
    assert_eq!(
        facts_of(body),
        ["! no-space-left cp 1", "borg files=13"]
            .map(str::to_owned)
            .into_iter()
            .rev()
            .collect::<Vec<_>>()
    );
}

#[test]
fn borgmatic_in_text_and_json() {
    let text = "repo: Creating archive\nsummary:\n/etc/borgmatic/config.yaml: Successfully ran configuration file\n";
    assert_eq!(facts(&good(text)), ["borgmatic"]);
    let failed = "summary:\n/etc/borgmatic/config.yaml: An error occurred\nNeed some help? https://torsion.org/borgmatic/#issues\n";
    assert_eq!(read(failed.as_bytes(), Some(0)).outcome, Outcome::Failed);
    let json = r#"[{"archive": {"name": "h-1", "duration": 2.5, "stats": {"nfiles": 13, "original_size": 5, "deduplicated_size": 1, "compressed_size": 4}}, "repository": {"location": "/r", "label": ""}}]"#;
    assert_eq!(
        facts(&good(json)),
        ["borgmatic files=13 bytes=5 added=1 s=2.50 id=h-1"]
    );
}

#[test]
fn rclone_tells_its_numbers_again_and_again_and_the_last_ones_count() {
    let told = |time: &str, files: u32, elapsed: &str| {
        format!(
            "2026/11/22 {time} INFO  : \nTransferred:   \t  {files} KiB / 30 KiB, 100%, 0 B/s, ETA -\nTransferred:   {files} / 30, 100%\nElapsed time:  {elapsed}\n\n"
        )
    };
    let one_run = [
        told("11:01:00", 10, "1m0.0s"),
        told("11:02:00", 20, "2m0.0s"),
        told("11:02:10", 30, "2m10.2s"),
    ];
    assert_eq!(
        facts(&good(&one_run.concat())),
        ["rclone files=30 changed=30 added=30720 deletes=0 errors=0 s=130.20"]
    );
    let two_runs = [
        told("11:01:00", 10, "1m0.0s"),
        told("11:03:10", 30, "2m0.2s"),
    ];
    assert_eq!(
        good(&two_runs.concat()).sum().unwrap().files_total,
        Some(40)
    );
    let short_runs = [told("11:01:00", 10, "0.1s"), told("11:01:00", 10, "0.1s")];
    assert_eq!(good(&short_runs.concat()).evidence.len(), 2);
}

#[test]
fn rclone_that_mended_its_errors_by_trying_again_is_good() {
    let body = "2026/11/22 11:00:00 ERROR : a: Failed to copy: read tcp: connection reset by peer\n2026/11/22 11:00:00 ERROR : Attempt 1/3 failed with 1 errors and: connection reset by peer\n2026/11/22 11:00:01 ERROR : Attempt 2/3 succeeded\n2026/11/22 11:00:01 INFO  : \nTransferred:   \t  1 KiB / 1 KiB, 100%, 0 B/s, ETA -\nTransferred:   1 / 1, 100%\nElapsed time:  1.2s\n";
    let reading = good(body);
    assert_eq!(reading.telltales[0].outcome, Outcome::Ok);
    let dry = "2026/11/22 11:00:00 NOTICE: a: Skipped copy as --dry-run is set (size 12)\n";
    assert_eq!(facts(&good(dry)), ["rclone dry=true"]);
}

#[test]
fn kopia_in_json_and_text() {
    let json = r#"{
  "id": "5fc3b7e",
  "source": {"host": "h", "userName": "u", "path": "/data"},
  "startTime": "2026-11-22T11:00:00.5Z",
  "endTime": "2026-11-22T11:00:03Z",
  "stats": {
    "totalSize": 312006,
    "fileCount": 13,
    "cachedFiles": 3,
    "nonCachedFiles": 10,
    "ignoredErrorCount": 0,
    "errorCount": 0
  },
  "rootEntry": {"name": "data", "type": "d", "obj": "k1", "summ": {"size": 312006, "files": 13, "dirs": 2, "numFailed": 0}}
}
"#;
    let found = ["kopia files=13 changed=10 bytes=312006 errors=0 warnings=0 s=2.50 id=5fc3b7e"];
    assert_eq!(facts(&good(json)), found);
    let one_line = json.replace('\n', "");
    assert_eq!(facts(&good(&one_line)), found);
    let incomplete = json.replace("\"stats\"", "\"incomplete\": \"canceled\", \"stats\"");
    assert_eq!(
        read(incomplete.as_bytes(), Some(0)).outcome,
        Outcome::Failed
    );
    let failed = json.replace("\"errorCount\": 0", "\"errorCount\": 2");
    assert_eq!(read(failed.as_bytes(), Some(0)).outcome, Outcome::Failed);
    let text = "Snapshotting u@h:/data ...\nCreated snapshot with root kff and ID 5fc3 in 1m2s\n";
    assert_eq!(facts(&good(text)), ["kopia s=62.00 id=5fc3"]);
    let ignored = format!("{text}Ignored 3 error(s) while snapshotting u@h:/data.\n");
    let reading = read(ignored.as_bytes(), Some(0));
    assert_eq!(
        (reading.outcome, reading.evidence[0].warnings),
        (Outcome::Warning, Some(3))
    );
}

#[test]
fn the_end_of_a_dump_shows_that_it_is_whole() {
    let end = "--\n-- PostgreSQL database dump complete\n--\n\n\\unrestrict QjJWbe74\n";
    assert_eq!(facts(&good(end)), ["pg-dump"]);
    let whole = format!(
        "--\n-- PostgreSQL database dump\n--\n-- Dumped by pg_dump version 15.20 (Debian)\n-- Data for Name: t; Type: TABLE DATA; Schema: public\n{end}"
    );
    let reading = good(&whole);
    assert_eq!(facts(&reading), ["pg-dump v15.20"]);
    assert_eq!(reading.evidence[0].metrics[0].name, "tables");
    let half = "--\n-- PostgreSQL database dump\n--\nCOPY public.t FROM stdin;\n";
    let reading = read(half.as_bytes(), Some(0));
    assert_eq!(reading.outcome, Outcome::Failed);
    assert_eq!(
        reading.why.as_deref(),
        Some("pg_dump: the dump ends before its closing line: -- PostgreSQL database dump")
    );
    let all = format!(
        "--\n-- PostgreSQL database cluster dump\n--\n{whole}{whole}--\n-- PostgreSQL database cluster dump complete\n--\n"
    );
    assert_eq!(facts(&good(&all)), ["pg-dumpall v15.20"]);
    let mysql = "-- MariaDB dump 10.19  Distrib 10.11.6-MariaDB, for debian-linux-gnu (x86_64)\n-- Dumping data for table `t`\n-- Dump completed on 2026-11-22 11:19:26\n";
    assert_eq!(facts(&good(mysql)), ["mysqldump v10.11.6"]);
    let warned =
        "mysqldump: [Warning] Using a password on the command line interface can be insecure.\n";
    assert_eq!(facts(&good(warned)), [""; 0]);
}

#[test]
fn a_dump_whose_middle_was_left_out_is_not_called_half() {
    let mut reader = Reader::new();
    reader.push(
        Stream::Output,
        b"--\n-- PostgreSQL database dump\n--\nCOPY pub",
    );
    reader.cut();
    reader.push(Stream::Output, b"lic.t FROM stdin;\n");
    assert_eq!(reader.finish(Some(0)).outcome, Outcome::Ok);
}

#[test]
fn tar_in_any_language() {
    let german = "tar: Entferne führende „/“ von Elementnamen\nGesamtzahl geschriebener Bytes: 327680 (320KiB, 16MiB/s)\n";
    assert_eq!(facts(&good(german)), ["tar bytes=327680"]);
    let failed = "tar: data: Kann stat nicht ausführen: Datei oder Verzeichnis nicht gefunden\ntar: Beende mit Fehlerstatus aufgrund vorheriger Fehler\n";
    let reading = read(failed.as_bytes(), Some(0));
    assert_eq!(reading.outcome, Outcome::Failed);
    assert_eq!(reading.telltales[0].kind, TelltaleKind::NoSuchFile);
    good("tar: Removing leading `/' from member names\n");
}

#[test]
fn the_system_speaks_other_languages_too() {
    let full = [
        "cp: Fehler beim Schreiben von 'x': Auf dem Gerät ist kein Speicherplatz mehr verfügbar",
        "cp: erreur d'écriture de 'x': Aucun espace disponible sur le périphérique",
        "cp: error al escribir 'x': No queda espacio en el dispositivo",
        "cp: errore scrivendo 'x': Spazio esaurito sul device",
        "cp: erro ao escrever 'x': Não há espaço disponível no dispositivo",
        "cp: błąd zapisu 'x': Brak miejsca na urządzeniu",
        "cp: ошибка записи 'x': На устройстве не осталось свободного места",
        "cp: fout bij schrijven van 'x': Geen ruimte meer over op apparaat",
    ];
    let missing = [
        "b.sh: Zeile 2: borg: Kommando nicht gefunden.",
        "b.sh: ligne 2: borg\u{a0}: commande introuvable",
        "b.sh: línea 2: borg: orden no encontrada",
        "b.sh: riga 2: borg: comando non trovato",
        "b.sh: linha 2: borg: comando não encontrado",
        "b.sh: linia 2: borg: nie znaleziono polecenia",
        "b.sh: строка 2: borg: команда не найдена",
        "b.sh: regel 2: borg: opdracht niet gevonden",
    ];
    let tar = [
        "tar: Beende mit Fehlerstatus aufgrund vorheriger Fehler",
        "tar: Arrêt avec code d'échec à cause des erreurs précédentes",
        "tar: Se sale con estado de fallo debido a errores anteriores",
        "tar: Завершение работы с состоянием неисправности из-за возникших ошибок",
    ];
    for line in full {
        assert_eq!(facts_of(line), ["! no-space-left cp 1"], "{line}");
    }
    for line in missing {
        assert_eq!(facts_of(line), ["! command-not-found borg 1"], "{line}");
    }
    for line in tar {
        assert_eq!(
            read(line.as_bytes(), None).evidence[0].outcome,
            Outcome::Failed,
            "{line}"
        );
    }
    let changed = "tar: a : fichier modifié pendant sa lecture\n";
    assert_eq!(read(changed.as_bytes(), Some(1)).outcome, Outcome::Warning);
    let totals = "Nombre total d'octets écrits: 10240 (10KiB, 9,8MiB/s)\n";
    assert_eq!(facts_of(totals), ["tar bytes=10240"]);
}

#[test]
fn snapraid_diff_and_errors() {
    let diff = "Comparing...\n\n   39710 equal\n       1 added\n       2 removed\n       3 updated\n       0 moved\n       0 copied\n       0 restored\nThere are differences!\n100% completed, 512 MB accessed in 0:01\nEverything OK\n";
    let reading = good(diff);
    let sum = reading.sum().unwrap();
    assert_eq!(
        (sum.files_total, sum.files_changed, sum.deletes),
        (Some(39_714), Some(4), Some(2))
    );
    let danger = "Self test...\nEverything OK\nDANGER! There are errors!\n";
    assert_eq!(read(danger.as_bytes(), Some(0)).outcome, Outcome::Failed);
    let others = "12 packages added\n0 removed\n";
    assert_eq!(facts(&good(others)), [""; 0]);
}

#[test]
fn zfs_send_in_both_forms() {
    let parsable = "incremental\tmonday\ttank/home@tuesday\t1000\nincremental\ttuesday\ttank/home@wednesday\t234\nsize\t1234\n";
    assert_eq!(
        facts(&good(parsable)),
        ["zfs-send bytes=1234 id=tank/home@wednesday"]
    );
    let verbose = "full send of tank/home@monday estimated size is 12.5K\nsend from @monday to tank/home@tuesday estimated size is 1.5M\ntotal estimated size is 1.51M\nTIME        SENT   SNAPSHOT tank/home@monday\n";
    assert_eq!(
        facts(&good(verbose)),
        ["zfs-send bytes=1583350 id=tank/home@tuesday"]
    );
    let failed = format!("{verbose}warning: cannot send 'tank/home@tuesday': Broken pipe\n");
    let reading = read(failed.as_bytes(), Some(0));
    assert_eq!(
        (reading.outcome, reading.evidence.len()),
        (Outcome::Failed, 1)
    );
    assert_eq!(facts(&good("size\t12\n")), [""; 0]);
}

#[test]
fn seven_steps_that_failed_in_a_script_that_went_on_are_named() {
    let body = "\
backup.sh: line 2: pg_dump: command not found
cp: cannot stat '/mnt/nas/a': No such file or directory
tar: /data: Cannot open: Permission denied
tar: Exiting with failure status due to previous errors
gzip: stdout: No space left on device
Fatal: wrong password or no key found
rsync error: error in rsync protocol data stream (code 12) at io.c(228) [sender=3.2.7]
scp: /backup: Read-only file system
done
";
    let reading = read(body.as_bytes(), Some(0));
    assert_eq!(reading.outcome, Outcome::Failed);
    let mut named: Vec<String> = reading
        .telltales
        .iter()
        .filter_map(|one| one.program.clone())
        .collect();
    named.extend(
        reading
            .evidence
            .iter()
            .map(|one| one.tool.command().to_owned()),
    );
    let why = reading.why.unwrap();
    for step in ["pg_dump", "cp", "tar", "gzip", "restic", "rsync", "scp"] {
        assert!(named.iter().any(|name| name == step), "{step}: {named:?}");
        assert!(why.contains(step), "{step}: {why}");
    }
}

#[test]
fn an_exit_code_speaks_for_itself_where_nothing_was_printed() {
    let why = |code| read(b"", Some(code)).why.unwrap_or_default();
    assert_eq!(why(1), "the job ended with 1");
    assert_eq!(
        why(127),
        "the job ended with 127: the command was not found"
    );
    assert_eq!(
        why(137),
        "the job ended with 137: it was ended by signal 9 (SIGKILL)"
    );
    assert_eq!(read(b"", Some(0)), Reading::default());
    assert_eq!(read(b"", None), Reading::default());
}

#[test]
fn a_code_that_a_tool_calls_a_warning_is_one_only_when_the_tool_warns() {
    let tar_then_another = "Total bytes written: 10240 (10KiB, 18MiB/s)\nchecksum differs\n";
    assert_eq!(
        read(tar_then_another.as_bytes(), Some(1)).outcome,
        Outcome::Failed
    );
    let tar = "tar: a: file changed as we read it\nTotal bytes written: 10240 (10KiB, 18MiB/s)\n";
    assert_eq!(read(tar.as_bytes(), Some(1)).outcome, Outcome::Warning);
}

#[test]
fn progress_bars_are_lines() {
    let body = "  32,768   0%\r 312,013 100%\rprocessed 1 files, 1 B in 0:01\r\nsnapshot abcdef01 saved\r\n";
    assert_eq!(
        facts_of(body),
        ["restic files=1 bytes=1 s=1.00 id=abcdef01"]
    );
}

#[test]
fn very_long_lines_are_looked_at_in_their_first_part() {
    let long = "x".repeat(LINE_BYTES_MAX);
    let body = format!("{long}: No space left on device\nsnapshot abcdef01 saved\n");
    assert_eq!(facts_of(&body), ["restic id=abcdef01"]);
    let short = &long[..LINE_BYTES_MAX - 40];
    let body = format!("{short}: No space left on device and more\n");
    assert_eq!(facts_of(&body), ["! no-space-left - 1"]);
    let reading = read(body.as_bytes(), None);
    assert!(reading.telltales[0].line.chars().count() <= nightbeat_evidence::LINE_SHOWN_CHARS_MAX);
}

#[test]
fn evidence_and_telltales_are_bounded_and_nothing_is_lost_from_the_sum() {
    let runs = 10 * EVIDENCES_MAX as u64;
    let body = "processed 2 files, 3 B in 0:01\n".repeat(runs as usize)
        + "Total bytes written: 10240 (10KiB, 18MiB/s)\n";
    let reading = good(&body);
    assert!(reading.evidence.len() <= EVIDENCES_MAX + Tool::ALL.len());
    let sum = reading.sum().unwrap();
    assert_eq!(sum.files_total, Some(2 * runs));
    assert_eq!(sum.bytes_total, Some(3 * runs + 10_240));
    let lines: Vec<String> = (0..1000)
        .map(|at| format!("prog{at}: x: Permission denied\n"))
        .collect();
    let body = lines.concat();
    let reading = read(body.as_bytes(), None);
    assert!(reading.telltales.len() <= TELLTALES_MAX + 17);
    let times: u64 = reading
        .telltales
        .iter()
        .map(|telltale| telltale.times)
        .sum();
    assert_eq!(times, 1000);
}

#[test]
fn warnings_of_pg_dump_that_come_every_night_are_counted_and_raise_nothing() {
    let body = "pg_dump: warning: there are circular foreign-key constraints on this table:\npg_dump: detail: t\npg_dump: hint: You might not be able to restore the dump without using --disable-triggers.\n";
    assert_eq!(facts(&good(body)), ["pg-dump warnings=1"]);
}

#[test]
fn ordinary_words_of_scripts_are_nobodys_evidence() {
    let body = "\
deleting old backups
Everything OK
Nothing to do
DANGER! high voltage
processed 13 files, 0 errors
snapshot tank@monday saved
2026-11-22 03:00:00 Failed to send a greeting
NOTICE:  table \"t\" does not exist, skipping
CRITICAL: nothing
umount: /mnt: not mounted.
job: An error occurred
";
    assert_eq!(facts(&good(body)), ["! skipping NOTICE 1"; 0]);
    let mounting = "/mnt/nas is not mounted, mounting it\n";
    assert_eq!(read(mounting.as_bytes(), Some(0)).outcome, Outcome::Warning);
    let failed = "mount: /mnt/nas: special device /dev/sdb1 does not exist.\n";
    assert_eq!(read(failed.as_bytes(), Some(0)).outcome, Outcome::Failed);
}

#[test]
fn what_is_no_output_of_a_known_tool_says_nothing() {
    let body = "\
Number of the beast: 666
Total nonsense: yes
Archive of things
Transferred: the ownership
Errors 3
SourceFiles 12
size\t3
Fatally wounded
snapshot taken
{\"message_type\":\"status\"}
{not json}
{
}
[]
";
    assert_eq!(facts(&good(body)), [""; 0]);
}
