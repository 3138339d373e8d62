//! The binary's inside: the command line, the configuration, the listeners, and the wiring of the services.

pub mod cli;
pub mod config;
pub mod crl_push;

pub mod admin;
pub mod ca_command;
pub mod dev;
pub mod init;
pub mod internal_pki;
pub mod serve;

pub mod roles;
pub mod server;
pub mod storage;
pub mod wiring;

pub mod internal;
pub mod issuers;
pub mod peers;
pub mod readiness;

pub mod hierarchy;
pub mod listener;
pub mod management;
mod proxy_protocol;
pub mod tls;

pub mod banner;
pub mod key_place;
pub mod lifecycle;
pub mod lock;
pub mod metrics;
pub mod names;
pub mod open_files;
pub mod operators;
pub mod ready_file;
pub mod runtime;
pub mod service_manager;
pub mod telemetry;
