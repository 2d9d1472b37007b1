//! The WIT of typed routes: from the source folder that a manifest names, or else from the
//! component, which has no comments.

mod worlds;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use weft_lattice_config::interface::newest_serving;
use weft_lattice_config::mistake_paths::component_path;
use weft_lattice_config::{
    App, ComponentName, Digest, InterfaceName, Mistake, Mistakes, Source, WIT_TEXT_BYTES_MAX,
    WitSource,
};
use wit_parser::{PackageId, Resolve, SourceMap};

use crate::manifest::Upload;

/// Replaces the WIT source of each component by the text of the interfaces that its typed routes
/// serve, and removes it from a component without such routes. Returns the components for which
/// that is impossible; those whose own bytes cannot be used are left to others.
pub(crate) fn resolve(
    app: &mut App,
    directory: &Path,
    artifacts: &BTreeMap<Digest, Upload>,
) -> Mistakes {
    let mut mistakes = Mistakes::default();
    let routes = app.spec.routes.iter();
    let typed: BTreeSet<(ComponentName, InterfaceName)> = routes
        .filter_map(|route| Some((route.to.clone(), route.interface.clone()?)))
        .collect();
    for (index, component) in app.spec.components.iter_mut().enumerate() {
        let interfaces = typed.iter().filter(|(to, _)| *to == component.name);
        let interfaces: Vec<_> = interfaces.map(|(_, interface)| interface).collect();
        if interfaces.is_empty() {
            component.wit = None;
            continue;
        }
        let bytes = match &component.source {
            Source::Digest(digest) => artifacts.get(digest).map(|upload| &upload.bytes),
            // A mistake about the file.
            Source::File(_) => continue,
        };
        let text = match (&component.wit, bytes) {
            (Some(WitSource::Text(_)), _) => continue,
            (Some(WitSource::Folder(folder)), _) => {
                let path = directory.join(folder);
                of_folder(&path, &interfaces).map_err(|error| format!("`{folder}`: {error}"))
            }
            (None, Some(bytes)) => of_component(bytes, &interfaces),
            (None, None) => Err(
                "the source is a digest, and a typed route needs the types of the component; give \
                 its WIT source, `wit: FOLDER`"
                    .to_owned(),
            ),
        };
        let text = text.and_then(|text| match text {
            Some(text) if text.len() > WIT_TEXT_BYTES_MAX => Err(format!(
                "the WIT of typed routes is too large: expected at most {WIT_TEXT_BYTES_MAX} bytes, \
                 found {}",
                text.len()
            )),
            text => Ok(text),
        });
        match text {
            Ok(Some(text)) => component.wit = Some(WitSource::Text(text)),
            // The check of the app finds the interfaces that the component lacks.
            Ok(None) => component.wit = None,
            Err(message) => {
                let path = format!("{}.wit", component_path(index));
                let message = format!("component `{}`: {message}", component.name);
                mistakes.push(Mistake::new(path, message));
            }
        }
    }
    mistakes
}

/// The WIT of exported interfaces of a component, with the comments of a folder of WIT files if
/// there is one; `None` if the component lacks one of them.
///
/// # Errors
/// The message, if either cannot be read.
pub(crate) fn of(
    bytes: &[u8],
    folder: Option<&Path>,
    interfaces: &[&InterfaceName],
) -> Result<Option<String>, String> {
    match folder {
        Some(folder) => of_folder(folder, interfaces),
        None => of_component(bytes, interfaces),
    }
}

/// The WIT of exported interfaces of a component; `None` if it lacks one.
fn of_component(bytes: &[u8], interfaces: &[&InterfaceName]) -> Result<Option<String>, String> {
    let description = weft_compose::describe(bytes).map_err(|error| error.to_string())?;
    let exports: Vec<&str> = description
        .exports
        .iter()
        .map(|export| export.name.as_str())
        .collect();
    let Some(names) = served(interfaces, &exports) else {
        return Ok(None);
    };
    weft_compose::interface_wit(bytes, &names).map_err(|error| error.to_string())
}

/// The WIT of interfaces in a folder of WIT files.
fn of_folder(folder: &Path, interfaces: &[&InterfaceName]) -> Result<Option<String>, String> {
    let resolve = read_folder(folder)?;
    let all: Vec<String> = resolve
        .interfaces
        .iter()
        .filter_map(|(id, _)| resolve.id_of(id))
        .collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    let Some(names) = served(interfaces, &all) else {
        let missing = interfaces
            .iter()
            .find(|interface| newest_serving(interface, all.iter().copied()).is_none());
        let missing = missing.map_or_else(String::new, ToString::to_string);
        return Err(format!(
            "the WIT source has no interface `{missing}`; found {}",
            all.join(", ")
        ));
    };
    weft_compose::print_interfaces(resolve, &names)
}

