//! Objects of a body: records, parameters, flags, maps, and values with a tag.

use std::collections::HashMap;

use super::{Argument, Decoder, Stop, expected};
use crate::problem::{Path, one_of};
use crate::reader::{Items, Reader, Token};
use crate::types::{Cases, Field, Flag, Kind, Name, Param, Type};

/// A key of an object with a fixed set of keys.
pub(super) trait Keyed {
    fn name(&self) -> &Name;
    fn ty(&self) -> &Type;
}

impl Keyed for Field {
    fn name(&self) -> &Name {
        &self.name
    }

    fn ty(&self) -> &Type {
        &self.ty
    }
}

impl Keyed for &Param {
    fn name(&self) -> &Name {
        &self.name
    }

    fn ty(&self) -> &Type {
        &self.ty
    }
}

impl<'de, R: Reader<'de>> Decoder<'_, R> {
    pub(super) fn record(
        &mut self,
        ty: &Type,
        fields: &[Field],
        items: Items,
        path: &Path<'_>,
    ) -> Result<(), Stop> {
        let start = self.out.len();
        let names = self.settings.names;
        let first = self.fields(fields, |key| ty.find(key, names), items, path)?;
        self.arrange(start, first);
        self.spans.truncate(first);
        Ok(())
    }

    pub(super) fn arguments(&mut self, arguments: &[Argument<'_>]) -> Result<(), Stop> {
        let params = arguments.iter().filter_map(|argument| match argument {
            Argument::Body(param) => Some(*param),
            Argument::Encoded(_) => None,
        });
        let params: Vec<&Param> = params.collect();
        let names = self.settings.names;
        let keys = params.iter().enumerate();
        let keys: HashMap<&str, usize> = keys
            .map(|(index, param)| (param.name.key(names), index))
            .collect();
        let find = |key: &str| keys.get(key).copied();
        let start = self.out.len();
        let begin = self.reader.offset();
        let first = match self.reader.token()? {
            Token::Object(items) => self.fields(&params, find, items, &Path::Root)?,
            token => {
                let keys = params
                    .iter()
                    .map(|param| param.name.key(self.settings.names));
                let expected = format!("an object with {}", list(keys));
                self.problem(&Path::Root, expected, token.found())?;
                self.reader.seek(begin);
                return Ok(self.reader.skip()?);
            }
        };
        // The arguments from elsewhere come between those of the body.
        for (index, argument) in arguments.iter().enumerate() {
            if let Argument::Encoded(bytes) = argument {
                let begin = self.out.len();
                self.make_room(bytes.len());
                self.encoder().raw(bytes)?;
                let span = Some((begin, self.out.len()));
                self.spans.insert(first + index, span);
            }
        }
        self.arrange(start, first);
        self.spans.truncate(first);
        Ok(())
    }

    /// Reads the values of keys, each where it is found; `find` has the index of a key. Returns the
    /// index of the first of their spans.
    fn fields<K: Keyed>(
        &mut self,
        fields: &[K],
        find: impl Fn(&str) -> Option<usize>,
        mut items: Items,
        path: &Path<'_>,
    ) -> Result<usize, Stop> {
        let names = self.settings.names;
        let first = self.spans.len();
        self.spans.resize(first + fields.len(), None);
        // Keys mostly come in the order of the fields.
        let mut next = 0;
        while let Some(key) = self.reader.key(&mut items)? {
            let Some(key) = self.text_key(key, path)? else {
                continue;
            };
            let key = &*key.text;
            let is_key = |field: &K| field.name().key(names) == key;
            let index = match fields.get(next) {
                Some(field) if is_key(field) => next,
                _ => match find(key) {
                    Some(index) => index,
                    None => {
                        let known = fields.iter().map(|field| field.name().key(names));
                        self.unknown_key(key, known, path)?;
                        continue;
                    }
                },
            };
            next = index + 1;
            if self.spans[first + index].is_some() {
                self.repeated_key(key, path)?;
                continue;
            }
            let begin = self.out.len();
            // Problems of the value must not make the key missing.
            self.spans[first + index] = Some((begin, begin));
            self.value(fields[index].ty(), &Path::Key(path, key))?;
            self.spans[first + index] = Some((begin, self.out.len()));
        }
        for (index, field) in fields.iter().enumerate() {
            if self.spans[first + index].is_none() {
                let begin = self.out.len();
                self.missing(field.ty(), &Path::Key(path, field.name().key(names)))?;
                self.spans[first + index] = Some((begin, self.out.len()));
            }
        }
        Ok(first)
    }

    /// Writes the value of a key that is not there.
    fn missing(&mut self, ty: &Type, path: &Path<'_>) -> Result<(), Stop> {
        if ty.optional().is_some() {
            return Ok(self.encoder().none()?);
        }
        self.problem(path, expected(ty, self.settings), "nothing")
    }

    /// Brings the fields after `start` into the order of their spans.
    fn arrange(&mut self, start: usize, first: usize) {
        let spans = || self.spans[first..].iter().flatten();
        let mut end = start;
        let is_ordered = spans().all(|(from, to)| std::mem::replace(&mut end, *to) == *from);
        if is_ordered {
            return;
        }
        self.scratch.clear();
        self.scratch.reserve_exact(self.out.len() - start);
        self.scratch.extend_from_slice(&self.out[start..]);
        self.out.truncate(start);
        for (from, to) in self.spans[first..].iter().flatten() {
            self.out
                .extend_from_slice(&self.scratch[from - start..to - start]);
        }
    }

    pub(super) fn flags(
        &mut self,
        ty: &Type,
        flags: &[Flag],
        mut items: Items,
        path: &Path<'_>,
    ) -> Result<(), Stop> {
        let names = self.settings.names;
        let mut values = vec![None; flags.len()];
        while let Some(key) = self.reader.key(&mut items)? {
            let Some(key) = self.text_key(key, path)? else {
                continue;
            };
            let key = &*key.text;
            let Some(index) = ty.find(key, names) else {
                let known = flags.iter().map(|flag| flag.name.key(names));
                self.unknown_key(key, known, path)?;
                continue;
            };
            if values[index].is_some() {
                self.repeated_key(key, path)?;
                continue;
            }
            let start = self.reader.offset();
            values[index] = Some(false);
            match self.reader.token()? {
                Token::Bool(value) => values[index] = Some(value),
                token => {
                    let path = Path::Key(path, key);
                    self.problem(&path, "true or false", token.found())?;
                    self.reader.seek(start);
                    self.reader.skip()?;
                }
            }
        }
        let set = values.iter().enumerate();
        let set = set.filter(|(_, value)| **value == Some(true));
        Ok(self
            .encoder()
            .flags(flags.len(), set.map(|(index, _)| index))?)
    }

    pub(super) fn map(
        &mut self,
        key_type: &Type,
        value_type: &Type,
        mut items: Items,
        path: &Path<'_>,
    ) -> Result<(), Stop> {
        let scalar = match key_type.kind() {
            Kind::Scalar(scalar) => Some(*scalar),
            _ => None,
        };
        let start = self.open_list()?;
        let mut keys = Vec::new();
        let mut count = 0;
        while let Some(key) = self.reader.key(&mut items)? {
            self.charge(path)?;
            count += 1;
            let name = match &key {
                Token::Text(text) => text.text.as_ref().into(),
                other => std::borrow::Cow::from(other.found()),
            };
            let path = Path::Key(path, &name);
            let begin = self.out.len();
            if self.map_key(&key, scalar, key_type, &path)? {
                keys.push(self.key_span(begin));
            }
            self.value(value_type, &path)?;
        }
        self.check_map_keys(keys, key_type, path)?;
        self.close_list(start, count)
    }

    /// The place of an encoded key, in half of the memory of a span: a map can have many. A value
    /// has fewer bytes than a `u32` counts.
    fn key_span(&self, begin: usize) -> (u32, u32) {
        (
            (begin - self.start) as u32,
            (self.out.len() - self.start) as u32,
        )
    }

    /// Checks that no key is there twice.
    fn check_map_keys(
        &mut self,
        mut keys: Vec<(u32, u32)>,
        ty: &Type,
        path: &Path<'_>,
    ) -> Result<(), Stop> {
        let bytes = |(from, to): (u32, u32)| self.start + from as usize..self.start + to as usize;
        keys.sort_unstable_by(|a, b| self.out[bytes(*a)].cmp(&self.out[bytes(*b)]));
        let repeated = keys.windows(2).filter(|pair| {
            let [first, second] = [pair[0], pair[1]].map(|key| &self.out[bytes(key)]);
            first == second
        });
        let repeated: Vec<_> = repeated
            .map(|pair| self.out[bytes(pair[1])].to_vec())
            .collect();
        for key in repeated {
            let key = crate::text::encode(ty, &key).unwrap_or_default();
            self.problem(&Path::Key(path, &key), "each key once", "the key again")?;
        }
        Ok(())
    }

    /// Reads an object with `tag` and `val`. The payload can precede the tag: its place is
    /// remembered until the tag is known.
    pub(super) fn tagged(
        &mut self,
        ty: &Type,
        mut items: Items,
        path: &Path<'_>,
    ) -> Result<(), Stop> {
        let Some(cases) = ty.tagged() else {
            return Ok(());
        };
        let mut tag = Tag::Missing;
        let mut val = Val::Missing;
        while let Some(key) = self.reader.key(&mut items)? {
            let Some(key) = self.text_key(key, path)? else {
                continue;
            };
            match &*key.text {
                "tag" if matches!(tag, Tag::Missing) => tag = self.tag(ty, cases, path)?,
                "val" if matches!(val, Val::Missing) => match tag {
                    Tag::Known(payload) => {
                        val = Val::Read;
                        self.payload(payload, path)?;
                    }
                    Tag::Missing | Tag::Unknown => {
                        val = Val::At(self.reader.offset());
                        self.reader.skip()?;
                    }
                },
                key @ ("tag" | "val") => self.repeated_key(key, path)?,
                key => self.unknown_key(key, ["tag", "val"].into_iter(), path)?,
            }
        }
        match (tag, val) {
            (Tag::Missing, _) => {
                let names = cases.all().map(|(name, _)| name);
                self.problem(&Path::Key(path, "tag"), one_of(names), "nothing")
            }
            (Tag::Unknown, _) | (Tag::Known(_), Val::Read) | (Tag::Known(None), Val::Missing) => {
                Ok(())
            }
            (Tag::Known(Some(payload)), Val::Missing) => {
                self.missing(payload, &Path::Key(path, "val"))
            }
            (Tag::Known(payload), Val::At(offset)) => {
                let end = self.reader.offset();
                self.reader.seek(offset);
                self.payload(payload, path)?;
                self.reader.seek(end);
                Ok(())
            }
        }
    }

    /// Reads the value of `tag`, and writes the discriminant.
    fn tag<'t>(&mut self, ty: &Type, cases: Cases<'t>, path: &Path<'_>) -> Result<Tag<'t>, Stop> {
        let start = self.reader.offset();
        let token = self.reader.token()?;
        let find = |text: &str| ty.find(text, self.settings.names);
        if let Token::Text(text) = &token
            && let Some(index) = find(&text.text)
        {
            self.discriminant(index)?;
            let payload = cases.get(index).and_then(|(_, payload)| payload);
            return Ok(Tag::Known(payload));
        }
        let names = cases.all().map(|(name, _)| name);
        self.problem(&Path::Key(path, "tag"), one_of(names), token.found())?;
        self.reader.seek(start);
        self.reader.skip()?;
        Ok(Tag::Unknown)
    }

    fn payload(&mut self, ty: Option<&Type>, path: &Path<'_>) -> Result<(), Stop> {
        let path = Path::Key(path, "val");
        match ty {
            Some(ty) => self.value(ty, &path),
            None => {
                self.problem(&path, "no `val` beside this `tag`", "a value")?;
                Ok(self.reader.skip()?)
            }
        }
    }
}

/// The state of the key `tag`.
#[derive(Clone, Copy)]
enum Tag<'t> {
    Missing,
    /// A problem was reported.
    Unknown,
    Known(Option<&'t Type>),
}

/// The state of the key `val`.
enum Val {
    Missing,
    Read,
    /// Before the tag, at this offset.
    At(usize),
}

fn list<'n>(names: impl Iterator<Item = &'n str>) -> String {
    one_of(names).replacen("one of ", "", 1)
}
