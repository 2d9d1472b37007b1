//! Values of headers with parameters, such as `form-data; name="a"` (RFC 9110, section 5.6.6).

/// The most parameters of a value.
const PARAMETERS_MAX: usize = 32;

/// A value with its parameters.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Parameterised {
    /// The value, in lower case.
    pub(super) value: String,
    /// The parameters, with their names in lower case.
    parameters: Vec<(String, String)>,
}

impl Parameterised {
    /// Reads a value. `None` if it is malformed, or has a parameter twice: readers differ in which
    /// one they take.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (value, mut rest) = match text.find(';') {
            Some(end) => text.split_at(end),
            None => (text, ""),
        };
        let mut found = Self {
            value: value.trim().to_ascii_lowercase(),
            parameters: Vec::new(),
        };
        loop {
            rest = rest.trim_start_matches([' ', '\t']);
            if rest.is_empty() {
                return Some(found);
            }
            rest = rest.strip_prefix(';')?.trim_start_matches([' ', '\t']);
            if rest.is_empty() || rest.starts_with(';') {
                continue;
            }
            let (name, after) = rest.split_once('=')?;
            let name = name.to_ascii_lowercase();
            let is_new = found.parameters.iter().all(|(other, _)| *other != name);
            if !is_token(&name) || !is_new || found.parameters.len() == PARAMETERS_MAX {
                return None;
            }
            let (value, after) = parameter(after)?;
            found.parameters.push((name, value));
            rest = after;
        }
    }

    /// Takes a parameter.
    pub(super) fn take(&mut self, name: &str) -> Option<String> {
        let index = self.parameters.iter().position(|(it, _)| it == name)?;
        Some(self.parameters.swap_remove(index).1)
    }
}

fn is_token(text: &str) -> bool {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(is_token)
}

/// Reads the value of a parameter; returns it and the rest of the text.
fn parameter(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([';', ' ', '\t']).unwrap_or(text.len());
        let (value, rest) = text.split_at(end);
        // Old clients send names in UTF-8 without quotes.
        let is_plain = !value.is_empty() && !value.contains(['"', '\\', ',']);
        return is_plain.then(|| (value.to_owned(), rest));
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((index, character)) = characters.next() {
        match character {
            '"' => return Some((value, &quoted[index + 1..])),
            '\\' => value.push(characters.next()?.1),
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Option<(String, Vec<(String, String)>)> {
        let Parameterised { value, parameters } = Parameterised::parse(text)?;
        Some((value, parameters))
    }

    #[test]
    fn values_of_parameters_can_be_quoted() {
        for (text, value, parameters) in [
            ("form-data", "form-data", &[][..]),
            ("Form-Data ; Name=a;", "form-data", &[("name", "a")]),
            (
                r#"form-data; filename="a; name=\"b\""; name="é c""#,
                "form-data",
                &[("filename", r#"a; name="b""#), ("name", "é c")],
            ),
            ("a;;b=c\t; d=\"\"", "a", &[("b", "c"), ("d", "")]),
        ] {
            let parameters = parameters
                .iter()
                .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()));
            assert_eq!(
                parse(text),
                Some((value.to_owned(), parameters.collect())),
                "{text}"
            );
        }
    }

    #[test]
    fn malformed_values_are_refused() {
        let many: String = (0..=PARAMETERS_MAX).map(|it| format!(";p{it}=a")).collect();
        for text in [
            "a; b",
            "a; b=",
            "a; b = c",
            "a; b=\"c",
            "a; b=\"c\\",
            "a; b=\"c\"d",
            "a; b=c\"d\"",
            "a; b=c d=e",
            "a; b=c; B=d",
            "a; =c",
            &format!("a{many}"),
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
