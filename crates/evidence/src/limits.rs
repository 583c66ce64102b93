//! What bounds a reading: however long an output is, the memory is not more than these together.

/// The part of a line that is looked at, in bytes. What follows in the same line is passed over.
pub const LINE_BYTES_MAX: usize = 64 * 1024;

/// The longest JSON document over several lines that is read, in bytes.
pub const DOCUMENT_BYTES_MAX: usize = 256 * 1024;

/// How many evidences are kept apart. The numbers of those that follow are added to the last one of the same
/// tool; a tool that has none yet still gets one.
pub const EVIDENCES_MAX: usize = 64;

/// How many telltales are kept: kinds and programs. Further lines of a kept kind and program are counted.
pub const TELLTALES_MAX: usize = 32;
