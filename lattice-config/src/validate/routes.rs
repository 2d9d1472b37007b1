//! Checks of routes: distinct requests, and the syntax of HTTP APIs.

use super::Validator;
use crate::app::{ErrorStatus, Face};
use crate::partial_app::{OptionalField, PartialErrorType, PartialOperation, PartialRoute};
use crate::routes::{HostPattern, PathPrefix, duplicates};
use crate::template::ValuePath;
use crate::{HeaderName, WitName};

/// Statuses of success whose responses have no body, or only a part of one.
const WITHOUT_BODY: [u64; 3] = [204, 205, 206];

impl Validator<'_, '_, '_> {
    pub(super) fn check_collisions(&mut self) {
        let app = self.app;
        let routes: Vec<_> = app.routes.iter().filter_map(RouteKey::of).collect();
        for (first, second) in duplicates(routes.iter().map(|route| (route.host, &route.path))) {
            let (first, second) = (&routes[first], &routes[second]);
            let requests = match second.host {
                Some(host) => format!("`{host}{}`", second.path),
                None => format!("`{}` on any host", second.path),
            };
            let (first_owner, second_owner) = (self.owner(first.route), self.owner(second.route));
            let message =
                format!("duplicate route {requests}: used by {first_owner} and {second_owner}");
            let help = "change the host or the path of one of the routes";
            self.add(&second.route.location, message, Some(help.to_owned()));
        }
    }

    /// Formats the owner of a route from its readable parts: "`shop/storefront`
    /// (`spec.routes[0]`)".
    fn owner(&self, route: &PartialRoute<'_>) -> String {
        let path = &route.location.path;
        match (&self.app.name, &route.to) {
            (Some(app), Some(to)) => format!("`{app}/{}` (`{path}`)", to.value),
            (None, Some(to)) => format!("`{}` (`{path}`)", to.value),
            (_, None) => format!("`{path}`"),
        }
    }

    // === APIs ===

    pub(super) fn check_apis(&mut self) {
        let app = self.app;
        for route in &app.routes {
            self.check_interface(route);
            self.check_requests(&route.operations);
            for operation in &route.operations {
                self.check_ok(operation);
                self.check_headers(operation);
                self.check_values(operation);
            }
            for errors in &route.errors {
                self.check_error_type(errors);
            }
            self.check_faces(route);
        }
    }

    fn check_interface(&mut self, route: &PartialRoute<'_>) {
        if route.interface != OptionalField::Absent {
            return;
        }
        for key in &route.typed_keys {
            let message = format!(
                "`{}` needs `interface`: without it, the component handles HTTP itself",
                key.value
            );
            let help = "add `interface`, or remove the key";
            self.add(key, message, Some(help.to_owned()));
        }
    }

    fn check_requests(&mut self, operations: &[PartialOperation<'_>]) {
        let requests = operations.iter().filter_map(|it| it.request.as_ref());
        let requests: Vec<_> = requests.collect();
        for (index, request) in requests.iter().enumerate() {
            let mut before = requests[..index].iter();
            if let Some(first) = before.find(|first| first.value.overlaps(&request.value)) {
                let message = format!(
                    "`{}` and `{}` (`{}`) match a common request",
                    request.value, first.value, first.path
                );
                let help = "change the method or the path of one of the operations";
                self.add(request, message, Some(help.to_owned()));
            }
        }
    }

    fn check_ok(&mut self, operation: &PartialOperation<'_>) {
        let ok = operation.ok.as_ref();
        if let Some(ok) = ok.filter(|ok| WITHOUT_BODY.contains(&ok.value)) {
            let message = format!("status {} has no body for the result", ok.value);
            let help = "use a status such as 200, 201 or 202; a function without a result has 204";
            self.add(ok, message, Some(help.to_owned()));
        }
    }

    fn check_headers(&mut self, operation: &PartialOperation<'_>) {
        let names = operation.headers.iter().map(|(name, _)| name);
        let names: Vec<_> = names.collect();
        for name in &names {
            if let Err(error) = name.value.parse::<HeaderName>() {
                self.add(name, error.to_string(), None);
            }
        }
        let lower = names.iter().map(|name| name.value.to_ascii_lowercase());
        for (first, second) in duplicates(lower) {
            let message = format!(
                "duplicate header `{}`, already used by `{}`",
                names[second].value, names[first].path
            );
            self.add(names[second], message, None);
        }
    }

    /// Reports values that stand in two places of one request. The template has each of its values
    /// once.
    fn check_values(&mut self, operation: &PartialOperation<'_>) {
        let template = operation.request.iter().flat_map(|it| it.value.values());
        let mut taken: Vec<&ValuePath> = template.collect();
        for value in operation
            .headers
            .iter()
            .filter_map(|(_, value)| value.as_ref())
        {
            match taken.iter().find(|taken| taken.collides(&value.value)) {
                Some(other) => {
                    let message = format!(
                        "parameter `{}` stands elsewhere in the request already, as `{{{other}}}`",
                        value.value
                    );
                    self.add(value, message, None);
                }
                None => taken.push(&value.value),
            }
        }
        // A field of the parameter may stand elsewhere: the body lacks it then.
        let body = operation.body.as_ref();
        let is_taken = |body: &WitName| {
            let mut whole = taken.iter().filter(|value| value.fields.is_empty());
            whole.any(|value| value.root == *body)
        };
        if let Some(body) = body.filter(|body| is_taken(&body.value)) {
            let message = format!("parameter `{}` stands elsewhere in the request", body.value);
            self.add(body, message, None);
        }
    }

    fn check_error_type(&mut self, errors: &PartialErrorType<'_>) {
        if let Err(error) = errors.name.value.parse::<WitName>() {
            self.add(&errors.name, error.to_string(), None);
        }
        for status in &errors.statuses {
            if let Err(error) = status.value.parse::<ErrorStatus>() {
                let help = "use a status such as 404 or 409, or `default` for all other cases";
                self.add(status, error.to_string(), Some(help.to_owned()));
            }
        }
        if errors.is_empty {
            let message = format!("`{}` has no status", errors.name.value);
            let help = "add a status with its cases, such as `404: [unknown-order]`, or `default`";
            self.add(&errors.name, message, Some(help.to_owned()));
        }
    }

    fn check_faces(&mut self, route: &PartialRoute<'_>) {
        let Some((list, faces)) = &route.faces else {
            return;
        };
        if faces.is_empty() {
            let all: Vec<_> = Face::ALL.iter().map(|face| face.as_str()).collect();
            let message = "`faces` must have at least one face";
            let help = format!("use some of {}", crate::quote::quoted_list(all));
            self.add(list, message.to_owned(), Some(help));
        }
        for (_, second) in duplicates(faces.iter().map(|face| face.value)) {
            let message = format!("duplicate face `{}`", faces[second].value);
            self.add(&faces[second], message, None);
        }
    }
}

/// The keys that must differ between routes.
struct RouteKey<'a> {
    host: Option<&'a HostPattern>,
    path: PathPrefix,
    route: &'a PartialRoute<'a>,
}

impl<'a> RouteKey<'a> {
    fn of(route: &'a PartialRoute<'a>) -> Option<RouteKey<'a>> {
        let host = match &route.host {
            OptionalField::Absent => None,
            OptionalField::Valid(host) => Some(host),
            OptionalField::Invalid => return None,
        };
        let path = match &route.path {
            OptionalField::Absent => PathPrefix::default(),
            OptionalField::Valid(path) => path.clone(),
            OptionalField::Invalid => return None,
        };
        Some(RouteKey { host, path, route })
    }
}
