//! Lines that tune the built-in rules.

use super::{cursor::Parser, suggest};
use crate::rules::{Builtin, RuleError, Statement, Switch, Tuning, lexer::Token, names};

impl Parser<'_> {
    /// What follows `builtin`.
    pub(super) fn builtin(&mut self) -> Result<Statement, RuleError> {
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
        self.step();
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
}
