//! What part of a project the address of a page asks for.

use form_urlencoded::Serializer;
use nightbeat_domain::Status;
use nightbeat_store::control::heartbeats::Filter;
use nightbeat_store::control::overview::{HEARTBEATS_MAX, Part, Sort};

use crate::web::fields::Fields;
use crate::web::marks;

/// Pages that an address may ask for; what is behind them is found by a search.
const PAGES_MAX: u32 = 10_000;

/// What is looked for, and how it is shown. All of it stands in the address.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::web) struct Wish {
    pub(in crate::web) text: String,
    pub(in crate::web) status: Option<Status>,
    pub(in crate::web) tags: Vec<String>,
    pub(in crate::web) sort: Sort,
    pub(in crate::web) reversed: bool,
    pub(in crate::web) group: Group,
    /// The first page is 0.
    pub(in crate::web) page: u32,
}

/// How a page is grouped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::web) enum Group {
    #[default]
    None,
    Status,
    Tag,
}

const SORTS: [(&str, Sort); 4] = [
    ("status", Sort::Status),
    ("name", Sort::Name),
    ("last", Sort::LastSignal),
    ("next", Sort::Expected),
];

const GROUPS: [(&str, Group); 3] = [
    ("none", Group::None),
    ("status", Group::Status),
    ("tag", Group::Tag),
];

impl Wish {
    /// Reads the query of an address. What is not understood is left out: someone has cut it.
    pub(in crate::web) fn parse(query: &str) -> Self {
        let fields = Fields::parse(query.replace("%00", "").as_bytes());
        let sort = fields.text("sort");
        let (name, reversed) = match sort.strip_prefix('-') {
            Some(name) => (name, true),
            None => (sort, false),
        };
        let page: u32 = fields.text("page").parse().unwrap_or(1);
        let tags = fields.all("tag").filter(|tag| !tag.is_empty());
        Self {
            text: fields.text("q").to_owned(),
            status: marks::status(fields.text("status")),
            tags: tags.map(str::to_owned).collect(),
            sort: named(&SORTS, name).unwrap_or_default(),
            reversed,
            group: named(&GROUPS, fields.text("group")).unwrap_or_default(),
            page: page.clamp(1, PAGES_MAX) - 1,
        }
    }

    /// The query that reads as this, with its `?`; empty where everything is as usual.
    pub(in crate::web) fn query(&self) -> String {
        let mut query = Serializer::new(String::new());
        if !self.text.is_empty() {
            query.append_pair("q", &self.text);
        }
        if let Some(status) = self.status {
            query.append_pair("status", status.as_str());
        }
        for tag in &self.tags {
            query.append_pair("tag", tag);
        }
        if self.sort != Sort::default() || self.reversed {
            let minus = if self.reversed { "-" } else { "" };
            query.append_pair("sort", &format!("{minus}{}", self.sort_name()));
        }
        if self.group != Group::None {
            query.append_pair("group", self.group_name());
        }
        if self.page > 0 {
            query.append_pair("page", &(self.page + 1).to_string());
        }
        match query.finish() {
            query if query.is_empty() => query,
            query => format!("?{query}"),
        }
    }

    pub(in crate::web) fn sort_name(&self) -> &'static str {
        name_of(&SORTS, self.sort)
    }

    pub(in crate::web) fn group_name(&self) -> &'static str {
        name_of(&GROUPS, self.group)
    }

    /// Whether anything is left out.
    pub(in crate::web) fn is_filtered(&self) -> bool {
        !self.text.is_empty() || self.status.is_some() || !self.tags.is_empty()
    }

    pub(in crate::web) fn filter(&self) -> Filter {
        Filter {
            tags: self.tags.clone(),
            status: self.status,
            text: Some(self.text.clone()),
            slug: None,
        }
    }

    pub(in crate::web) fn part(&self) -> Part {
        Part {
            sort: self.sort,
            reversed: self.reversed,
            skip: self.page * HEARTBEATS_MAX,
            limit: HEARTBEATS_MAX,
        }
    }

    /// The same with another status, from its first page.
    pub(in crate::web) fn with_status(&self, status: Option<Status>) -> Self {
        Self {
            status,
            page: 0,
            ..self.clone()
        }
    }

    /// The same with this tag, or without it where it has it.
    pub(in crate::web) fn with_tag(&self, tag: &str) -> Self {
        let mut wish = Self {
            page: 0,
            ..self.clone()
        };
        if wish.tags.iter().any(|known| known == tag) {
            wish.tags.retain(|known| known != tag);
        } else {
            wish.tags.push(tag.to_owned());
        }
        wish
    }

    /// The same sorted so; where it is already, the other way round.
    pub(in crate::web) fn sorted(&self, sort: Sort) -> Self {
        Self {
            reversed: self.sort == sort && !self.reversed,
            sort,
            page: 0,
            ..self.clone()
        }
    }

    /// Another page of the same.
    pub(in crate::web) fn at_page(&self, page: u32) -> Self {
        Self {
            page,
            ..self.clone()
        }
    }
}

fn named<T: Copy>(table: &[(&str, T)], name: &str) -> Option<T> {
    let found = table.iter().find(|(known, _)| *known == name);
    found.map(|(_, value)| *value)
}

fn name_of<T: Copy + PartialEq>(table: &[(&'static str, T)], value: T) -> &'static str {
    let found = table.iter().find(|(_, known)| *known == value);
    found.map_or("", |(name, _)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_reads_as_it_was_written() {
        for query in [
            "",
            "?q=night+%26+day",
            "?status=late&tag=nas&tag=a%2Cb&sort=-name&group=tag&page=3",
            "?sort=next",
            "?sort=-status",
        ] {
            let wish = Wish::parse(query.trim_start_matches('?'));
            assert_eq!(wish.query(), query);
        }
        for cut in [
            "status=hot",
            "sort=colour",
            "page=0",
            "page=x",
            "group=",
            "a=b",
        ] {
            assert_eq!(Wish::parse(cut), Wish::default(), "{cut}");
        }
        assert_eq!(Wish::parse("q=a%00b").text, "ab");
    }

    #[test]
    fn links_lead_back_and_forth() {
        let wish = Wish::parse("tag=nas&page=4");
        assert_eq!(wish.with_tag("nas").query(), "");
        assert_eq!(wish.with_tag("db").query(), "?tag=nas&tag=db");
        assert_eq!(
            wish.with_status(Some(Status::Down)).query(),
            "?status=down&tag=nas"
        );
        let by_name = wish.sorted(Sort::Name);
        assert_eq!(by_name.query(), "?tag=nas&sort=name");
        assert_eq!(by_name.sorted(Sort::Name).query(), "?tag=nas&sort=-name");
        assert_eq!(wish.part().skip, 600);
        assert!(wish.is_filtered() && !Wish::default().is_filtered());
    }
}
