//! The candidate closest to what was written, for "did you mean".

/// Longer input is no slip of the hand, and comparing it takes time.
const WRITTEN_CHARACTERS_MAX: usize = 256;

/// The candidate closest to `written`, if a third of its characters or fewer differ.
pub(crate) fn nearest<'a>(
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
    fn a_slip_of_the_hand_finds_its_name_and_another_word_does_not() {
        let names = ["shop", "storefront", "billing"];
        assert_eq!(nearest("shp", names), Some("shop"));
        assert_eq!(nearest("stroefront", names), Some("storefront"));
        assert_eq!(nearest("inventory", names), None);
        assert_eq!(nearest("shop", []), None);
    }
}
