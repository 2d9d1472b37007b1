//! The names of imports that belong to one part of a fused component.

/// The name under which a fused component imports `original` for part `part` alone.
///
/// Both forms are valid names of a component's imports: an interface keeps its package and version
/// under a namespace of its own, a plain name stays a plain name.
///
/// ```
/// assert_eq!(
///     weft_compose::private_name(3, "wasi:cli/environment@0.2.3"),
///     "c3-wasi:cli/environment@0.2.3",
/// );
/// assert_eq!(weft_compose::private_name(0, "primary"), "c0-primary");
/// ```
#[must_use]
pub fn private_name(part: usize, original: &str) -> String {
    format!("c{part}-{original}")
}

/// Whether `name` has the form that [`private_name`] gives.
///
/// A component that imported such a name by itself would be given the identity of another part.
pub(crate) fn is_reserved(name: &str) -> bool {
    let Some(rest) = name.strip_prefix('c') else {
        return false;
    };
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    digits > 0 && rest[digits..].starts_with('-')
}
