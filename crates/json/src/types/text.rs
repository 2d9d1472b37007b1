//! The model of an interface from WIT text.
//!
//! The text can come from another host, and is hostile. The parser bounds the nesting of types and
//! packages in the text itself, but it also recurses along definitions that refer to each other:
//! types, interfaces and packages. So the text is parsed into separate packages first, which are
//! measured before they are joined. And it compares each parameter with all others of its function,
//! so these are counted before it begins.

use wit_parser::{Docs, Resolve, SourceMap, Type, TypeDef, TypeDefKind, UnresolvedPackage};

use super::{Interface, TextError};

/// The longest text: all of WASI with its prose takes a third of it.
const TEXT_BYTES_MAX: usize = 1 << 20;

/// The most packages in a text. WASI has ten.
const PACKAGES_MAX: usize = 64;

/// The most interfaces in a text. WASI has some sixty.
const INTERFACES_MAX: usize = 512;

/// The most worlds in a text: an interface needs no world, but a printed package can have some.
const WORLDS_MAX: usize = 64;

/// The most levels of types, summed over all packages: types of a package can contain those of
/// others. A value has at most 128, and aliases are levels too.
const LEVELS_MAX: usize = 512;

/// The most parameters of a function: the limit of WebAssembly.
const PARAMS_MAX: usize = 1000;

/// The longest part of a message of the parser: it quotes lines of the text.
const MESSAGE_BYTES_MAX: usize = 1 << 10;

/// The most interfaces that an error lists.
const LISTED_MAX: usize = 8;

impl Interface {
    /// Creates the model of an interface of a WIT text, by the name of the interface with its
    /// package and version. The text has all packages that the interface needs.
    ///
    /// # Errors
    /// If the text is too large, is not valid WIT, or does not define the interface.
    pub fn from_text(text: &str, name: &str) -> Result<Self, TextError> {
        Self::select(text, name, |names| {
            names.iter().copied().find(|found| *found == name)
        })
    }

    /// Creates the model of the interface that `choose` selects of the names of all interfaces of a
    /// WIT text. `requested` is the interface for messages.
    ///
    /// # Errors
    /// As of [`from_text`](Self::from_text).
    pub fn select(
        text: &str,
        requested: &str,
        choose: impl for<'a> FnOnce(&[&'a str]) -> Option<&'a str>,
    ) -> Result<Self, TextError> {
        Self::chosen(&resolve(text)?, requested, choose)
    }

    /// Creates the model of an interface as [`select`](Self::select) does, without comments and
    /// with the functions in the order of their names: equal for all texts with the same types.
    ///
    /// # Errors
    /// As of [`from_text`](Self::from_text).
    pub fn select_bare(
        text: &str,
        requested: &str,
        choose: impl for<'a> FnOnce(&[&'a str]) -> Option<&'a str>,
    ) -> Result<Self, TextError> {
        let mut resolve = resolve(text)?;
        remove_docs(&mut resolve);
        for (_, interface) in resolve.interfaces.iter_mut() {
            interface.functions.sort_keys();
        }
        Self::chosen(&resolve, requested, choose)
    }

    fn chosen(
        resolve: &Resolve,
        requested: &str,
        choose: impl for<'a> FnOnce(&[&'a str]) -> Option<&'a str>,
    ) -> Result<Self, TextError> {
        let interfaces = resolve.interfaces.iter();
        let named: Vec<_> = interfaces
            .filter_map(|(id, _)| Some((resolve.id_of(id)?, id)))
            .collect();
        let names: Vec<&str> = named.iter().map(|(name, _)| name.as_str()).collect();
        let chosen = choose(&names);
        match named.iter().find(|(name, _)| Some(name.as_str()) == chosen) {
            Some((_, id)) => Ok(Self::new(resolve, *id)),
            None => Err(TextError::Interface {
                name: requested.to_owned(),
                found: listed(resolve),
            }),
        }
    }
}

fn resolve(text: &str) -> Result<Resolve, TextError> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(TextError::Bytes {
            limit: TEXT_BYTES_MAX,
            found: text.len(),
        });
    }
    let params = longest_list(text.as_bytes());
    check("parameters of a function", PARAMS_MAX, params)?;
    let mut source = SourceMap::default();
    source.push_str("wit", text);
    let group = source
        .parse()
        .map_err(|(source, error)| syntax(&error.render(&source)))?;
    check("packages", PACKAGES_MAX, group.nested.len() + 1)?;
    let packages = || group.nested.iter().chain([&group.main]);
    let sum = |count: fn(&UnresolvedPackage) -> usize| packages().map(count).sum();
    check("worlds", WORLDS_MAX, sum(|package| package.worlds.len()))?;
    let interfaces = sum(|package| package.interfaces.len());
    check("interfaces", INTERFACES_MAX, interfaces)?;
    check("levels of types", LEVELS_MAX, sum(levels))?;
    let mut resolve = Resolve::default();
    match resolve.push_group(group) {
        Ok(_) => Ok(resolve),
        Err(error) => Err(syntax(&error.to_string())),
    }
}

