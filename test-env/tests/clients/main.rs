//! Real clients against the real server: certbot, lego, uacme, Caddy, curl, each in its own home, each story against a Cairn of its own,
//! in the form that `CAIRN_FORM` names; what `cairn dev` prints (`paste`) against that command alone. A client that is not installed
//! fails its stories; `./test-env/test clients` installs them, and runs all three forms.

mod caddy;
mod certbot;
mod chain;
mod lego;
mod paste;
mod uacme;
