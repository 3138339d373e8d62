//! Black-box tests of the public API.