fn remove_docs(resolve: &mut Resolve) {
    for (_, interface) in resolve.interfaces.iter_mut() {
        interface.docs = Docs::default();
        for function in interface.functions.values_mut() {
            function.docs = Docs::default();
        }
    }
    for (_, ty) in resolve.types.iter_mut() {
        ty.docs = Docs::default();
        match &mut ty.kind {
            TypeDefKind::Record(record) => {
                record
                    .fields
                    .iter_mut()
                    .for_each(|it| it.docs = Docs::default());
            }
            TypeDefKind::Variant(variant) => {
                variant
                    .cases
                    .iter_mut()
                    .for_each(|it| it.docs = Docs::default());
            }
            TypeDefKind::Enum(names) => {
                names
                    .cases
                    .iter_mut()
                    .for_each(|it| it.docs = Docs::default());
            }
            TypeDefKind::Flags(names) => {
                names
                    .flags
                    .iter_mut()
                    .for_each(|it| it.docs = Docs::default());
            }
            _ => {}
        }
    }
}

/// Returns the number of items of the longest list in parentheses, outside comments and strings. In
/// valid WIT, parentheses do not contain others.
fn longest_list(mut text: &[u8]) -> usize {
    let (mut longest, mut items) = (0, None);
    while let [first, rest @ ..] = text {
        text = match (first, rest) {
            (b'/', [b'/', rest @ ..]) => after_line(rest),
            (b'/', [b'*', rest @ ..]) => after_comment(rest),
            (b'"', rest) => after_string(rest),
            (b'(', rest) => {
                items = Some(1);
                rest
            }
            (b',', rest) => {
                items = items.map(|items| items + 1);
                rest
            }
            (b')', rest) => {
                items = None;
                rest
            }
            (_, rest) => rest,
        };
        longest = longest.max(items.unwrap_or(0));
    }
    longest
}

fn after_line(text: &[u8]) -> &[u8] {
    let end = text.iter().position(|byte| *byte == b'\n');
    end.map_or(&[], |end| &text[end..])
}

/// Comments in `/*` and `*/` can contain others.
fn after_comment(mut text: &[u8]) -> &[u8] {
    let mut depth = 1;
    while depth > 0 {
        text = match text {
            [b'/', b'*', rest @ ..] => {
                depth += 1;
                rest
            }
            [b'*', b'/', rest @ ..] => {
                depth -= 1;
                rest
            }
            [_, rest @ ..] => rest,
            [] => return &[],
        };
    }
    text
}

fn after_string(mut text: &[u8]) -> &[u8] {
    loop {
        text = match text {
            [b'"', rest @ ..] => return rest,
            [b'\\', _, rest @ ..] | [_, rest @ ..] => rest,
            [] => return &[],
        };
    }
}

fn check(items: &'static str, limit: usize, found: usize) -> Result<(), TextError> {
    if found > limit {
        return Err(TextError::Items {
            items,
            limit,
            found,
        });
    }
    Ok(())
}

/// Returns the levels of the deepest type of a package. Types only refer to earlier ones.
fn levels(package: &UnresolvedPackage) -> usize {
    let mut levels = Vec::with_capacity(package.types.len());
    for (_, definition) in package.types.iter() {
        let mut deepest = 0;
        for_each_member(definition, |member| {
            if let Type::Id(id) = member {
                deepest = deepest.max(levels.get(id.index()).copied().unwrap_or(LEVELS_MAX));
            }
        });
        levels.push(deepest + 1);
    }
    levels.into_iter().max().unwrap_or(0)
}

fn for_each_member(definition: &TypeDef, mut member: impl FnMut(&Type)) {
    match &definition.kind {
        TypeDefKind::Record(record) => record.fields.iter().for_each(|field| member(&field.ty)),
        TypeDefKind::Tuple(tuple) => tuple.types.iter().for_each(member),
        TypeDefKind::Variant(variant) => {
            let payloads = variant.cases.iter().filter_map(|case| case.ty.as_ref());
            payloads.for_each(member);
        }
        TypeDefKind::Result(result) => result.ok.iter().chain(&result.err).for_each(member),
        TypeDefKind::Future(ty) | TypeDefKind::Stream(ty) => ty.iter().for_each(member),
        TypeDefKind::Map(key, value) => {
            member(key);
            member(value);
        }
        TypeDefKind::Option(ty)
        | TypeDefKind::List(ty)
        | TypeDefKind::FixedLengthList(ty, _)
        | TypeDefKind::Type(ty) => member(ty),
        TypeDefKind::Resource
        | TypeDefKind::Handle(_)
        | TypeDefKind::Flags(_)
        | TypeDefKind::Enum(_)
        | TypeDefKind::Unknown => {}
    }
}

fn syntax(message: &str) -> TextError {
    let mut message = message.to_owned();
    if message.len() > MESSAGE_BYTES_MAX {
        message.truncate(message.floor_char_boundary(MESSAGE_BYTES_MAX));
        message.push('…');
    }
    TextError::Syntax { message }
}

fn listed(resolve: &Resolve) -> String {
    let ids = resolve.interfaces.iter().map(|(id, _)| id);
    let names = ids.filter_map(|id| resolve.id_of(id));
    let mut names: Vec<_> = names.map(|name| format!("`{name}`")).collect();
    if names.len() > LISTED_MAX {
        names.truncate(LISTED_MAX);
        names.push("others".to_owned());
    }
    if names.is_empty() {
        return "no interfaces".to_owned();
    }
    names.join(", ")
}
