//! The programs of the judges, installed into a folder below the target directory.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use weft_build::{Shell, javascript, python};

use super::{FOLDER, Judge};
use crate::command::run;
use crate::debian;
use crate::packages::{self, make};

/// The installed programs.
pub(super) struct Tools {
    folder: PathBuf,
}

impl Tools {
    /// Installs the programs that the judges need, and copies their files beside them: a script
    /// loads modules from its own folder, and they must not be installed beside the sources.
    ///
    /// # Errors
    /// If Python, node or a package is not available.
    pub(super) fn install(folder: &Path, judges: &[Judge]) -> Result<Self> {
        fs::create_dir_all(folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
        let folder = fs::canonicalize(folder)
            .with_context(|| format!("cannot read {}", folder.display()))?;
        let tools = Self { folder };
        tools.copy_files()?;
        let has = |wanted: &[Judge]| judges.iter().any(|judge| wanted.contains(judge));
        if has(&[Judge::Documents, Judge::Requests]) {
            tools.install_python()?;
        }
        if has(&[Judge::Client, Judge::Mcp, Judge::Page]) {
            tools.install_node()?;
        }
        if has(&[Judge::Page]) {
            debian::ensure("chromium", "the page of an API needs `chromium`")?;
        }
        Ok(tools)
    }

    /// The folder, with its full path.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// A command of a Python program, in the folder.
    pub(super) fn python(&self, program: &str) -> Command {
        let mut command = Command::new(self.folder.join("python/bin").join(program));
        command.current_dir(&self.folder);
        command
    }

    /// A command of node, in the folder.
    pub(super) fn node(&self) -> Command {
        let mut command = Command::new(self.folder.join("node_modules/.bin/node"));
        command.current_dir(&self.folder);
        command
    }

    /// A command of a program of npm, in the folder.
    pub(super) fn npm_program(&self, program: &str) -> Command {
        let mut command = self.node();
        command.arg(Path::new("node_modules/.bin").join(program));
        command
    }

    fn copy_files(&self) -> Result<()> {
        for file in fs::read_dir(FOLDER).with_context(|| format!("cannot read {FOLDER}"))? {
            let (source, name) = file.map(|file| (file.path(), file.file_name()))?;
            if source.is_file() {
                fs::copy(&source, self.folder.join(name))
                    .with_context(|| format!("cannot copy {}", source.display()))?;
            }
        }
        Ok(())
    }

    fn shell(&self) -> Shell {
        packages::shell(self.folder.clone())
    }

    fn install_python(&self) -> Result<()> {
        python::check(&self.shell())?;
        let venv = self.folder.join("python");
        let program = venv.join("bin/schemathesis");
        packages::install_python(&self.folder.join("requirements.txt"), &venv, &program)
    }

    fn install_node(&self) -> Result<()> {
        // The packages have a node of their own; this one runs npm.
        javascript::check(&self.shell())?;
        let files = ["package.json", "package-lock.json"].map(|name| self.folder.join(name));
        let inputs = files.each_ref().map(PathBuf::as_path);
        let modules = self.folder.join("node_modules");
        make("", &inputs, &modules, || {
            let arguments = ["ci", "--ignore-scripts", "--no-audit", "--no-fund"];
            run(Command::new("npm")
                .args(arguments)
                .current_dir(&self.folder))
        })
    }
}
