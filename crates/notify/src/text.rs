//! A rendered message: paragraphs that become plain text or HTML.

use std::fmt::Write as _;

use crate::clean::char_boundary_below;

/// What a person reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// One line: what happened to whom.
    pub title: String,
    /// What is to be said, the most important first.
    pub paragraphs: Vec<Paragraph>,
    /// Where to look further: a page, never a signal URL.
    pub link: String,
}

/// A part of a [`Text`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Paragraph {
    /// Sentences.
    Prose(String),
    /// Points of a list.
    List(Vec<String>),
    /// Lines of a job's output.
    Output(Vec<String>),
    /// What the next paragraphs are about, and its page.
    Heading(Link),
    /// Points of a list, each with its page.
    Links(Vec<Link>),
}

/// A text that leads somewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// What it says, in one line.
    pub text: String,
    /// A page, never a signal URL.
    pub url: String,
}

impl Text {
    /// The body as plain text, in at most `bytes_max` bytes of UTF-8: what does not fit is left out
    /// line by line from the end, and the link stays.
    pub fn plain(&self, bytes_max: Option<usize>) -> String {
        let blocks: Vec<String> = self.paragraphs.iter().map(Paragraph::plain).collect();
        let body = blocks.join("\n\n");
        let end = format!("\n\n{}", self.link);
        let Some(bytes_max) = bytes_max.filter(|max| body.len() + end.len() > *max) else {
            return body + &end;
        };
        let end = format!("\n…{end}");
        let room = char_boundary_below(&body, bytes_max.saturating_sub(end.len()));
        let cut = body[..room].rfind('\n').unwrap_or(room);
        body[..cut].to_owned() + &end
    }

    /// The body as an HTML document. Everything in it is escaped; it loads nothing.
    pub fn html(&self) -> String {
        let title = escape_html(&self.title);
        let mut body = format!("<h2 style=\"font-size:1.2em\">{title}</h2>\n");
        for paragraph in &self.paragraphs {
            paragraph.write_html(&mut body);
        }
        let link = linked(&self.link, &self.link);
        format!(
            "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title></head>\n\
             <body style=\"font-family:sans-serif;line-height:1.4\">\n{body}<p>{link}</p>\n</body></html>\n"
        )
    }
}

impl Paragraph {
    fn plain(&self) -> String {
        match self {
            Self::Prose(text) => text.clone(),
            Self::List(points) => {
                let points: Vec<String> = points.iter().map(|point| format!("- {point}")).collect();
                points.join("\n")
            }
            Self::Output(lines) => {
                let lines: Vec<String> = lines.iter().map(|line| format!("  {line}")).collect();
                lines.join("\n")
            }
            Self::Heading(link) => {
                let under = "-".repeat(link.text.chars().count());
                format!("{}\n{under}\n{}", link.text, link.url)
            }
            Self::Links(points) => {
                let points: Vec<String> = points
                    .iter()
                    .map(|point| format!("- {}\n  {}", point.text, point.url))
                    .collect();
                points.join("\n")
            }
        }
    }

    fn write_html(&self, html: &mut String) {
        // Writing to a String cannot fail.
        let _ = match self {
            Self::Prose(text) => writeln!(html, "<p>{}</p>", escape_html(text)),
            Self::List(points) => {
                let points: Vec<String> = points.iter().map(|point| escape_html(point)).collect();
                writeln!(html, "<ul><li>{}</li></ul>", points.join("</li><li>"))
            }
            Self::Output(lines) => {
                let style = "background:#f4f4f4;padding:8px;white-space:pre-wrap";
                writeln!(
                    html,
                    "<pre style=\"{style}\">{}</pre>",
                    escape_html(&lines.join("\n"))
                )
            }
            Self::Heading(link) => {
                let style = "font-size:1.1em;margin-bottom:4px";
                let text = linked(&link.url, &link.text);
                writeln!(html, "<h3 style=\"{style}\">{text}</h3>")
            }
            Self::Links(points) => {
                let points: Vec<String> = points
                    .iter()
                    .map(|point| linked(&point.url, &point.text))
                    .collect();
                writeln!(html, "<ul><li>{}</li></ul>", points.join("</li><li>"))
            }
        };
    }
}

/// A link as HTML. Only a web address becomes one: `base_url` is the operator's, but never a script's.
fn linked(url: &str, text: &str) -> String {
    let text = escape_html(text);
    if url.starts_with("https://") || url.starts_with("http://") {
        format!("<a href=\"{}\">{text}</a>", escape_html(url))
    } else {
        text
    }
}

/// For element text and quoted attributes.
fn escape_html(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(lines: usize) -> Text {
        Text {
            title: "DOWN: <b>&\"'".to_owned(),
            paragraphs: vec![
                Paragraph::Prose("One <script>.".to_owned()),
                Paragraph::List((1..=lines).map(|n| format!("äpoint {n}")).collect()),
                Paragraph::Output(vec!["  a < b".to_owned()]),
            ],
            link: "https://h.example/#x".to_owned(),
        }
    }

    #[test]
    fn a_text_that_is_too_long_loses_lines_and_keeps_its_link() {
        let whole = text(50).plain(None);
        for max in [200, 201, 202, 203, 300, whole.len() - 1] {
            let cut = text(50).plain(Some(max));
            assert!(cut.len() <= max, "{max}: {}", cut.len());
            assert!(cut.ends_with("\n…\n\nhttps://h.example/#x"), "{cut}");
            assert!(whole.starts_with(&cut[..cut.find('…').unwrap()]));
        }
        assert_eq!(text(50).plain(Some(whole.len())), whole);
    }

    #[test]
    fn html_escapes_everything() {
        insta::assert_snapshot!(text(2).html());
    }

    #[test]
    fn headings_and_points_lead_to_their_pages() {
        let link = |text: &str, url: &str| Link {
            text: text.to_owned(),
            url: url.to_owned(),
        };
        let text = Text {
            title: "report".to_owned(),
            paragraphs: vec![
                Paragraph::Heading(link("A & B", "https://h.example/a?b&c")),
                Paragraph::Links(vec![link("<one>", "javascript:alert(1)")]),
            ],
            link: "https://h.example/".to_owned(),
        };
        assert_eq!(
            text.plain(None),
            "A & B\n-----\nhttps://h.example/a?b&c\n\n- <one>\n  javascript:alert(1)\n\nhttps://h.example/"
        );
        let html = text.html();
        assert!(
            html.contains("<a href=\"https://h.example/a?b&amp;c\">A &amp; B</a></h3>"),
            "{html}"
        );
        assert!(html.contains("<ul><li>&lt;one&gt;</li></ul>"), "{html}");
    }

    #[test]
    fn only_a_web_address_becomes_a_link() {
        let text = Text {
            link: "javascript:alert(1)".to_owned(),
            ..text(0)
        };
        assert!(!text.html().contains("href"));
    }
}
