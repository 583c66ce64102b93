//! The chapters of the handbook: Markdown in the binary, made into HTML once.

use std::fmt;
use std::sync::LazyLock;

use pulldown_cmark::{CowStr, Event, Options, Parser, Tag, TagEnd, html};

/// The most places that a search finds.
const FOUND_MAX: usize = 30;
/// How much text around a word is shown.
const EXCERPT_CHARS: usize = 160;

/// A chapter.
#[derive(Debug)]
pub(super) struct Chapter {
    /// Its name in addresses.
    pub(super) name: &'static str,
    pub(super) title: String,
    pub(super) html: Html,
    sections: Vec<Section>,
}

/// What stands below one heading.
#[derive(Debug, Default)]
struct Section {
    heading: String,
    anchor: String,
    text: String,
}

/// HTML that was made from the handbook's own Markdown: its text is escaped, and there is no HTML in it that is
/// not Markdown's.
#[derive(Debug)]
pub(super) struct Html(String);

impl fmt::Display for Html {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl askama::filters::HtmlSafe for Html {}

/// A place that a search found.
#[derive(Debug)]
pub(super) struct Found<'a> {
    /// The chapter's name, and the anchor behind a `#` where it is not the chapter itself.
    pub(super) link: String,
    pub(super) chapter: &'a str,
    pub(super) heading: &'a str,
    pub(super) excerpt: String,
}

macro_rules! chapters {
    ($($name:literal),+ $(,)?) => {
        [$(($name, include_str!(concat!("../../../../../docs/", $name, ".md")))),+]
    };
}

/// In the order of their use.
const SOURCES: [(&str, &str); 30] = chapters![
    "first-hour",
    "pages",
    "signals",
    "email-signals",
    "compatibility",
    "moving-from-healthchecks",
    "moving-from-uptime-kuma",
    "moving-from-cronitor",
    "moving-from-sentry",
    "moving-from-dead-mans-snitch",
    "run",
    "schedules",
    "behaviour",
    "evidence",
    "rules",
    "backup-with-restic",
    "backup-with-borg",
    "backup-with-rclone",
    "backup-with-rsync",
    "backup-with-pg_dump",
    "channels",
    "accounts",
    "command-line",
    "config-as-code",
    "configuration",
    "operations",
    "reliability",
    "scaling",
    "postgresql",
    "api",
];

/// All chapters.
pub(super) fn book() -> &'static [Chapter] {
    static BOOK: LazyLock<Vec<Chapter>> = LazyLock::new(|| {
        let chapters = SOURCES.iter();
        chapters
            .map(|(name, source)| Chapter::read(name, source))
            .collect()
    });
    &BOOK
}

impl Chapter {
    fn read(name: &'static str, source: &str) -> Self {
        let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH;
        let mut events: Vec<Event<'_>> = Vec::new();
        let mut sections: Vec<Section> = vec![Section::default()];
        let mut heading: Option<usize> = None;
        let mut in_outside_link = false;
        let mut in_picture = false;
        for event in Parser::new_ext(source, options) {
            // What lies beside the handbook in the repository is not here: only its words are.
            match &event {
                Event::Start(Tag::Link { dest_url, .. }) if dest_url.starts_with("..") => {
                    in_outside_link = true;
                    continue;
                }
                Event::End(TagEnd::Link) if in_outside_link => {
                    in_outside_link = false;
                    continue;
                }
                // Whoever reads it here has the page itself.
                Event::Start(Tag::Image { .. }) => {
                    in_picture = true;
                    continue;
                }
                Event::End(TagEnd::Image) => {
                    in_picture = false;
                    continue;
                }
                _ if in_picture => continue,
                _ => {}
            }
            let event = tamed(event);
            if let Event::Start(Tag::Heading { .. }) = event {
                heading = Some(events.len());
                sections.push(Section::default());
            }
            if let (Event::Text(text) | Event::Code(text), Some(section)) =
                (&event, sections.last_mut())
            {
                let place = if heading.is_some() {
                    &mut section.heading
                } else {
                    &mut section.text
                };
                place.push_str(text);
            } else if heading.is_none()
                && let Some(section) = sections.last_mut()
            {
                section.text.push(' ');
            }
            let ends = matches!(event, Event::End(TagEnd::Heading(_)));
            events.push(event);
            if let (true, Some(start), Some(section)) =
                (ends, heading.take_if(|_| ends), sections.last_mut())
            {
                section.anchor = anchor(&section.heading);
                if let Event::Start(Tag::Heading { id, .. }) = &mut events[start] {
                    *id = Some(CowStr::from(section.anchor.clone()));
                }
            }
        }
        let title = sections.iter().map(|section| section.heading.clone());
        let title = title.into_iter().find(|heading| !heading.is_empty());
        let mut text = String::new();
        html::push_html(&mut text, events.into_iter());
        Self {
            name,
            title: title.unwrap_or_else(|| name.to_owned()),
            html: Html(text),
            sections,
        }
    }
}

