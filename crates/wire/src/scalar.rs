//! The scalar types of WIT, with the facts that code for them needs.

use std::fmt;

/// Expands a macro with a row for each scalar: the case of [`Scalar`], the Rust type, and the WIT
/// name, which is also the method of [`Encoder`](crate::Encoder) and [`Decoder`](crate::Decoder).
/// Tokens after the name of the macro precede the rows.
///
/// ```
/// macro_rules! names {
///     ($($scalar:ident: $ty:ty, $name:ident;)*) => {
///         [$((stringify!($name), size_of::<$ty>()),)*]
///     };
/// }
/// assert_eq!(weft_wire::for_each_scalar!(names)[3], ("u16", 2));
/// ```
#[macro_export]
macro_rules! for_each_scalar {
    ($expand:ident $($first:tt)*) => {
        $expand! {
            $($first)*
            Bool: bool, bool;
            U8: u8, u8;
            S8: i8, s8;
            U16: u16, u16;
            S16: i16, s16;
            U32: u32, u32;
            S32: i32, s32;
            U64: u64, u64;
            S64: i64, s64;
            F32: f32, f32;
            F64: f64, f64;
            Char: char, char;
        }
    };
}

macro_rules! scalars {
    ($($scalar:ident: $ty:ty, $name:ident;)*) => {
        /// A scalar type of WIT.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Scalar {
            $(#[doc = concat!("`", stringify!($name), "`")] $scalar,)*
        }

        impl Scalar {
            /// All scalars.
            pub const ALL: [Self; 12] = [$(Self::$scalar),*];

            /// The name in WIT.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$scalar => stringify!($name),)*
                }
            }

            /// The size and the alignment in canonical memory, in bytes. They are those of the Rust
            /// type.
            #[must_use]
            pub const fn bytes(self) -> u32 {
                match self {
                    $(Self::$scalar => size_of::<$ty>() as u32,)*
                }
            }
        }
    };
}

for_each_scalar!(scalars);

impl Scalar {
    /// The least and the largest number of encoded bytes.
    #[must_use]
    pub const fn encoded_bytes(self) -> (u32, u32) {
        match self {
            Self::Bool | Self::U8 | Self::S8 => (1, 1),
            Self::F32 | Self::F64 => (self.bytes(), self.bytes()),
            Self::Char => (1, 4),
            // LEB128.
            _ => (1, (8 * self.bytes()).div_ceil(7)),
        }
    }

    /// True if the encoded bytes are those in memory, and every bit pattern is valid.
    #[must_use]
    pub const fn is_plain(self) -> bool {
        matches!(self, Self::U8 | Self::S8 | Self::F32 | Self::F64)
    }

    /// True for signed integers.
    #[must_use]
    pub const fn is_signed(self) -> bool {
        matches!(self, Self::S8 | Self::S16 | Self::S32 | Self::S64)
    }
}

impl fmt::Display for Scalar {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// A type without parts, as streams and typed functions have them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SimpleType {
    /// A scalar.
    Scalar(Scalar),
    /// `string`
    String,
    /// `list<u8>`
    Bytes,
}

impl From<Scalar> for SimpleType {
    fn from(scalar: Scalar) -> Self {
        Self::Scalar(scalar)
    }
}
