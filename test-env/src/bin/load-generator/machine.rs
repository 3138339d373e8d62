//! What the figures were measured on.

use std::fs;
use std::path::Path;
use std::thread;

use anyhow::{Result, bail};

/// The machine in one line.
pub(crate) fn description() -> String {
    let cores = thread::available_parallelism().map_or(0, usize::from);
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpuinfo
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .map_or("unknown CPU", |model| model.trim_start_matches([' ', '\t', ':']));
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let disk = file_system(&std::env::temp_dir()).unwrap_or_else(|| "unknown file system".to_owned());
    format!("{cores} cores of {model}, Linux {}, data on {disk}", kernel.trim())
}

/// Refuses a folder whose files live in memory: there, what is durable costs nothing, and the figures would flatter.
pub(crate) fn refuse_memory_disks(folder: &Path) -> Result<()> {
    match file_system(folder).as_deref() {
        Some("tmpfs" | "ramfs") => {
            bail!("{} is in memory; set TMPDIR to a folder on a disk", folder.display())
        }
        _ => Ok(()),
    }
}

/// The type of the file system that a folder is on: that of the mount point with the longest path above it.
fn file_system(folder: &Path) -> Option<String> {
    let folder = folder.canonicalize().ok()?;
    let mounts = fs::read_to_string("/proc/self/mounts").ok()?;
    mounts
        .lines()
        .filter_map(|line| {
            let mut fields = line.split(' ').skip(1);
            Some((Path::new(fields.next()?), fields.next()?))
        })
        .filter(|(point, _)| folder.starts_with(point))
        // Of two mounts on one point the later hides the earlier, and `max_by_key` gives the last.
        .max_by_key(|(point, _)| point.components().count())
        .map(|(_, kind)| kind.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_proc_file_system_is_recognised_by_its_path() {
        assert_eq!(file_system(Path::new("/proc/self")).as_deref(), Some("proc"));
    }
}
