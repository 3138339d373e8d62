//! What every storage engine must do (`contract`), run on each engine, and what each engine promises besides.

mod contract;
mod world;

mod sqlite;
