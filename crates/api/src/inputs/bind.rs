//! Finds the place of each argument, and the mistakes in a manifest about them.

use std::sync::Arc;

use http::HeaderName;
use weft_json::text::{self, Bindable};
use weft_json::{Function, Kind, Param, Type};
use weft_lattice_config::OperationSpec;
use weft_lattice_config::template::{Method, Segment, ValuePath};
use weft_wire::MAX_VALUE_BYTES;

use super::{BodyInput, Form, Inputs, Slot, TextInput, TextSource};
use crate::mistakes::MistakesAt;
use crate::socket::MessageKind;
use crate::type_text::described;

/// Binds the parameters of a function to the places that an operation has for them. Mistakes are
/// added to `mistakes`, whose path is that of the operation.
pub(crate) fn bind(
    spec: &OperationSpec,
    function: &Function,
    mistakes: &mut MistakesAt<'_>,
) -> Inputs {
    let mut binder = Binder {
        spec,
        function,
        mistakes,
        texts: Vec::new(),
        values: Vec::new(),
        parts: Vec::new(),
        slots: Vec::new(),
        whole: None,
        form: None,
        messages: None,
        misplaced: Vec::new(),
    };
    binder.bind_texts();
    binder.check_body_name();
    for param in &function.params {
        binder.bind_param(param);
    }
    let body = binder.body();
    Inputs {
        texts: binder.texts,
        body,
        form: binder.form.map(Arc::new),
        slots: binder.slots,
    }
}

struct Binder<'b, 'm> {
    spec: &'b OperationSpec,
    function: &'b Function,
    mistakes: &'b mut MistakesAt<'m>,
    texts: Vec<TextInput>,
    /// The paths of the values in `texts`.
    values: Vec<ValuePath>,
    /// The values that stand nowhere else than in the body.
    parts: Vec<Param>,
    slots: Vec<Slot>,
    /// The parameter that is the whole body, if no field of it stands elsewhere.
    whole: Option<Type>,
    form: Option<Form>,
    /// The messages of a `GET` request, which has no other body.
    messages: Option<MessageKind>,
    /// The names of parameters at places with a mistake. Where a parameter without a place belongs
    /// is unclear after one.
    misplaced: Vec<&'b str>,
}

/// True if a type can be at a place of texts.
fn fits(source: &TextSource, ty: &Type) -> bool {
    let bindable = text::bindable(ty);
    match source {
        TextSource::Segment(..) => bindable == Some(Bindable::One),
        TextSource::Rest(_) => match ty.kind() {
            Kind::String => true,
            Kind::List(element) => *element.kind() == Kind::String,
            _ => false,
        },
        TextSource::Query(_) | TextSource::Header(..) => bindable.is_some(),
    }
}

/// The place of a text, before its type is known.
struct TextPlace<'p> {
    source: TextSource,
    default: Option<String>,
    value: &'p ValuePath,
    /// The key of the operation that has the text.
    key: String,
}

