//! Suggestions for misspelled names.

/// Longer input is not a typing error, and takes long to compare.
const WRITTEN_CHARACTERS_MAX: usize = 256;

/// The candidate closest to `written`, if at most a third of its characters differ.
pub(crate) fn suggest<'a>(
    written: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let length = written.chars().count();
    if length > WRITTEN_CHARACTERS_MAX {
        return None;
    }
    let distance_max = (length / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(written, candidate), candidate))
        .filter(|(distance, _)| (1..=distance_max).contains(distance))
        .min()
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typing_error_finds_the_name_and_another_word_does_not() {
        let names = ["shop", "storefront", "billing"];
        assert_eq!(suggest("shp", names), Some("shop"));
        assert_eq!(suggest("stroefront", names), Some("storefront"));
        assert_eq!(suggest("inventory", names), None);
        assert_eq!(suggest("shop", []), None);
    }
}
