//! Where the messages of PostgreSQL's protocol begin and end (its documentation, "Message Formats").

/// Who sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// The client: `Query`, `Bind`, `Sync`, …
    Client,
    /// The server: `RowDescription`, `CommandComplete`, `ReadyForQuery`, …
    Server,
}

/// A message's kind where it has none: startup, a request for TLS and its answer.
pub const STARTUP: char = '-';

/// A length of four bytes, which counts itself.
const LENGTH_BYTES: usize = 4;

/// Codes in the place of a protocol version: the server answers with one byte.
const TLS_REQUEST: u32 = 80_877_103;
/// See [`TLS_REQUEST`].
const GSS_REQUEST: u32 = 80_877_104;

/// Both directions of a connection, so far.
#[derive(Debug, Default)]
pub(super) struct Frames {
    client: Direction,
    server: Direction,
    /// The client has sent its startup message: from then on messages have a kind.
    started: bool,
    /// The server's next byte says whether TLS begins.
    single: bool,
    /// What goes on is encrypted.
    opaque: bool,
}

#[derive(Debug, Default)]
struct Direction {
    /// The head of the message that has begun, as far as it is known.
    head: Vec<u8>,
    /// What is left of its body.
    left: usize,
}

/// What the next bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Piece {
    /// So many bytes, at least one.
    pub(super) length: usize,
    /// A message of this kind begins with them.
    pub(super) begins: Option<char>,
    /// A message ends with them.
    pub(super) ends: bool,
}

impl Frames {
    /// Takes in the beginning of `bytes`, which are not empty: at most one message.
    pub(super) fn take(&mut self, side: Side, bytes: &[u8]) -> Piece {
        if self.opaque {
            return Piece {
                length: bytes.len(),
                begins: None,
                ends: false,
            };
        }
        if side == Side::Server && self.single {
            self.single = false;
            self.opaque = bytes[0] == b'S' || bytes[0] == b'G';
            return Piece {
                length: 1,
                begins: Some(STARTUP),
                ends: true,
            };
        }
        let tagged = side == Side::Server || self.started;
        let direction = match side {
            Side::Client => &mut self.client,
            Side::Server => &mut self.server,
        };
        let (piece, startup) = direction.take(tagged, bytes);
        match startup {
            Some(TLS_REQUEST | GSS_REQUEST) => self.single = true,
            Some(_) => self.started = true,
            None => {}
        }
        piece
    }
}

impl Direction {
    /// The piece, and the code of a startup message that ends with it.
    fn take(&mut self, tagged: bool, bytes: &[u8]) -> (Piece, Option<u32>) {
        let begins = self.head.is_empty();
        // A startup message's code belongs to its head: it says what comes next.
        let kind = usize::from(tagged);
        let whole_head = if tagged {
            kind + LENGTH_BYTES
        } else {
            LENGTH_BYTES * 2
        };
        let mut length = 0;
        if self.head.len() < whole_head {
            length = (whole_head - self.head.len()).min(bytes.len());
            self.head.extend(&bytes[..length]);
            if self.head.len() == whole_head {
                let said = number(&self.head[kind..]) as usize;
                self.left = (said + kind).saturating_sub(whole_head);
            }
        }
        let body = self.left.min(bytes.len() - length);
        length += body;
        self.left -= body;
        let ends = self.head.len() == whole_head && self.left == 0;
        let first = if tagged {
            char::from(self.head[0])
        } else {
            STARTUP
        };
        let mut startup = None;
        if ends {
            startup = (!tagged).then(|| number(&self.head[LENGTH_BYTES..]));
            self.head.clear();
        }
        let piece = Piece {
            length,
            begins: begins.then_some(first),
            ends,
        };
        (piece, startup)
    }
}

fn number(bytes: &[u8]) -> u32 {
    u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}