/// Without what the pages' policy does not allow, and with links that lead within the handbook.
fn tamed(event: Event<'_>) -> Event<'_> {
    match event {
        // Shown as it is written.
        Event::Html(html) | Event::InlineHtml(html) => Event::Text(html),
        // An alignment is a style in the page.
        Event::Start(Tag::Table(columns)) => Event::Start(Tag::Table(vec![
                pulldown_cmark::Alignment::None;
                columns.len()
            ])),
        Event::Start(Tag::Link {
            link_type,
            dest_url,
            title,
            id,
        }) => Event::Start(Tag::Link {
            link_type,
            dest_url: within(dest_url),
            title,
            id,
        }),
        other => other,
    }
}

/// `behaviour.md#time` as a file links to another is `behaviour#time` here.
fn within(link: CowStr<'_>) -> CowStr<'_> {
    let is_outside = link.contains("://") || link.starts_with('#');
    match link.split_once(".md") {
        Some((page, rest)) if !is_outside => CowStr::from(format!("{page}{rest}")),
        _ => link,
    }
}

/// A heading's anchor, as GitHub makes it.
fn anchor(heading: &str) -> String {
    let lower = heading.to_lowercase();
    let kept = lower.chars().filter_map(|c| match c {
        ' ' => Some('-'),
        '-' | '_' => Some(c),
        c if c.is_alphanumeric() => Some(c),
        _ => None,
    });
    kept.collect()
}

/// Where all words of the text stand in one section; those in a heading come first.
pub(super) fn find<'a>(chapters: &'a [Chapter], text: &str) -> Vec<Found<'a>> {
    let words: Vec<String> = text.split_whitespace().map(str::to_lowercase).collect();
    let mut found: Vec<(usize, Found<'a>)> = Vec::new();
    if words.is_empty() {
        return Vec::new();
    }
    for chapter in chapters {
        for section in &chapter.sections {
            let heading = section.heading.to_lowercase();
            let body = section.text.to_lowercase();
            if !words
                .iter()
                .all(|word| heading.contains(word) || body.contains(word))
            {
                continue;
            }
            let in_heading = words.iter().filter(|word| heading.contains(*word)).count();
            found.push((
                in_heading,
                Found {
                    link: if section.anchor.is_empty() {
                        chapter.name.to_owned()
                    } else {
                        format!("{}#{}", chapter.name, section.anchor)
                    },
                    chapter: &chapter.title,
                    heading: &section.heading,
                    excerpt: excerpt(&section.text, &words[0]),
                },
            ));
        }
    }
    // Stable: of equal ones the earlier chapter comes first.
    found.sort_by_key(|(in_heading, _)| std::cmp::Reverse(*in_heading));
    found.truncate(FOUND_MAX);
    found.into_iter().map(|(_, found)| found).collect()
}

/// The text around a word, or from its beginning.
fn excerpt(text: &str, word: &str) -> String {
    let chars: Vec<char> = text
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .chars()
        .collect();
    let lower: String = chars
        .iter()
        .map(|c| c.to_lowercase().next().unwrap_or(*c))
        .collect();
    let at = lower
        .find(word)
        .map_or(0, |byte| lower[..byte].chars().count());
    let from = at.saturating_sub(EXCERPT_CHARS / 3);
    let shown: String = chars.iter().skip(from).take(EXCERPT_CHARS).collect();
    let before = if from > 0 { "…" } else { "" };
    let after = if from + EXCERPT_CHARS < chars.len() {
        "…"
    } else {
        ""
    };
    format!("{before}{shown}{after}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_of_the_handbook_is_a_chapter() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs");
        let files = std::fs::read_dir(folder).unwrap();
        let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
        let mut pages: Vec<String> = names
            .filter_map(|name| Some(name.strip_suffix(".md")?.to_owned()))
            .collect();
        pages.sort();
        let mut chapters: Vec<&str> = SOURCES.iter().map(|(name, _)| *name).collect();
        chapters.sort_unstable();
        assert_eq!(pages, chapters);
    }

    #[test]
    fn all_links_within_the_handbook_lead_somewhere() {
        let names: Vec<&str> = book().iter().map(|chapter| chapter.name).collect();
        for chapter in book() {
            assert!(!chapter.title.is_empty());
            let html = &chapter.html.0;
            for link in html.split("href=\"").skip(1) {
                let link = link.split('"').next().unwrap_or_default();
                if link.contains("://") || link.starts_with("mailto:") {
                    continue;
                }
                let (page, anchor) = link.split_once('#').unwrap_or((link, ""));
                let page = if page.is_empty() { chapter.name } else { page };
                let to = book().iter().find(|known| known.name == page);
                let to = to.unwrap_or_else(|| panic!("{}: {link} of {names:?}", chapter.name));
                let id = format!("id=\"{anchor}\"");
                assert!(
                    anchor.is_empty() || to.html.0.contains(&id),
                    "{}: {link}",
                    chapter.name
                );
            }
            assert!(
                !html.contains("style=") && !html.contains("<script"),
                "{}",
                chapter.name
            );
        }
    }

    #[test]
    fn a_search_finds_sections_and_headings_first() {
        let source = "# Time\nAbout zones.\n\n## Grace <b>\nHow late a success may be.\n\n| a | b |\n|--:|---|\n| grace | x |\n";
        let chapters = [Chapter::read("time", source)];
        assert_eq!(chapters[0].title, "Time");
        let html = &chapters[0].html.0;
        assert!(
            html.contains("<h2 id=\"grace-b\">Grace &lt;b&gt;</h2>"),
            "{html}"
        );
        assert!(!html.contains("style"), "{html}");
        let found = find(&chapters, "GRACE late");
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].link, "time#grace-b");
        assert!(
            found[0].excerpt.starts_with("How late"),
            "{}",
            found[0].excerpt
        );
        assert!(find(&chapters, "nowhere").is_empty() && find(&chapters, " ").is_empty());
        assert_eq!(find(&chapters, "zones")[0].link, "time#time");
    }
}
