//! The fake world as its users meet it: asked over sockets by a real resolver, and changed over HTTP.

// Redundant to the compiler; it tells clippy that the helpers in here are test code too.
#![cfg(test)]

mod answers;
mod loud;
mod management;
mod messages;
mod program;
mod world;
