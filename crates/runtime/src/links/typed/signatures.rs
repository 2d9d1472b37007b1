//! The table of signatures that are called over a link by their own types.
//!
//! The code of a signature is compiled twice: as a typed function for the importer, and as a typed
//! call for the target. All signatures of up to two parameters with their results would be 6,330,
//! so the table contains those for bulk data and the most common others. All further signatures use
//! the stub, with the same results.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use futures_util::future::BoxFuture;
use wasmtime::StoreContextMut;
use wasmtime::component::LinkerInstance;
use weft_stub::plan::Signature;

use super::values::{Bytes, Param, ReturnType, Text};
use super::{call, call_over_bytes, reader};
use crate::endpoint::Failure;
use crate::guest::GuestState;
use crate::links::encoded_call::encode_with;
use crate::links::{Callee, LinkedFunction, boxed};

/// The compiled code of one signature.
pub(super) struct SignatureCode {
    /// Defines the importer's function in a linker.
    pub(super) bind:
        fn(&mut LinkerInstance<'_, GuestState>, &str, Arc<LinkedFunction>) -> wasmtime::Result<()>,
    /// Calls the target's function, by its index, with encoded arguments.
    pub(super) serve: for<'a> fn(&'a mut Callee, u32, &'a [u8]) -> EncodedReply<'a>,
}

/// The pending result of a call, encoded.
type EncodedReply<'a> = BoxFuture<'a, Result<Vec<u8>, Failure>>;

static SIGNATURES: LazyLock<HashMap<Signature, SignatureCode>> = LazyLock::new(table);

/// The code of a signature; `None` if the table does not contain it.
pub(super) fn find(signature: &Signature) -> Option<&'static SignatureCode> {
    SIGNATURES.get(signature)
}

/// Adds one signature to a table.
macro_rules! signature {
    ($table:ident, [$($name:ident: $param:ty),*], $returned:ty) => {{
        fn bind(
            linker: &mut LinkerInstance<'_, GuestState>,
            name: &str,
            function: Arc<LinkedFunction>,
        ) -> wasmtime::Result<()> {
            linker.func_wrap_async(
                name,
                move |mut importer: StoreContextMut<'_, GuestState>,
                      lifted: ($(<$param as Param>::Lifted,)*)| {
                    let function = function.clone();
                    boxed(move || async move {
                        let ($($name,)*) = lifted;
                        let returned = if function.target.delivery.is_inline() {
                            match function.begin(importer.data_mut()) {
                                Ok(mut callee) => {
                                    let outcome: Result<$returned, Failure> = {
                                        $(
                                            let $name =
                                                <$param as Param>::borrow(&$name, &importer)?;
                                        )*
                                        let arguments = ($(<$param as Param>::lower(&$name),)*);
                                        call(&mut callee, function.target_index, arguments).await
                                    };
                                    function.end(importer.data_mut(), callee, outcome)
                                }
                                Err(failure) => Err(failure),
                            }
                        } else {
                            let arguments = encode_with(|encoder| {
                                let _ = &encoder;
                                $(
                                    let $name = <$param as Param>::borrow(&$name, &importer)?;
                                    <$param as Param>::encode(&$name, encoder)?;
                                )*
                                Ok(())
                            })?;
                            let importer = importer.data_mut();
                            // Boxed: the future is large, and would be moved with every call on the
                            // other path.
                            let call = boxed(|| {
                                call_over_bytes::<$returned>(&function, importer, arguments)
                            });
                            Box::into_pin(call).await
                        };
                        returned.or_else(|failure| {
                            <$returned as ReturnType>::from_failure(failure, &function)
                        })
                    })
                },
            )
        }

        fn serve<'a>(
            callee: &'a mut Callee,
            index: u32,
            bytes: &'a [u8],
        ) -> EncodedReply<'a> {
            Box::into_pin(boxed(move || async move {
                #[allow(unused_mut, reason = "a signature without parameters reads nothing")]
                let mut decoder = reader(bytes)?;
                $(
                    let $name = <$param as Param>::decode(&mut decoder);
                    let $name = $name.map_err(super::decode_failure)?;
                )*
                decoder.finish().map_err(super::decode_failure)?;
                let arguments = ($(<$param as Param>::lower(&$name),)*);
                let returned: $returned = call(callee, index, arguments).await?;
                encode_with(|encoder| Ok(returned.encode(encoder)?))
                    .map_err(|error| super::encode_failure(&error))
            }))
        }

        let signature = Signature {
            params: vec![$(<$param as Param>::TYPE),*],
            outcome: <$returned as ReturnType>::OUTCOME,
        };
        $table.insert(signature, SignatureCode { bind, serve });
    }};
}

