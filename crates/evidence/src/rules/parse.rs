//! From text to a rule. The grammar, where `[ ]` may be left out:
//!
//! ```text
//! rule       = condition [else] | "builtin" (NAME | "all") ["on" | "off"] [NUMBER "%"] [else]
//! else       = "else" ("warning" | "failure")
//! condition  = comparison {"and" comparison} | comparison {"or" comparison}
//! comparison = field SIGN amount | field "between" amount "and" amount
//! field      = NAME | "metric" "(" NAME ")" | "age" "(" NAME ")"
//! amount     = ["-"] NUMBER [UNIT] {NUMBER UNIT} | [NUMBER "%" "of"] base
//! base       = field | ("median" | "max" | "min") "(" NUMBER ")" | "last"
//! ```

mod amount;
mod builtin;
mod cursor;

use cursor::Parser;

use super::{
    Comparison, Condition, Field, Join, Kind, RULE_CHARS_MAX, Rule, RuleError, Statement, Test,
    lexer::Token, names,
};
use crate::{Metric, Severity};

/// Reads a rule.
pub(crate) fn rule(text: &str) -> Result<Rule, RuleError> {
    if let Some((cut, _)) = text.char_indices().nth(RULE_CHARS_MAX) {
        let message = format!("a rule has at most {RULE_CHARS_MAX} characters");
        return Err(RuleError::new(text, cut..text.len(), message));
    }
    let mut parser = Parser::new(text)?;
    if parser.peek().is_none() {
        return parser.fail_here("a rule is missing; write one as files_total > 0");
    }
    let statement = if parser.takes("builtin") {
        parser.builtin()?
    } else {
        let condition = parser.condition()?;
        let severity = parser.severity()?.unwrap_or(Severity::Failure);
        Statement::Must(condition, severity)
    };
    parser.end()?;
    Ok(Rule { statement })
}