/// Reads a folder of WIT files, with the packages in its `deps`. Without them, its interfaces alone
/// may do: worlds name packages that interfaces do not need.
fn read_folder(folder: &Path) -> Result<Resolve, String> {
    if let Some(problem) = folder_problem(folder) {
        return Err(problem);
    }
    match read_package(folder) {
        Ok((resolve, _)) => Ok(resolve),
        Err(problem) => read_interfaces(folder).map_err(|_| problem),
    }
}

/// Reads a folder of WIT files, with the packages in its `deps`.
///
/// # Errors
/// The first mistake, with its place in a file if it is one of syntax.
pub(crate) fn read_package(folder: &Path) -> Result<(Resolve, PackageId), String> {
    let mut resolve = Resolve::default();
    match resolve.push_dir(folder) {
        Ok((package, _)) => Ok((resolve, package)),
        Err(error) => {
            let problem = located(folder).unwrap_or_else(|| format!("{error:#}"));
            Err(format!(
                "cannot read the WIT source `{}`: {problem}",
                folder.display()
            ))
        }
    }
}

/// The mistake of syntax in the files of a folder, with its place.
fn located(folder: &Path) -> Option<String> {
    let mut source = SourceMap::new();
    for file in fs::read_dir(folder).ok()? {
        let path = file.ok()?.path();
        if path.extension().is_some_and(|extension| extension == "wit") {
            source.push_file(&path).ok()?;
        }
    }
    let (source, error) = source.parse().err()?;
    Some(error.render(&source))
}

/// The reason why a path is no folder of WIT files.
fn folder_problem(folder: &Path) -> Option<String> {
    let shown = folder.display();
    if folder.is_file() {
        return Some(
            match folder.parent().filter(|it| !it.as_os_str().is_empty()) {
                Some(parent) => format!(
                    "`{shown}` is a file, expected a folder of WIT files, such as `{}`",
                    parent.display()
                ),
                None => format!("`{shown}` is a file, expected a folder of WIT files, such as `.`"),
            },
        );
    }
    let files = match fs::read_dir(folder) {
        Ok(files) => files,
        Err(error) => return Some(format!("cannot read the folder `{shown}`: {error}")),
    };
    let mut paths = files.filter_map(|file| Some(file.ok()?.path()));
    let has_wit = paths.any(|path| path.extension().is_some_and(|it| it == "wit"));
    (!has_wit).then(|| format!("the folder `{shown}` has no `.wit` files"))
}

fn read_interfaces(folder: &Path) -> Result<Resolve, String> {
    let mut source = SourceMap::new();
    let files = fs::read_dir(folder).map_err(|error| error.to_string())?;
    for file in files {
        let path = file.map_err(|error| error.to_string())?.path();
        if path.extension().is_some_and(|extension| extension == "wit") {
            let text = fs::read_to_string(&path).map_err(|error| error.to_string())?;
            source.push(&path, worlds::remove(&text));
        }
    }
    let parsed = source.parse();
    let group = parsed.map_err(|(source, error)| error.render(&source))?;
    let mut resolve = Resolve::default();
    let pushed = resolve.push_group(group);
    pushed.map_err(|error| error.to_string())?;
    Ok(resolve)
}

/// The names of those of `all` that serve the interfaces; `None` if one is missing.
fn served<'a>(interfaces: &[&InterfaceName], all: &[&'a str]) -> Option<Vec<&'a str>> {
    let served = interfaces
        .iter()
        .map(|interface| newest_serving(interface, all.iter().copied()));
    let served: Option<BTreeSet<_>> = served.collect();
    Some(served?.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_is_no_folder_of_wit_files_is_refused_with_what_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let (path, file) = (folder.path(), folder.path().join("a.wit"));
        let problem = |path: &Path| read_folder(path).unwrap_err();
        assert!(problem(path).contains("has no `.wit` files"));
        assert!(problem(&path.join("missing")).contains("cannot read the folder"));
        fs::write(&file, "package a:b; interface c { f: func(); }").unwrap();
        let expected = format!("such as `{}`", path.display());
        assert!(problem(&file).contains(&expected));
        assert!(read_folder(path).is_ok());
    }
}
