//! Implements the interface `countdown` with a stream of WASI 0.3. Over HTTP, the host sends its
//! texts as server-sent events.

wit_bindgen::generate!({ world: "app" });

use exports::example::countdown::countdown::Guest;
use wit_bindgen::StreamReader;

struct Component;

impl Guest for Component {
    async fn count(start: u32) -> StreamReader<String> {
        let (mut writer, reader) = wit_stream::new();
        // The function returns the reader at once, and this task writes to it.
        wit_bindgen::spawn_local(async move {
            for text in texts(start) {
                // A text that is not taken comes back: the reader has left.
                if writer.write_one(text).await.is_some() {
                    return;
                }
            }
        });
        reader
    }
}

fn texts(start: u32) -> impl Iterator<Item = String> {
    let numbers = (1..=start).rev().map(|number| number.to_string());
    numbers.chain(["lift-off".to_owned()])
}

export!(Component);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_countdown_ends_with_the_start() {
        let texts: Vec<_> = texts(3).collect();
        assert_eq!(texts, ["3", "2", "1", "lift-off"]);
        assert_eq!(super::texts(0).count(), 1);
    }
}