impl Parser<'_> {
    fn condition(&mut self) -> Result<Condition, RuleError> {
        let mut comparisons = vec![self.comparison()?];
        let mut join = Join::All;
        loop {
            let at = self.place();
            let found = if self.takes("and") {
                Join::All
            } else if self.takes("or") {
                Join::Any
            } else {
                return Ok(Condition { join, comparisons });
            };
            if comparisons.len() > 1 && found != join {
                let message = "\"and\" and \"or\" do not stand in one rule; write two rules: all of them must hold";
                return self.fail(at, message);
            }
            join = found;
            comparisons.push(self.comparison()?);
        }
    }

    fn comparison(&mut self) -> Result<Comparison, RuleError> {
        let field = self.field()?;
        let at = self.place();
        if self.takes("between") {
            let low = self.amount(&field)?;
            if !self.takes("and") {
                return self.fail_here("\"and\" is wanted here, as in between 5m and 3h");
            }
            let start = self.place().start;
            let high = self.amount(&field)?;
            self.check_order(&low, &high, start..self.end_of_last())?;
            let test = Test::Between(low, high);
            return Ok(Comparison { field, test });
        }
        let Some(Token::Operator(operator)) = self.peek() else {
            let message = format!(
                "one of > >= < <= == != or \"between\" is wanted after {field}, as in {field} {}",
                example_of(&field)
            );
            let error = RuleError::new(self.text, at, message);
            return Err(match self.peek() {
                Some(Token::Word(word)) => suggest(error, names::of_keyword(word, &["between"])),
                _ => error,
            });
        };
        let operator = *operator;
        self.step();
        let amount = self.amount(&field)?;
        let test = Test::Is(operator, amount);
        Ok(Comparison { field, test })
    }

    /// The field that a comparison starts with.
    fn field(&mut self) -> Result<Field, RuleError> {
        let at = self.place();
        let Some(Token::Word(word)) = self.peek().cloned() else {
            return self.fail(at, "a field is wanted here, as in files_total > 0");
        };
        self.step();
        if let Some(field) = self.known_field(&word)? {
            return Ok(field);
        }
        let message =
            format!("{word} is no field; a number that the job reports is metric(\"{word}\")");
        let error = RuleError::new(self.text, at, message);
        Err(suggest(error, names::of_field(&word)))
    }

    /// The field of this word, with its name where it has one; `None` if there is none.
    fn known_field(&mut self, word: &str) -> Result<Option<Field>, RuleError> {
        if let Some(plain) = Field::PLAIN.iter().find(|plain| plain.word() == word) {
            return Ok(Some(plain.clone()));
        }
        // As on the signal's URL.
        if let Some(name) = word.strip_prefix("m.")
            && !name.is_empty()
        {
            return Ok(Some(Field::Metric(name.to_owned())));
        }
        match word {
            "metric" => Ok(Some(Field::Metric(self.name("metric(\"rows\")")?))),
            "age" => Ok(Some(Field::Age(self.name("age(newest_file)")?))),
            _ => Ok(None),
        }
    }

    /// A metric's name in parentheses.
    fn name(&mut self, example: &str) -> Result<String, RuleError> {
        if !self.takes_token(&Token::Open) {
            let message = format!("a name in parentheses is wanted here, as in {example}");
            return self.fail_here(message);
        }
        let at = self.place();
        let name = match self.peek() {
            Some(Token::Word(name) | Token::Quoted(name)) => name.clone(),
            _ => return self.fail(at, format!("a name is wanted here, as in {example}")),
        };
        self.step();
        if Metric::new(&name, 0.0).is_none() {
            let message = format!(
                "a metric's name has 1 to {} characters",
                Metric::NAME_CHARS_MAX
            );
            return self.fail(at, message);
        }
        self.close()?;
        Ok(name)
    }

    fn close(&mut self) -> Result<(), RuleError> {
        if self.takes_token(&Token::Close) {
            return Ok(());
        }
        self.fail_here("a closing parenthesis is wanted here")
    }

    /// `else warning`, if it follows.
    fn severity(&mut self) -> Result<Option<Severity>, RuleError> {
        if !self.takes("else") {
            return Ok(None);
        }
        let at = self.place();
        if self.takes("warning") {
            return Ok(Some(Severity::Warning));
        }
        if self.takes("failure") {
            return Ok(Some(Severity::Failure));
        }
        let error = RuleError::new(self.text, at, "\"warning\" or \"failure\" is wanted here");
        Err(match self.peek() {
            Some(Token::Word(word)) => {
                suggest(error, names::of_keyword(word, &["warning", "failure"]))
            }
            _ => error,
        })
    }

    /// Nothing follows.
    fn end(&self) -> Result<(), RuleError> {
        let Some(Token::Word(word)) = self.peek() else {
            return match self.peek() {
                Some(_) => self.fail_here("the rule should end here"),
                None => Ok(()),
            };
        };
        let message = "the rule should end here, or go on with \"and\", \"or\" or \"else\"";
        let error = RuleError::new(self.text, self.place(), message);
        let keywords = ["and", "or", "else", "off"];
        Err(suggest(error, names::of_keyword(word, &keywords)))
    }
}

fn suggest(error: RuleError, suggestion: Option<String>) -> RuleError {
    match suggestion {
        Some(suggestion) => error.suggesting(suggestion),
        None => error,
    }
}

/// What could follow a field.
fn example_of(field: &Field) -> &'static str {
    match field {
        Field::Errors | Field::Warnings | Field::ExitCode => "== 0",
        Field::BytesTotal | Field::BytesAdded => ">= 50% of median(14)",
        Field::Deletes => "<= 20% of files_total",
        Field::Duration => "between 5m and 3h",
        Field::Age(_) => "< 26h",
        Field::FilesTotal | Field::FilesChanged | Field::Metric(_) => "> 0",
    }
}

fn noun(kind: Kind) -> &'static str {
    match kind {
        Kind::Count | Kind::Free => "a number",
        Kind::Bytes => "a size",
        Kind::Seconds => "a length of time",
        Kind::Code => "an exit code",
    }
}
