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

use std::ops::Range;

use super::{
    Amount, Base, Builtin, Comparison, Condition, Field, HISTORY_RUNS_MAX, Join, Kind, Quantity,
    RULE_CHARS_MAX, Rule, RuleError, Statement, Switch, Test, Tuning, Unit, Usual,
    lexer::{self, Placed, Token},
    names,
};
use crate::{Metric, Severity};

/// The greatest percentage: a hundred times as much.
const PERCENT_MAX: f64 = 10_000.0;

/// Reads a rule.
pub(crate) fn rule(text: &str) -> Result<Rule, RuleError> {
    if let Some((cut, _)) = text.char_indices().nth(RULE_CHARS_MAX) {
        let message = format!("a rule has at most {RULE_CHARS_MAX} characters");
        return Err(RuleError::new(text, cut..text.len(), message));
    }
    let mut parser = Parser {
        text,
        parts: lexer::cut(text)?,
        next: 0,
    };
    if parser.parts.is_empty() {
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

struct Parser<'a> {
    text: &'a str,
    parts: Vec<Placed>,
    next: usize,
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
        self.next += 1;
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
        self.next += 1;
        match self.known_field(&word)? {
            Some(field) => Ok(field),
            None => {
                let message = format!(
                    "{word} is no field; a number that the job reports is metric(\"{word}\")"
                );
                let error = RuleError::new(self.text, at, message);
                Err(suggest(error, names::of_field(&word)))
            }
        }
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
        self.next += 1;
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

    /// What a field is compared with.
    fn amount(&mut self, field: &Field) -> Result<Amount, RuleError> {
        let start = self.place().start;
        let minus = self.takes_token(&Token::Minus);
        let Some(number) = self.number() else {
            if minus {
                return self.fail_here("a number is wanted here");
            }
            let of = self.base(field)?;
            let percent = 100.0;
            return Ok(Amount::Share { percent, of });
        };
        if self.takes_token(&Token::Percent) {
            let at = start..self.end_of_last();
            if minus || number > PERCENT_MAX {
                let message = format!("a percentage is from 0 to {PERCENT_MAX} %");
                return self.fail(at, message);
            }
            if !self.takes("of") {
                let message = "percent of what? Write \"of\" and a field or the history, as in 50% of median(14)";
                return self.fail_here(message);
            }
            let of = self.base(field)?;
            return Ok(Amount::Share {
                percent: number,
                of,
            });
        }
        let mut quantity = self.with_unit(number)?;
        if minus {
            quantity.number = -quantity.number;
        }
        self.check_unit(field, quantity, start..self.end_of_last())?;
        Ok(Amount::Fixed(quantity))
    }

    /// A number that is read already, with its unit; `1h30m` becomes 90m.
    fn with_unit(&mut self, number: f64) -> Result<Quantity, RuleError> {
        let Some(unit) = self.unit()? else {
            return Ok(Quantity { number, unit: None });
        };
        let mut sum = Quantity {
            number,
            unit: Some(unit),
        };
        let mut smallest = unit;
        while unit.kind == Kind::Seconds {
            let Some(number) = self.number() else {
                break;
            };
            let at = self.place();
            let next = self.unit()?;
            let Some(next) = next.filter(|next| next.factor < smallest.factor) else {
                let message = "a smaller unit of time is wanted here, as in 1h30m";
                return self.fail(at, message);
            };
            smallest = next;
            sum = in_unit(sum.value() + number * next.factor, next);
            if sum.number > lexer::NUMBER_MAX {
                return self.fail(at, "this is too long a time");
            }
        }
        Ok(sum)
    }

    /// A unit, if one follows. A word that belongs to the language is none.
    fn unit(&mut self) -> Result<Option<Unit>, RuleError> {
        let at = self.place();
        let Some(Token::Word(word)) = self.peek() else {
            return Ok(None);
        };
        if ["and", "or", "else", "of"].contains(&word.as_str()) {
            return Ok(None);
        }
        let Some(unit) = Unit::named(word) else {
            let message = format!(
                "{word} is no unit; sizes are in B, KB, MB, GB, TB or KiB, MiB, GiB, TiB, times in ms, s, m, h, d, w"
            );
            let error = RuleError::new(self.text, at, message);
            return Err(suggest(error, names::of_unit(word)));
        };
        self.next += 1;
        Ok(Some(unit))
    }

    /// What a percentage is of.
    fn base(&mut self, field: &Field) -> Result<Base, RuleError> {
        let at = self.place();
        let Some(Token::Word(word)) = self.peek().cloned() else {
            let message = format!(
                "an amount is wanted here, as in {field} {}",
                example_of(field)
            );
            return self.fail(at, message);
        };
        self.next += 1;
        if let Some(usual) = self.usual(&word)? {
            if field.has_history() {
                return Ok(Base::History(usual));
            }
            let message = format!("{field} is not remembered, so there is no {word} of it");
            return self.fail(at, message);
        }
        let Some(other) = self.known_field(&word)? else {
            let message =
                format!("{word} is neither a field nor median(N), max(N), min(N) or last");
            let error = RuleError::new(self.text, at, message);
            return Err(suggest(error, names::of_base(&word)));
        };
        let at = at.start..self.end_of_last();
        if other == *field {
            return self.fail(at, format!("{field} is always as much as itself"));
        }
        let kinds = (field.kind(), other.kind());
        if kinds.0 != kinds.1 && kinds.0 != Kind::Free && kinds.1 != Kind::Free {
            let message = format!(
                "{field} is {}, {other} is {}: they cannot be compared",
                noun(kinds.0),
                noun(kinds.1)
            );
            return self.fail(at, message);
        }
        Ok(Base::Field(other))
    }

    /// `median(14)` and the like; `None` if it is another word.
    fn usual(&mut self, word: &str) -> Result<Option<Usual>, RuleError> {
        let make = match word {
            "last" => return Ok(Some(Usual::Last)),
            "median" => Usual::Median,
            "max" => Usual::Max,
            "min" => Usual::Min,
            _ => return Ok(None),
        };
        if !self.takes_token(&Token::Open) {
            let message = format!("of how many good runs? Write {word}(14)");
            return self.fail_here(message);
        }
        let at = self.place();
        let runs = self.number().unwrap_or(0.0);
        if runs.fract() != 0.0 || !(1.0..=HISTORY_RUNS_MAX as f64).contains(&runs) {
            let message = format!("a number of good runs is wanted here, 1 to {HISTORY_RUNS_MAX}");
            return self.fail(at, message);
        }
        self.close()?;
        Ok(Some(make(runs as usize)))
    }

    /// Whether a unit fits a field.
    fn check_unit(
        &self,
        field: &Field,
        quantity: Quantity,
        at: Range<usize>,
    ) -> Result<(), RuleError> {
        let kind = field.kind();
        if quantity.number < 0.0 && kind != Kind::Free {
            return self.fail(at, format!("{field} is never negative"));
        }
        match quantity.unit {
            None if kind == Kind::Seconds && quantity.number != 0.0 => {
                let number = quantity.number;
                let error = RuleError::new(self.text, at, "a unit of time is missing");
                Err(error.suggesting(format!("{number}s")))
            }
            Some(unit) if unit.kind != kind && kind != Kind::Free => {
                let message = format!("{field} is {}: {} does not fit", noun(kind), unit.name);
                self.fail(at, message)
            }
            _ => Ok(()),
        }
    }

    /// Two fixed amounts stand in order.
    fn check_order(&self, low: &Amount, high: &Amount, at: Range<usize>) -> Result<(), RuleError> {
        match (low, high) {
            (Amount::Fixed(low), Amount::Fixed(high)) if low.value() > high.value() => {
                let message = format!("{high} is less than {low}: nothing is between them");
                self.fail(at, message)
            }
            _ => Ok(()),
        }
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

    /// What follows `builtin`.
    fn builtin(&mut self) -> Result<Statement, RuleError> {
        let at = self.place();
        let word = match self.peek() {
            Some(Token::Word(word)) => word.clone(),
            _ => String::new(),
        };
        let which = Builtin::ALL.into_iter().find(|one| one.name() == word);
        if which.is_none() && word != "all" {
            let known = Builtin::ALL.map(Builtin::name).join(", ");
            let message = format!("a built-in rule is wanted here: {known}, or all");
            let error = RuleError::new(self.text, at, message);
            return Err(suggest(error, names::of_builtin(&word)));
        }
        self.next += 1;
        let tuning = self.tuning(which)?;
        if tuning == Tuning::default() {
            return self.fail_here(format!("what about it? Write \"builtin {word} off\""));
        }
        Ok(Statement::Builtin(which, tuning))
    }

    /// How a built-in rule is tuned.
    fn tuning(&mut self, which: Option<Builtin>) -> Result<Tuning, RuleError> {
        let mut tuning = Tuning::default();
        if self.takes("off") {
            tuning.switch = Some(Switch::Off);
            return Ok(tuning);
        }
        if self.takes("on") {
            tuning.switch = Some(Switch::On);
        }
        let start = self.place().start;
        if let Some(percent) = self.number() {
            if !self.takes_token(&Token::Percent) {
                return self.fail_here("% is wanted here");
            }
            let at = start..self.end_of_last();
            if which.and_then(Builtin::percent).is_none() {
                let name = which.map_or("all", Builtin::name);
                return self.fail(at, format!("builtin {name} has no percentage"));
            }
            if !(0.0 < percent && percent <= 100.0) {
                let message = "a percentage above 0 and up to 100 is wanted here, or off";
                return self.fail(at, message);
            }
            tuning.percent = Some(percent);
        }
        tuning.severity = self.severity()?;
        Ok(tuning)
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

    fn peek(&self) -> Option<&Token> {
        self.parts.get(self.next).map(|part| &part.token)
    }

    /// Where the next part stands; empty at the end of the text if there is none.
    fn place(&self) -> Range<usize> {
        let end = self.text.trim_end().len();
        self.parts
            .get(self.next)
            .map_or(end..end, |part| part.at.clone())
    }

    /// Where the last part that was taken ends.
    fn end_of_last(&self) -> usize {
        let last = self
            .next
            .checked_sub(1)
            .and_then(|last| self.parts.get(last));
        last.map_or(0, |part| part.at.end)
    }

    fn takes(&mut self, word: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Word(found)) if found == word);
        self.next += usize::from(found);
        found
    }

    fn takes_token(&mut self, token: &Token) -> bool {
        let found = self.peek() == Some(token);
        self.next += usize::from(found);
        found
    }

    fn number(&mut self) -> Option<f64> {
        let Some(Token::Number(number)) = self.peek() else {
            return None;
        };
        let number = *number;
        self.next += 1;
        Some(number)
    }

    fn fail<T>(&self, at: Range<usize>, message: impl Into<String>) -> Result<T, RuleError> {
        Err(RuleError::new(self.text, at, message))
    }

    fn fail_here<T>(&self, message: impl Into<String>) -> Result<T, RuleError> {
        self.fail(self.place(), message)
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

/// A length of time in a unit, to the millisecond.
fn in_unit(seconds: f64, unit: Unit) -> Quantity {
    const MS_PER_SECOND: f64 = 1000.0;
    let ms = (seconds * MS_PER_SECOND).round();
    let unit_ms = (unit.factor * MS_PER_SECOND).round();
    Quantity {
        number: ms / unit_ms,
        unit: Some(unit),
    }
}
