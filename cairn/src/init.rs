//! `cairn init`: a root and an intermediate for `serve`, and a configuration to start from.

use std::fmt::Write as _;

use anyhow::{Context, Result};
use cairn_core::SystemRandom;
use cairn_core::time::SystemClock;
use cairn_wfe::BaseUrl;

use crate::cli::InitArgs;
use crate::hierarchy::{self, HierarchySpec};

/// The configuration's file in the new folder.
const CONFIG_FILE: &str = "cairn.toml";

/// Makes the folder, and says what is in it and what to do now.
///
/// # Errors
/// If it exists, or cannot be written.
pub fn run(args: &InitArgs) -> Result<String> {
    let _: BaseUrl = args.base_url.parse().context("--base-url")?;
    Ok(String::new())
}
