//! The model store: what a store promises, in memory.