/// Adds a signature for each list of parameters with each result.
macro_rules! signatures {
    ($table:ident: $params:tt -> $returned:tt) => {
        signatures!(@params $table $params $returned);
    };
    (@params $table:ident {$($params:tt)*} $returned:tt) => {
        $(signatures!(@returned $table $params $returned);)*
    };
    (@returned $table:ident $params:tt {$($returned:ty),*}) => {
        $(signature!($table, $params, $returned);)*
    };
}

fn table() -> HashMap<Signature, SignatureCode> {
    let mut table = HashMap::new();
    // Bulk data: strings and bytes, with keys and offsets.
    signatures!(table: {
        [a: Text]
        [a: Bytes]
        [a: Text, b: Text]
        [a: Text, b: Bytes]
        [a: Bytes, b: Bytes]
        [a: Bytes, b: Text]
        [a: Text, b: u32]
        [a: Text, b: u64]
        [a: Bytes, b: u32]
        [a: Bytes, b: u64]
        [a: u32, b: Text]
        [a: u64, b: Text]
        [a: u32, b: Bytes]
        [a: u64, b: Bytes]
    } -> {
        (), (bool,), (u32,), (u64,), (String,), (Vec<u8>,),
        (Result<(), String>,), (Result<bool, String>,), (Result<u32, String>,),
        (Result<u64, String>,), (Result<String, String>,), (Result<Vec<u8>, String>,)
    });
    // Lookups by number, or without arguments.
    signatures!(table: {
        []
        [a: u32]
        [a: u64]
        [a: u32, b: u32]
        [a: u64, b: u64]
    } -> {
        (), (u32,), (u64,), (String,), (Vec<u8>,),
        (Result<(), String>,), (Result<String, String>,), (Result<Vec<u8>, String>,)
    });
    // One value of each kind, in both directions.
    signatures!(table: { [a: bool] } -> { (bool,) });
    signatures!(table: { [a: u8] } -> { (u8,) });
    signatures!(table: { [a: i8] } -> { (i8,) });
    signatures!(table: { [a: u16] } -> { (u16,) });
    signatures!(table: { [a: i16] } -> { (i16,) });
    signatures!(table: { [a: i32] [a: i32, b: i32] } -> { (i32,) });
    signatures!(table: { [a: i64] [a: i64, b: i64] } -> { (i64,), (Result<i64, String>,) });
    signatures!(table: { [a: f32] [a: f32, b: f32] } -> { (f32,) });
    signatures!(table: { [a: f64] [a: f64, b: f64] } -> { (f64,) });
    signatures!(table: { [a: char] } -> { (char,) });
    table
}

#[cfg(test)]
mod tests {
    use weft_stub::plan::Outcome;
    use weft_wire::{Scalar, SimpleType};

    use super::*;

    #[track_caller]
    fn has(params: &[SimpleType], outcome: Outcome) {
        let params = params.to_vec();
        let signature = Signature { params, outcome };
        assert!(find(&signature).is_some(), "{signature:?}");
    }

    #[test]
    fn strings_and_bytes_cross_by_their_own_types_alone_and_in_pairs() {
        let bulk = [SimpleType::String, SimpleType::Bytes];
        for first in bulk {
            for outcome in bulk {
                has(&[first], Outcome::Plain(outcome));
                has(&[first], Outcome::Fallible(Some(outcome)));
                for second in bulk {
                    has(&[first, second], Outcome::Plain(outcome));
                    has(&[first, second], Outcome::Fallible(None));
                }
            }
        }
    }

    #[test]
    fn every_scalar_crosses_by_its_own_type() {
        for scalar in Scalar::ALL.map(SimpleType::from) {
            has(&[scalar], Outcome::Plain(scalar));
        }
    }

    #[test]
    fn a_signature_that_the_table_does_not_have_is_not_found() {
        let params = vec![Scalar::Char.into(), Scalar::S16.into()];
        let outcome = Outcome::Plain(Scalar::F32.into());
        assert!(find(&Signature { params, outcome }).is_none());
    }
}
