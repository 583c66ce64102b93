use super::*;
use serde_json::json;

fn read(text: &str) -> Result<Wanted, String> {
    let folder = tempfile::tempdir().unwrap();
    let mut problems = Problems::new("beats.toml", text);
    let file = File::read(text, folder.path(), Unknown::Refused, &mut problems);
    match (file, problems.finish()) {
        (Ok(file), Ok(())) => Ok(file.wanted),
        (Err(failure), _) | (_, Err(failure)) => Err(failure.message),
    }
}

fn problem(text: &str) -> String {
    read(text).unwrap_err()
}

fn heartbeat(lines: &str) -> WantedHeartbeat {
    let wanted = read(&format!("[heartbeats.job]\n{lines}")).unwrap();
    wanted.heartbeats.unwrap().pop().unwrap()
}

#[test]
fn nothing_said_is_nothing_wanted() {
    let wanted = read("").unwrap();
    assert!(wanted.channels.is_none() && wanted.heartbeats.is_none() && wanted.windows.is_none());
    let wanted = read("[heartbeats]\n").unwrap();
    assert!(wanted.heartbeats.unwrap().is_empty());
}

#[test]
fn a_heartbeat_of_which_nothing_is_said_is_the_usual_one() {
    let job = heartbeat("");
    let mut usual = usual().clone();
    usual.insert("name".to_owned(), json!("job"));
    assert_eq!(job.fields, usual);
    assert_eq!((job.id, job.paused), (None, None));
}

#[test]
fn what_is_said_is_written_as_the_server_keeps_it() {
    let job = heartbeat(
        "id = '4C1E8C5E-3F0F-4F6A-9C5E-0D6F8F6F1A2B'\nname = ' Nightly '\ncron = '30  3 * * *'\n\
         timezone = 'Europe/Madrid'\ngrace = '90m'\nmax_run_time = 7200\ntags = ['a', 'b', 'a']\n\
         rules = ['files_total>0']\nchannels = ['ops', 'me', 'ops']\npaused = true\n\
         keywords = { success = ['done'], in = ['body'] }",
    );
    let field = |name: &str| job.fields[name].clone();
    assert_eq!(field("name"), "Nightly");
    assert_eq!(field("schedule")["timezone"], "Europe/Madrid");
    assert_eq!(
        (field("grace"), field("max_run_time")),
        (json!(5400), json!(7200))
    );
    assert_eq!(field("tags"), json!(["a", "b"]));
    assert_eq!(field("rules"), json!(["files_total > 0"]));
    assert_eq!(field("channels"), json!(["me", "ops"]));
    assert_eq!(
        field("keywords"),
        json!({"start": [], "success": ["done"], "failure": [], "in": ["body"], "otherwise": "ignore"})
    );
    assert_eq!(job.paused, Some(true));
    assert!(job.id.is_some());
}

#[test]
fn several_calendar_events_are_lines_or_a_list() {
    let schedule = |line: &str| heartbeat(line).fields["schedule"].clone();
    let wanted = json!({"calendar": "Mon 02:00\nTue 03:00", "timezone": "UTC"});
    assert_eq!(schedule("calendar = ['Mon 02:00', 'Tue 03:00']"), wanted);
    assert_eq!(schedule("calendar = \"Mon 02:00\\nTue 03:00\""), wanted);
    assert_eq!(schedule("every = '1d'"), json!({"every": 86_400}));
}

