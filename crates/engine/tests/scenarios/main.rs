//! The engine, driven as the server drives it, in told time.

mod cast;
mod delivering;
mod receiving;
mod storm;
mod world;
