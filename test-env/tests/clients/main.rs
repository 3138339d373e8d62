//! Real clients against the real server: certbot, lego, uacme, Caddy, curl, each in its own home, each story against a
//! `cairn dev` of its own. A client that is not installed fails its stories; `./test-env/test clients` installs them.

mod caddy;
mod certbot;
mod chain;
mod lego;
mod paste;
mod uacme;
