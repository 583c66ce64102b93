//! What a field is compared with: `26h`, `50% of median(14)`.

use std::ops::Range;

use super::{cursor::Parser, example_of, noun, suggest};
use crate::rules::{
    Amount, Base, Field, HISTORY_RUNS_MAX, Kind, Quantity, RuleError, Unit, Usual,
    lexer::{NUMBER_MAX, Token},
    names,
};

/// The greatest percentage: a hundred times as much.
const PERCENT_MAX: f64 = 10_000.0;

impl Parser<'_> {
    /// What a field is compared with.
    pub(super) fn amount(&mut self, field: &Field) -> Result<Amount, RuleError> {
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
        while let Some(number) = self.number() {
            let at = self.place();
            let next = self.unit()?;
            let fits = |next: &Unit| {
                let times = (unit.kind, next.kind) == (Kind::Seconds, Kind::Seconds);
                times && next.factor < smallest.factor
            };
            let Some(next) = next.filter(fits) else {
                let message = "a smaller unit of time is wanted here, as in 1h30m, or the rule should end before this number";
                return self.fail(at, message);
            };
            smallest = next;
            sum = in_unit(sum.value() + number * next.factor, next);
            if sum.number > NUMBER_MAX {
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
        self.step();
        Ok(Some(unit))
    }

    /// What a percentage is of.
    pub(super) fn base(&mut self, field: &Field) -> Result<Base, RuleError> {
        let at = self.place();
        let Some(Token::Word(word)) = self.peek().cloned() else {
            let message = format!(
                "an amount is wanted here, as in {field} {}",
                example_of(field)
            );
            return self.fail(at, message);
        };
        self.step();
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
    pub(super) fn check_order(
        &self,
        low: &Amount,
        high: &Amount,
        at: Range<usize>,
    ) -> Result<(), RuleError> {
        match (low, high) {
            (Amount::Fixed(low), Amount::Fixed(high)) if low.value() > high.value() => {
                let message = format!("{high} is less than {low}: nothing is between them");
                self.fail(at, message)
            }
            _ => Ok(()),
        }
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
