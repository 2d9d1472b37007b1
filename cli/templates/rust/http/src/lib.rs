//! Implements the interface `greeter`. The host turns HTTP requests into calls of its functions, as
//! `weft.yaml` describes.

wit_bindgen::generate!({ world: "app" });

use exports::example::greeter::greeter::{Greeting, GreetingError, Guest, Language};

/// The maximum number of characters in a name.
const NAME_CHARACTERS_MAX: u32 = 40;

struct Component;

impl Guest for Component {
    fn greet(name: String, language: Option<Language>) -> Result<Greeting, GreetingError> {
        let name = name.trim();
        if name.is_empty() {
            return Err(GreetingError::BlankName);
        }
        if name.chars().count() > NAME_CHARACTERS_MAX as usize {
            return Err(GreetingError::LongName(NAME_CHARACTERS_MAX));
        }
        // Standard output is in `weft logs`.
        println!("greeting {name}");
        let language = language.unwrap_or(Language::English);
        let hello = match language {
            Language::English => "Hello",
            Language::German => "Hallo",
            Language::Spanish => "Hola",
        };
        let text = format!("{hello}, {name}!");
        Ok(Greeting { text, language })
    }
}

export!(Component);

#[cfg(test)]
mod tests {
    use super::*;

    fn greet(name: &str, language: Option<Language>) -> Result<String, GreetingError> {
        Component::greet(name.to_owned(), language).map(|greeting| greeting.text)
    }

    #[test]
    fn a_greeting_is_in_english_unless_a_language_is_given() {
        assert_eq!(greet(" Ada ", None).unwrap(), "Hello, Ada!");
        assert_eq!(greet("Ada", Some(Language::German)).unwrap(), "Hallo, Ada!");
    }

    #[test]
    fn a_name_is_neither_blank_nor_long() {
        assert!(matches!(greet("  ", None), Err(GreetingError::BlankName)));
        let long = greet(&"a".repeat(41), None);
        assert!(matches!(long, Err(GreetingError::LongName(40))));
    }
}
