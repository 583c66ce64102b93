//! Statements whose conditions depend on what is asked.

use crate::Result;
use crate::sql::{Row, Sql, Value};

/// `SELECT column, column, … rest`. With a constant list of columns the text is always the same, so the
/// statement is prepared once.
pub(super) fn select(columns: &[&str], rest: &str) -> String {
    format!("SELECT {} {rest}", columns.join(", "))
}

/// A SELECT in the making: its text, and the values of its parameters.
pub(super) struct Query {
    text: String,
    params: Vec<Value>,
    joint: &'static str,
}

impl Query {
    /// Columns of some tables, without a condition yet.
    pub(super) fn new(columns: &[&str], from: &str) -> Self {
        Self {
            text: select(columns, from),
            params: Vec::new(),
            joint: "WHERE",
        }
    }

    /// Makes a value a parameter; what to write in its place.
    pub(super) fn bind(&mut self, value: impl Into<Value>) -> String {
        self.params.push(value.into());
        format!("${}", self.params.len())
    }

    /// Adds a condition.
    pub(super) fn and(&mut self, condition: &str) {
        for part in [" ", self.joint, " (", condition, ")"] {
            self.text.push_str(part);
        }
        self.joint = "AND";
    }

    /// Adds the condition that a column equals a value.
    pub(super) fn and_equal(&mut self, column: &str, value: impl Into<Value>) {
        let value = self.bind(value);
        self.and(&format!("{column} = {value}"));
    }

    /// Runs it, with what follows the conditions.
    pub(super) fn run(mut self, sql: &mut dyn Sql, tail: &str) -> Result<Vec<Row>> {
        self.text.push(' ');
        self.text.push_str(tail);
        sql.query(&self.text, &self.params)
    }
}

/// SQL for "`needle` occurs in `haystack`": exact, the same on every engine, and without the special
/// characters that LIKE has. Never true of an empty needle.
pub(super) fn contains(haystack: &str, needle: &str) -> String {
    format!("replace({haystack}, {needle}, '') <> {haystack}")
}