impl<'b> Binder<'b, '_> {
    // === texts ===

    fn bind_texts(&mut self) {
        for place in self.places() {
            let Some((ty, docs)) = self.type_at(place.value, &place.key) else {
                self.misplaced.push(place.value.root.as_str());
                continue;
            };
            if !fits(&place.source, ty) {
                self.misplaced.push(place.value.root.as_str());
                self.unfit_type(&place, ty);
                continue;
            }
            self.check_default(&place, ty);
            self.texts.push(TextInput {
                source: place.source,
                ty: ty.clone(),
                default: place.default,
                docs,
            });
            self.values.push(place.value.clone());
        }
    }

    fn places(&self) -> Vec<TextPlace<'b>> {
        let spec = self.spec;
        let template = &spec.request;
        let segments = template
            .path
            .segments
            .iter()
            .filter_map(|segment| match segment {
                Segment::Literal(_) => None,
                Segment::Value(value) => Some(value),
            });
        let segments = segments
            .enumerate()
            .map(|(index, value)| (TextSource::Segment(index, value.to_string()), None, value));
        let rest = template.path.rest.iter();
        let rest = rest.map(|value| (TextSource::Rest(value.to_string()), None, value));
        let query = template.query.iter().map(|parameter| {
            let source = TextSource::Query(parameter.key.clone());
            (source, parameter.default.clone(), &parameter.value)
        });
        let of_template = segments.chain(rest).chain(query);
        let of_template = of_template.map(|(source, default, value)| TextPlace {
            source,
            default,
            value,
            key: "as".to_owned(),
        });
        let headers = spec.headers.iter().filter_map(|(name, value)| {
            // The manifest allows tokens only, which are valid names.
            let lower = HeaderName::try_from(name.as_str()).ok()?;
            Some(TextPlace {
                source: TextSource::Header(lower, name.as_str().to_owned()),
                default: None,
                value,
                key: format!("headers.{name}"),
            })
        });
        of_template.chain(headers).collect()
    }

    /// The type of a value, with its prose.
    fn type_at(&mut self, path: &ValuePath, key: &str) -> Option<(&'b Type, Option<String>)> {
        let params = self.function.params.iter();
        let mut names = params.map(|param| param.name.wit());
        let Some(index) = names.position(|name| name == path.root.as_str()) else {
            self.unknown_parameter(path.root.as_str(), key);
            return None;
        };
        let mut ty = &self.function.params[index].ty;
        let mut docs = None;
        let mut shown = path.root.to_string();
        for name in &path.fields {
            let Kind::Record(fields) = ty.kind() else {
                let message = format!("`{shown}` has no fields: it is {}", described(ty));
                self.mistakes.add(key, message);
                return None;
            };
            let Some(field) = fields
                .iter()
                .find(|field| field.name.wit() == name.as_str())
            else {
                let names: Vec<_> = fields.iter().map(|field| field.name.wit()).collect();
                let message = format!("unknown field `{name}` of `{shown}`");
                self.mistakes
                    .add_unknown(key, message, name.as_str(), &names);
                return None;
            };
            shown += &format!(".{name}");
            ty = &field.ty;
            docs = field.docs.as_deref();
        }
        let docs = docs.or(ty.docs());
        Some((ty, docs.map(str::to_owned)))
    }

    fn unknown_parameter(&mut self, name: &str, key: &str) {
        let function = self.function;
        let names: Vec<_> = function
            .params
            .iter()
            .map(|param| param.name.wit())
            .collect();
        let message = format!("unknown parameter `{name}` of `{}`", function.name);
        self.mistakes.add_unknown(key, message, name, &names);
    }

    fn unfit_type(&mut self, place: &TextPlace<'_>, ty: &Type) {
        let (place_name, accepted) = match &place.source {
            TextSource::Segment(..) => (
                "a segment of the path",
                "a boolean, number, character, string or enum",
            ),
            TextSource::Rest(_) => ("the rest of the path", "a string or a list of strings"),
            TextSource::Query(_) => (
                "the query",
                "a boolean, number, character, string or enum, or an option or list of these",
            ),
            TextSource::Header(..) => (
                "a header",
                "a boolean, number, character, string or enum, or an option or list of these",
            ),
        };
        let message = format!(
            "`{}` cannot be in {place_name}: expected {accepted}, found {}",
            place.value,
            described(ty)
        );
        let help = "leave the value to the body, or name a field of it";
        self.mistakes.add_with_help(&place.key, message, help);
    }

    fn check_default(&mut self, place: &TextPlace<'_>, ty: &Type) {
        let Some(default) = &place.default else {
            return;
        };
        let value = place.value;
        if text::bindable(ty) == Some(Bindable::Many) {
            let message = format!("`{value}` is a list, which is empty without its key");
            self.mistakes
                .add_with_help(&place.key, message, "remove the default");
            return;
        }
        let decoded = text::decode(ty, &[default], MAX_VALUE_BYTES, &mut Vec::new());
        if let Err(problem) = decoded {
            let (expected, found) = (problem.expected, problem.found);
            let message = format!("the default of `{value}` must be {expected}, found {found}");
            self.mistakes.add(&place.key, message);
        }
    }

    // === the body ===

    fn check_body_name(&mut self) {
        let Some(name) = &self.spec.body else { return };
        let mut params = self.function.params.iter();
        if !params.any(|param| param.name.wit() == name.as_str()) {
            self.misplaced.push(name.as_str());
            self.unknown_parameter(name.as_str(), "body");
        } else if !self.spec.request.method.has_body() {
            let message = format!("a {} request has no body", self.spec.request.method);
            let help = "use POST, PUT or PATCH, or put the parameter into the query";
            self.mistakes.add_with_help("body", message, help);
        }
    }

    fn bind_param(&mut self, param: &Param) {
        let name = param.name.wit();
        let is_body = self
            .spec
            .body
            .as_ref()
            .is_some_and(|body| body.as_str() == name);
        let bound = self.values.iter().enumerate();
        let bound = bound.filter(|(_, value)| value.root.as_str() == name);
        let bound: Vec<_> = bound.map(|(index, _)| index).collect();
        if !bound.is_empty() {
            self.bind_value(&param.ty, &bound, 0, is_body);
        } else if is_body {
            self.whole = Some(param.ty.clone());
            self.slots.push(Slot::Body(0));
        } else if let Some(messages) = self.messages_of(param) {
            self.messages = Some(messages);
            self.slots.push(Slot::Body(0));
        } else {
            self.check_unbound(param);
            self.add_part(param.clone());
        }
    }

    /// The messages that a parameter takes; `None` if it takes none, or another one does.
    fn messages_of(&self, param: &Param) -> Option<MessageKind> {
        let Kind::Stream(element) = param.ty.kind() else {
            return None;
        };
        let is_get = self.spec.request.method == Method::Get;
        MessageKind::of(*element).filter(|_| is_get && self.messages.is_none())
    }

    /// Binds a value with `depth` names of fields, of which some part is text in the request.
    fn bind_value(&mut self, ty: &Type, bound: &[usize], depth: usize, is_body: bool) {
        if let [index] = bound
            && self.values[*index].fields.len() == depth
        {
            self.slots.push(Slot::Text(*index));
            return;
        }
        // Only records have fields, so all bound values are in one.
        let Kind::Record(fields) = ty.kind() else {
            return;
        };
        for field in fields {
            let name = field.name.wit();
            let of_field = bound.iter().copied().filter(|index| {
                let fields = &self.values[*index].fields;
                fields.get(depth).is_some_and(|it| it.as_str() == name)
            });
            let of_field: Vec<_> = of_field.collect();
            if !of_field.is_empty() {
                self.bind_value(&field.ty, &of_field, depth + 1, false);
                continue;
            }
            if !is_body {
                self.missing_field(bound, depth, name);
            }
            self.add_part(Param {
                name: field.name.clone(),
                ty: field.ty.clone(),
            });
        }
    }

    fn add_part(&mut self, part: Param) {
        self.slots.push(Slot::Body(self.parts.len()));
        self.parts.push(part);
    }

    fn missing_field(&mut self, bound: &[usize], depth: usize, name: &str) {
        if !self.misplaced.is_empty() {
            return;
        }
        let value = &self.values[bound[0]];
        let mut record = value.root.to_string();
        for field in &value.fields[..depth] {
            record += &format!(".{field}");
        }
        let message = format!("field `{name}` of `{record}` stands nowhere in the request");
        let help = match depth {
            0 => format!("add `body: {record}`, so that the body has the other fields"),
            _ => "name all fields of the record, or none".to_owned(),
        };
        self.mistakes.add_with_help("as", message, &help);
    }

    fn check_unbound(&mut self, param: &Param) {
        if !self.misplaced.is_empty() {
            return;
        }
        let (name, method) = (param.name.wit(), self.spec.request.method);
        if let Some(body) = &self.spec.body {
            let message = format!("unbound parameter `{name}`: the body is `{body}` alone");
            let help = "put the parameter into the path, the query or a header, or remove `body`";
            self.mistakes.add_with_help("body", message, help);
        } else if !method.has_body() {
            let message = format!("unbound parameter `{name}`: a {method} request has no body");
            let help = format!("add it to the query, as in `?{name}={{{name}}}`");
            self.mistakes.add_with_help("as", message, &help);
        }
    }

    fn body(&mut self) -> BodyInput {
        if let Some(whole) = self.whole.take() {
            return self.whole_body(&whole);
        }
        if let Some(messages) = self.messages {
            return BodyInput::Messages(messages);
        }
        let method = self.spec.request.method;
        if !method.has_body() {
            return BodyInput::None;
        }
        self.form = Form::of(&self.parts);
        if let [only] = &self.parts[..]
            && self.function.params.iter().any(|param| param == only)
            && matches!(only.ty.kind(), Kind::Bytes | Kind::Stream(_))
        {
            let ty = only.ty.clone();
            return self.whole_body(&ty);
        }
        let stream = self.form.as_ref().and_then(|form| form.stream);
        for (index, part) in self.parts.clone().iter().enumerate() {
            if Some(index) != stream {
                self.check_carried(part.name.wit(), &part.ty, stream.is_some());
            }
        }
        if stream.is_some() {
            return BodyInput::Form;
        }
        BodyInput::Object(std::mem::take(&mut self.parts))
    }

    fn whole_body(&mut self, ty: &Type) -> BodyInput {
        match ty.kind() {
            Kind::Bytes => BodyInput::Bytes,
            Kind::Stream(element) => BodyInput::Stream(*element),
            Kind::Future(_) => {
                self.mistakes
                    .add("func", "a future cannot be a parameter of an HTTP API");
                BodyInput::None
            }
            _ => BodyInput::Value(ty.clone()),
        }
    }

    /// Reports streams and futures, which are not values.
    fn check_carried(&mut self, name: &str, ty: &Type, is_second: bool) {
        match ty.kind() {
            Kind::Stream(_) if is_second => {
                let message = format!("parameter `{name}` is a second stream of a request");
                self.mistakes.add("func", message);
            }
            Kind::Stream(_) => {
                let message =
                    format!("parameter `{name}` is a stream, which must be the whole body");
                let help = format!("add `body: {name}`, and put the others into the query");
                self.mistakes.add_with_help("func", message, &help);
            }
            Kind::Future(_) => {
                let message = format!("parameter `{name}` is a future, which no request has");
                self.mistakes.add("func", message);
            }
            _ => {}
        }
    }
}
