//! Words in what a job sends that say what it means, whatever its URL says.

use serde::{Deserialize, Serialize};

use crate::settings::SettingsError;
use crate::{IgnoredBecause, Settings, Signal, SignalKind};

/// Which words in the text of a signal say what it means. A word counts wherever it occurs, upper and lower
/// case matter, and white space around it does not.
///
/// The rule, and that a failure goes before a success and a success before a start, is Healthchecks' "keyword
/// filtering": whoever moves brings such words along.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keywords {
    /// Any of these says that the job began.
    pub start: Vec<String>,
    /// Any of these says that it finished well.
    pub success: Vec<String>,
    /// Any of these says that it failed.
    pub failure: Vec<String>,
    /// They are looked for in the bodies of requests.
    pub in_body: bool,
    /// They are looked for in the subjects of mails.
    pub in_mail_subject: bool,
    /// They are looked for in the texts of mails.
    pub in_mail_body: bool,
    /// What a text without any of them means.
    pub otherwise: Otherwise,
}

/// How a signal came, and the texts in which its heartbeat's words are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Came<'a> {
    /// By a request.
    Request {
        /// Its method.
        method: &'a str,
        /// What is kept of its body; `None` where there was none.
        body: Option<&'a [u8]>,
    },
    /// By a mail.
    Mail {
        /// Its subject.
        subject: &'a str,
        /// What is kept of its text.
        text: &'a [u8],
    },
}

/// What a text without any of the words means.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Otherwise {
    /// Nothing: it is recorded and ignored.
    #[default]
    Ignore,
    /// That the job failed.
    Fail,
}

/// What the settings of a heartbeat make of a signal, where that is not what its URL says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// It says this.
    Says(SignalKind),
    /// It is recorded, but does not count.
    Nothing(IgnoredBecause),
}

impl Keywords {
    /// The most words of one list, and all their characters together.
    pub const WORDS_MAX: usize = 100;
    /// See [`Self::WORDS_MAX`].
    pub const CHARS_MAX: usize = 2_000;

    /// What these texts say together: a word may stand in any of them.
    pub fn meaning(&self, texts: &[&[u8]]) -> Meaning {
        let stands = |word: &String| texts.iter().any(|text| occurs(text, word.trim()));
        let any = |words: &[String]| words.iter().any(stands);
        if any(&self.failure) {
            Meaning::Says(SignalKind::Fail)
        } else if any(&self.success) {
            Meaning::Says(SignalKind::Success)
        } else if any(&self.start) {
            Meaning::Says(SignalKind::Start)
        } else {
            match self.otherwise {
                Otherwise::Ignore => Meaning::Nothing(IgnoredBecause::Keywords),
                Otherwise::Fail => Meaning::Says(SignalKind::Fail),
            }
        }
    }

    pub(crate) fn check(&self) -> Result<(), SettingsError> {
        for words in [&self.start, &self.success, &self.failure] {
            let chars: usize = words.iter().map(|word| word.chars().count()).sum();
            if words.len() > Self::WORDS_MAX || chars > Self::CHARS_MAX {
                return Err(refused(format!(
                    "a list has more than {} words, or {} characters in all",
                    Self::WORDS_MAX,
                    Self::CHARS_MAX
                )));
            }
            if words.iter().any(|word| word.contains(char::is_control)) {
                return Err(refused("a word contains a control character".to_owned()));
            }
        }
        Ok(())
    }
}

impl Settings {
    /// What a signal that came so means to this heartbeat; `None`: what it says.
    ///
    /// *POST only* is about requests: it keeps out programs that look at links, and no mail is one of them.
    pub fn meaning(&self, signal: &Signal, came: Came<'_>) -> Option<Meaning> {
        if signal.ignored.is_some() {
            return None;
        }
        let keywords = self.keywords.as_deref();
        match came {
            Came::Request { method, .. } if self.post_only && method != "POST" => {
                Some(Meaning::Nothing(IgnoredBecause::Method))
            }
            Came::Request { body, .. } => {
                let keywords = keywords.filter(|it| it.in_body)?;
                Some(keywords.meaning(&[body.unwrap_or_default()]))
            }
            Came::Mail { subject, text } => {
                let keywords = keywords.filter(|it| it.in_mail_subject || it.in_mail_body)?;
                let subject = keywords.in_mail_subject.then_some(subject.as_bytes());
                let text = keywords.in_mail_body.then_some(text);
                let texts: Vec<&[u8]> = subject.into_iter().chain(text).collect();
                Some(keywords.meaning(&texts))
            }
        }
    }
}

impl Signal {
    /// The signal, taken for what it means.
    pub fn taken_for(&mut self, meaning: Meaning) {
        match meaning {
            Meaning::Says(kind) => self.kind = kind,
            Meaning::Nothing(why) => self.ignored = Some(why),
        }
    }
}

fn occurs(text: &[u8], word: &str) -> bool {
    let word = word.as_bytes();
    !word.is_empty() && text.windows(word.len()).any(|window| window == word)
}

