//! Stories of two or more processes, all in this one, over loopback.

mod channel;
mod world;