#[test]
fn every_mistake_is_told_with_its_line() {
    let text = "\
[project]
nmae = 'x'

[heartbeats.one]
grase = '1h'

[heartbeats.two]
grace = 'soon'

[heartbeats.three]
cron = '0 24 * * *'

[heartbeats.Four]

[heartbeats.five]
channels = 'ops'

[heartbeats.six]
rules = ['fils_total > 0']

[channels.ops]
settings = { url = 3 }
";
    let told = problem(text);
    let lines: Vec<&str> = told.lines().collect();
    for (line, says) in [
        (2, "`nmae` is not known here; did you mean `name`?"),
        (5, "`grase` is not known here; did you mean `grace`?"),
        (8, "grace: "),
        (11, "schedule: "),
        (13, "heartbeats.Four: "),
        (16, "channels is to be \"all\", or a list of names"),
        (19, "rules: "),
        (21, "channel ops has no kind"),
        (22, "url is to be a text in quotes"),
    ] {
        let place = format!("beats.toml:{line}: ");
        assert!(
            lines
                .iter()
                .any(|told| told.contains(&place) && told.contains(says)),
            "{place}{says} in\n{told}"
        );
    }
    assert_eq!(lines.len(), 9, "{told}");
}

#[test]
fn what_is_no_toml_is_told_with_its_line() {
    let told = problem("[project]\nname = 'x\n");
    assert!(
        told.starts_with("beats.toml:2: this is not TOML: "),
        "{told}"
    );
}

#[test]
fn two_schedules_are_one_too_many_and_a_zone_is_none() {
    assert!(problem("[heartbeats.a]\nevery = '1d'\ncron = '* * * * *'").contains("exactly one of"));
    assert!(problem("[heartbeats.a]\nevery = '1d'\ntimezone = 'UTC'").contains("timezone"));
}

#[test]
fn secrets_may_stand_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("token"), "tk_1\n").unwrap();
    let text = "\
[channels.phone]
kind = 'ntfy'
settings.token = { file = 'token' }
settings.topic = 'beats'
settings.server = { env = 'NIGHTBEAT_NO_SUCH_VARIABLE' }
";
    let read = |unknown| {
        let mut problems = Problems::new("beats.toml", text);
        let file = File::read(text, folder.path(), unknown, &mut problems).unwrap();
        (file, problems.finish())
    };
    let (_, told) = read(Unknown::Refused);
    assert_eq!(
        told.unwrap_err().message,
        "beats.toml:5: server: the variable NIGHTBEAT_NO_SUCH_VARIABLE is not set"
    );
    let (file, told) = read(Unknown::Passed);
    assert_eq!((told, file.notes.len()), (Ok(()), 1));
    let channels = file.wanted.channels.unwrap();
    let setting = |name: &str| {
        let setting = &channels[0].settings[name];
        (setting.value.as_deref(), setting.hidden)
    };
    assert_eq!(setting("token"), (Some("tk_1"), true));
    assert_eq!(setting("topic"), (Some("beats"), false));
    assert_eq!(setting("server"), (None, true));
}

#[test]
fn a_secret_is_said_in_one_way() {
    for line in ["{ env = 'A', file = 'b' }", "{}", "{ environment = 'A' }"] {
        let told = problem(&format!(
            "[channels.a]\nkind = 'ntfy'\nsettings.token = {line}"
        ));
        assert!(told.contains("say where the value is"), "{line}: {told}");
    }
}

#[test]
fn names_are_those_that_the_server_takes() {
    let told = problem("[project]\nname = ''\n[channels.\" ops\"]\nkind = 'email'\n");
    assert_eq!(
        told,
        "beats.toml:2: name: is empty\n\
         error: beats.toml:3: the name of this channel has white space around it"
    );
}

#[test]
fn windows_are_lists_of_times() {
    let wanted = read(
        "[[maintenance]]\nfrom = 2026-12-24T20:00:00+01:00\nto = '2026-12-25T00:00:00Z'\nnote = 'x'",
    );
    let windows = wanted.unwrap().windows.unwrap();
    assert_eq!(windows[0].from.to_string(), "2026-12-24T19:00:00Z");
    assert_eq!(windows[0].note, "x");
    assert!(
        problem("[[maintenance]]\nfrom = 2026-12-24T20:00:00\nto = 3")
            .contains("from is to be a time")
    );
    let reversed = "[[maintenance]]\nfrom = 2026-12-25T00:00:00Z\nto = 2026-12-24T00:00:00Z";
    assert!(problem(reversed).contains("beats.toml:3: to: is not later"));
}