fn refused(problem: String) -> SettingsError {
    SettingsError {
        field: "keywords",
        problem,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Schedule, UnixMicros};

    fn words(text: &str) -> Vec<String> {
        text.split(',').map(str::to_owned).collect()
    }

    fn request(method: &str) -> Came<'_> {
        let body = Some(&b"ERROR"[..]);
        Came::Request { method, body }
    }

    fn keywords() -> Keywords {
        Keywords {
            start: words("STARTING"),
            success: words("SUCCESS, Ünïcode"),
            failure: words("ERROR,,FAILED "),
            in_body: true,
            ..Keywords::default()
        }
    }

    #[test]
    fn a_failure_goes_before_a_success_and_that_before_a_start() {
        let keywords = keywords();
        for (text, kind) in [
            (&b"all SUCCESSFUL"[..], SignalKind::Success),
            ("Ünïcode".as_bytes(), SignalKind::Success),
            (b"SUCCESS but FAILED once", SignalKind::Fail),
            (b"STARTING SUCCESS", SignalKind::Success),
            (b"\xff\xfe STARTING \0", SignalKind::Start),
        ] {
            assert_eq!(keywords.meaning(&[text]), Meaning::Says(kind), "{text:?}");
        }
    }

    #[test]
    fn without_any_of_them_a_text_says_nothing_or_a_failure() {
        let mut keywords = keywords();
        for text in [&b""[..], b"success", b"SUCCES", b" "] {
            let nothing = Meaning::Nothing(IgnoredBecause::Keywords);
            assert_eq!(keywords.meaning(&[text]), nothing, "{text:?}");
        }
        keywords.otherwise = Otherwise::Fail;
        assert_eq!(keywords.meaning(&[b""]), Meaning::Says(SignalKind::Fail));
        assert_eq!(
            Keywords::default().meaning(&[b"ERROR"]),
            Meaning::Nothing(IgnoredBecause::Keywords)
        );
    }

    #[test]
    fn the_method_is_looked_at_first_and_what_is_ignored_already_stays_so() {
        let mut settings = Settings::new(Schedule::every_seconds(60).unwrap());
        let mut signal = Signal::new(SignalKind::Success, UnixMicros(0));
        assert_eq!(settings.meaning(&signal, request("GET")), None);
        settings.keywords = Some(Box::new(keywords()));
        let failed = Some(Meaning::Says(SignalKind::Fail));
        assert_eq!(settings.meaning(&signal, request("GET")), failed);
        settings.post_only = true;
        let method = Some(Meaning::Nothing(IgnoredBecause::Method));
        assert_eq!(settings.meaning(&signal, request("PUT")), method);
        assert_eq!(settings.meaning(&signal, request("POST")), failed);
        signal.ignored = Some(IgnoredBecause::Previewer);
        assert_eq!(settings.meaning(&signal, request("POST")), None);
    }

    #[test]
    fn words_for_mails_alone_leave_requests_as_they_are() {
        let mut settings = Settings::new(Schedule::every_seconds(60).unwrap());
        settings.keywords = Some(Box::new(Keywords {
            in_body: false,
            in_mail_subject: true,
            ..keywords()
        }));
        let signal = Signal::new(SignalKind::Success, UnixMicros(0));
        assert_eq!(settings.meaning(&signal, request("POST")), None);
    }

    #[test]
    fn in_mails_words_are_looked_for_where_the_settings_say() {
        let mut settings = Settings::new(Schedule::every_seconds(60).unwrap());
        settings.post_only = true;
        let signal = Signal::new(SignalKind::Success, UnixMicros(0));
        let mail = Came::Mail {
            subject: "backup: SUCCESS",
            text: b"one FAILED",
        };
        assert_eq!(settings.meaning(&signal, mail), None, "it is no request");
        let nothing = Meaning::Nothing(IgnoredBecause::Keywords);
        for (in_mail_subject, in_mail_body, expected) in [
            (false, false, None),
            (true, false, Some(Meaning::Says(SignalKind::Success))),
            (false, true, Some(Meaning::Says(SignalKind::Fail))),
            (true, true, Some(Meaning::Says(SignalKind::Fail))),
        ] {
            settings.keywords = Some(Box::new(Keywords {
                in_mail_subject,
                in_mail_body,
                ..keywords()
            }));
            assert_eq!(settings.meaning(&signal, mail), expected);
            let silent = Came::Mail {
                subject: "SUCC",
                text: b"ESS",
            };
            let found = settings.meaning(&signal, silent);
            assert_eq!(found, expected.and(Some(nothing)), "a word is in one text");
        }
    }

    #[test]
    fn lists_have_an_end() {
        let settings = |failure| {
            let mut settings = Settings::new(Schedule::every_seconds(60).unwrap());
            settings.keywords = Some(Box::new(Keywords {
                failure,
                ..Keywords::default()
            }));
            settings.checked().map(|_| ()).map_err(|error| error.field)
        };
        assert_eq!(settings(words("a,b")), Ok(()));
        assert_eq!(settings(vec!["a".to_owned(); 101]), Err("keywords"));
        assert_eq!(settings(vec!["a".repeat(2_001)]), Err("keywords"));
        assert_eq!(settings(words("a\nb")), Err("keywords"));
    }
}
