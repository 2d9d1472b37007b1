//! Enums whose numbers are on the wire.

/// An enum whose cases have numbers on the wire; [`numbered!`](crate::numbered) declares them.
pub trait Numbered: Copy + 'static {
    /// All cases, ordered by number.
    const CASES: &'static [Self];

    /// The number on the wire.
    fn number(self) -> u32;

    /// The name in messages and in the specification, in kebab case.
    fn name(self) -> &'static str;
}

/// Declares an enum with the number and the name of each case. A number never changes its meaning
/// and is never reused.
///
/// ```
/// weft_wire::numbered! {
///     /// The end of a stream.
///     pub enum End: u32 {
///         /// The reader.
///         Reader = 0, "reader";
///         /// The writer.
///         Writer = 1, "writer";
///     }
/// }
/// assert_eq!(End::from_number(1), Some(End::Writer));
/// assert_eq!(End::ALL.map(End::name), ["reader", "writer"]);
/// ```
#[macro_export]
macro_rules! numbered {
    ($(#[$meta:meta])* pub enum $name:ident: $repr:ident {
        $($(#[$doc:meta])* $case:ident = $number:literal, $text:literal;)*
    }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr($repr)]
        pub enum $name {
            $($(#[$doc])* $case = $number,)*
        }

        impl $name {
            /// All cases, ordered by number.
            pub const ALL: [Self; [$($number),*].len()] = [$(Self::$case),*];

            /// The number on the wire.
            #[must_use]
            pub const fn number(self) -> $repr {
                self as $repr
            }

            /// The case with a number.
            #[must_use]
            pub const fn from_number(number: $repr) -> Option<Self> {
                match number {
                    $($number => Some(Self::$case),)*
                    _ => None,
                }
            }

            /// The name in messages and in the specification, in kebab case.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$case => $text,)*
                }
            }
        }

        impl $crate::Numbered for $name {
            const CASES: &'static [Self] = &Self::ALL;

            fn number(self) -> u32 {
                self.number().into()
            }

            fn name(self) -> &'static str {
                self.name()
            }
        }
    };
}
