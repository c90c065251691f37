//! Writes what packages bring along for people: man pages, one for each command, and completions for
//! the shells. `cargo run --example manual -- FOLDER`

use std::path::PathBuf;
use std::{env, fs, io};

use aliyun_task_exporter::cli::Cli;
use clap::CommandFactory;
use clap_complete::{Shell, generate_to};

fn main() -> io::Result<()> {
    let Some(folder) = env::args_os().nth(1).map(PathBuf::from) else {
        return Err(io::Error::other("usage: manual FOLDER"));
    };
    let man = folder.join("man");
    let completions = folder.join("completions");
    fs::create_dir_all(&man)?;
    fs::create_dir_all(&completions)?;
    clap_mangen::generate_to(Cli::command(), man)?;
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        generate_to(shell, &mut Cli::command(), env!("CARGO_PKG_NAME"), &completions)?;
    }
    Ok(())
}
