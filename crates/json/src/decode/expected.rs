//! The form of a type in one phrase, for problems.

use weft_wire::Scalar;

use crate::number::range;
use crate::problem::one_of;
use crate::settings::Settings;
use crate::types::{Kind, Type};

/// The form that values of a type have in a body.
pub(crate) fn expected(ty: &Type, settings: Settings) -> String {
    match ty.kind() {
        Kind::Scalar(scalar) => expected_scalar(*scalar),
        Kind::String => "a string".to_owned(),
        Kind::Bytes => "a string of base64".to_owned(),
        Kind::List(_) => "an array".to_owned(),
        Kind::Tuple(members) => format!("an array of {}", members.len()),
        Kind::Map { .. } => "an object".to_owned(),
        Kind::Record(fields) => {
            let keys = fields.iter().map(|field| field.name.key(settings.names));
            format!("an object with {}", one_of(keys).replacen("one of ", "", 1))
        }
        Kind::Flags(_) => "an object of booleans".to_owned(),
        Kind::Enum(cases) => one_of(cases.iter().map(|case| &*case.name)),
        Kind::Option(some) if ty.is_nullable() => {
            format!("{} or null", expected(some, settings))
        }
        Kind::Variant(_) | Kind::Option(_) | Kind::Result { .. } => {
            "an object with `tag`".to_owned()
        }
        Kind::Stream(_) | Kind::Future(_) => "a body that is streamed".to_owned(),
    }
}

fn expected_scalar(scalar: Scalar) -> String {
    match (scalar, range(scalar)) {
        (_, Some((min, max))) => format!("an integer from {min} to {max}"),
        (Scalar::Bool, None) => "true or false".to_owned(),
        (Scalar::Char, None) => "a string of one character".to_owned(),
        (Scalar::F32, None) => "a number of 32 bits".to_owned(),
        (_, None) => "a number of 64 bits".to_owned(),
    }
}
