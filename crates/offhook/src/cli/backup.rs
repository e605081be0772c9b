//! `offhook backup`: a copy of everything an installation keeps, also while it runs.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use offhook_store::BackupError;
use serde_json::json;

use super::{Context, Failure};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Copies the database (SQLite), the recordings and the secret of the installation. Recordings that are there already are
not copied again. To restore: stop offhook, copy everything back into data_dir without an old offhook.db-wal and
offhook.db-shm, start it.

Example:
  offhook backup /backup/offhook-$(date +%F)")]
pub struct Args {
    /// A directory; it may exist, but hold no offhook.db
    #[arg(value_name = "DIR")]
    to: PathBuf,
}

pub async fn run(args: Args, context: &Context) -> Result<(), Failure> {
    let (place, store) = context.store().await?;
    let to = args.to;
    let wrong = |why: io::Error| Failure::Failed(format!("{}: {why}", to.display()));
    private_dir(&to).map_err(wrong)?;
    // First the database: what it names is copied after it.
    let copied = store.backup_to(&to.join("offhook.db")).await;
    store.close().await;
    let database = match copied {
        Ok(()) => true,
        Err(error @ BackupError::UsePgDump) => {
            eprintln!("offhook: {error}; recordings and secret are copied");
            false
        }
        Err(error) => return Err(super::failed(error)),
    };
    let recordings = files(&place.data_dir.join("recordings"), &to.join("recordings")).map_err(wrong)?;
    let secret = place.data_dir.join("secret");
    if secret.exists() {
        copy(&secret, &to.join("secret")).map_err(wrong)?;
    }
    match context.json {
        true => println!("{}", json!({"to": to, "database": database, "recordings_copied": recordings})),
        false => println!("copied to {}; new recordings: {recordings}", to.display()),
    }
    Ok(())
}

/// Copy the files of a directory that are not there yet, or have grown since; how many there were.
fn files(from: &Path, to: &Path) -> io::Result<usize> {
    private_dir(to)?;
    let mut count = 0;
    let Ok(entries) = fs::read_dir(from) else { return Ok(0) };
    for entry in entries {
        let entry = entry?;
        let target = to.join(entry.file_name());
        let same = fs::metadata(&target).is_ok_and(|there| {
            entry.metadata().is_ok_and(|here| here.is_file() && here.len() == there.len())
        });
        if !same && entry.file_type()?.is_file() {
            copy(&entry.path(), &target)?;
            count += 1;
        }
    }
    Ok(count)
}

/// Permissions are kept. What retention deletes in between is no failure.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    match fs::copy(from, to) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && !from.exists() => Ok(()),
        copied => copied.map(drop),
    }
}

fn private_dir(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}
