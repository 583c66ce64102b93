//! What a client says, searched for texts.

/// How far one connection's client has come in a list of texts.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// So many of them were said.
    texts: usize,
    /// What was said since, as far as the next one may have begun in it.
    since: Vec<u8>,
}

impl Said {
    /// Takes in what the client says next; whether all texts were said now, one after the other.
    pub(super) fn hears(&mut self, texts: &[String], bytes: &[u8]) -> bool {
        self.since.extend_from_slice(bytes);
        while let Some(text) = texts.get(self.texts) {
            let mut places = self.since.windows(text.len());
            let Some(at) = places.position(|place| place == text.as_bytes()) else {
                let begun = self.since.len().min(text.len() - 1);
                self.since.drain(..self.since.len() - begun);
                return false;
            };
            self.since.drain(..at + text.len());
            self.texts += 1;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_heard_in_their_order_in_whatever_pieces_they_come() {
        let texts = ["name".to_owned(), "COMMIT".to_owned()];
        let mut said = Said::default();
        assert!(!said.hears(&texts, b"COMMIT na"));
        assert!(!said.hears(&texts, b"me COM"));
        assert!(!said.hears(&texts, b"MI"));
        assert!(said.hears(&texts, b"T;"));
        assert!(Said::default().hears(&texts, b"a name; COMMIT"));
        assert!(!Said::default().hears(&texts, b"COMMIT; name"));
    }
}
