//! Columns that line up.

use unicode_width::UnicodeWidthStr;

use super::{Paint, clean};

/// What stands between two columns.
const GAP: &str = "  ";

/// One field of a table.
#[derive(Debug, Clone)]
pub(crate) struct Cell {
    text: String,
    paint: Option<Paint>,
}

impl Cell {
    /// A field in its colour.
    pub(crate) fn painted(text: &str, paint: Option<Paint>) -> Self {
        Self {
            text: clean(text),
            paint,
        }
    }
}

impl<T: AsRef<str>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::painted(text.as_ref(), None)
    }
}

/// A table with a head.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// A table with only its head.
    pub(crate) fn new<const COLUMNS: usize>(head: [&str; COLUMNS]) -> Self {
        let head = head.map(|text| Cell::painted(text, Some(Paint::Bold)));
        Self {
            rows: vec![head.to_vec()],
        }
    }

    /// Adds a row with as many fields as the head has.
    pub(crate) fn row<const COLUMNS: usize>(&mut self, cells: [Cell; COLUMNS]) {
        debug_assert_eq!(COLUMNS, self.rows[0].len());
        self.rows.push(cells.into());
    }

    /// The table as lines, none with spaces at its end.
    pub(crate) fn render(&self, colour: bool) -> String {
        let columns = self.rows[0].len();
        let width = |column: usize| {
            let widths = self.rows.iter().map(|row| row[column].text.width());
            widths.max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let mut text = String::new();
        for row in &self.rows {
            let last = row
                .iter()
                .rposition(|cell| !cell.text.is_empty())
                .unwrap_or(0);
            for (column, cell) in row.iter().enumerate().take(last + 1) {
                match cell.paint {
                    Some(paint) => text.push_str(&paint.apply(&cell.text, colour)),
                    None => text.push_str(&cell.text),
                }
                if column < last {
                    let padding = widths[column] - cell.text.width();
                    text.push_str(&" ".repeat(padding));
                    text.push_str(GAP);
                }
            }
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_also_with_wide_characters_and_colour() {
        let mut table = Table::new(["NAME", "STATUS", "NOTE"]);
        table.row([
            "日本".into(),
            Cell::painted("up", Some(Paint::Green)),
            "x".into(),
        ]);
        table.row(["backup".into(), "down".into(), "".into()]);
        assert_eq!(
            table.render(false),
            "NAME    STATUS  NOTE\n日本    up      x\nbackup  down\n"
        );
        assert!(table.render(true).contains("\u{1b}[32mup\u{1b}[0m      x"));
    }
}
