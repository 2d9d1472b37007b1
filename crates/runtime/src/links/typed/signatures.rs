//! The table of typed shapes: which signatures go over a link by their own types.
//!
//! Each shape is code that is made when the host is built, twice over: a typed function for the importer
//! and a typed call for the target. All signatures of up to two parameters and their results would be
//! 6,330 shapes, so the table has what carries bulk data, and the commonest others. What it does not have
//! takes the stub, with the same results.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use futures_util::future::BoxFuture;
use wasmtime::StoreContextMut;
use wasmtime::component::LinkerInstance;
use weft_stub::plan::Signature;

use super::values::{Bytes, Param, Returned, Text};
use super::{call, over_bytes, reader};
use crate::endpoint::Failure;
use crate::guest::GuestState;
use crate::links::encoded_call::written;
use crate::links::{Callee, LinkedFunction, boxed};

/// The code of one signature.
pub(super) struct Shape {
    /// Puts the importer's function into a linker.
    pub(super) bind:
        fn(&mut LinkerInstance<'_, GuestState>, &str, Arc<LinkedFunction>) -> wasmtime::Result<()>,
    /// Calls the target's function, by its index, with encoded arguments.
    pub(super) serve: for<'a> fn(&'a mut Callee, u32, &'a [u8]) -> Serving<'a>,
}

/// The encoded result of a call that is served.
type Serving<'a> = BoxFuture<'a, Result<Vec<u8>, Failure>>;

static SHAPES: LazyLock<HashMap<Signature, Shape>> = LazyLock::new(table);

/// The shape of a signature, if the table has it.
pub(super) fn find(signature: &Signature) -> Option<&'static Shape> {
    SHAPES.get(signature)
}

/// Adds one shape to a table.
macro_rules! shape {
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
                        let returned = if function.route.carrier.is_inline() {
                            match function.begin(importer.data_mut()) {
                                Ok(mut callee) => {
                                    let outcome: Result<$returned, Failure> = {
                                        $(let $name = <$param as Param>::hold(&$name, &importer)?;)*
                                        let arguments = ($(<$param as Param>::lower(&$name),)*);
                                        call(&mut callee, function.target_index, arguments).await
                                    };
                                    function.end(importer.data_mut(), callee, outcome)
                                }
                                Err(failure) => Err(failure),
                            }
                        } else {
                            let arguments = written(|encoder| {
                                let _ = &encoder;
                                $(
                                    let $name = <$param as Param>::hold(&$name, &importer)?;
                                    <$param as Param>::encode(&$name, encoder)?;
                                )*
                                Ok(())
                            })?;
                            let importer = importer.data_mut();
                            // Boxed: it is large, and would be moved with every call that goes the other way.
                            let call = boxed(|| over_bytes::<$returned>(&function, importer, arguments));
                            Box::into_pin(call).await
                        };
                        returned.or_else(|failure| <$returned as Returned>::failed(failure, &function))
                    })
                },
            )
        }

        fn serve<'a>(
            callee: &'a mut Callee,
            index: u32,
            bytes: &'a [u8],
        ) -> Serving<'a> {
            Box::into_pin(boxed(move || async move {
                #[allow(unused_mut, reason = "a shape without parameters reads nothing")]
                let mut decoder = reader(bytes)?;
                $(
                    let $name = <$param as Param>::decode(&mut decoder);
                    let $name = $name.map_err(super::malformed)?;
                )*
                decoder.finish().map_err(super::malformed)?;
                let arguments = ($(<$param as Param>::lower(&$name),)*);
                let returned: $returned = call(callee, index, arguments).await?;
                written(|encoder| Ok(returned.encode(encoder)?)).map_err(|error| super::too_large(&error))
            }))
        }

        let signature = Signature {
            params: vec![$(<$param as Param>::KIND),*],
            outcome: <$returned as Returned>::OUTCOME,
        };
        $table.insert(signature, Shape { bind, serve });
    }};
}

/// Adds a shape for each list of parameters with each result.
macro_rules! shapes {
    ($table:ident: $params:tt -> $returned:tt) => {
        shapes!(@params $table $params $returned);
    };
    (@params $table:ident {$($params:tt)*} $returned:tt) => {
        $(shapes!(@returned $table $params $returned);)*
    };
    (@returned $table:ident $params:tt {$($returned:ty),*}) => {
        $(shape!($table, $params, $returned);)*
    };
}

fn table() -> HashMap<Signature, Shape> {
    let mut table = HashMap::new();
    // What carries bulk data: strings and bytes, keys and offsets beside them.
    shapes!(table: {
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
    // What is fetched by number, or without any.
    shapes!(table: {
        []
        [a: u32]
        [a: u64]
        [a: u32, b: u32]
        [a: u64, b: u64]
    } -> {
        (), (u32,), (u64,), (String,), (Vec<u8>,),
        (Result<(), String>,), (Result<String, String>,), (Result<Vec<u8>, String>,)
    });
    // One value of each kind, there and back.
    shapes!(table: { [a: bool] } -> { (bool,) });
    shapes!(table: { [a: u8] } -> { (u8,) });
    shapes!(table: { [a: i8] } -> { (i8,) });
    shapes!(table: { [a: u16] } -> { (u16,) });
    shapes!(table: { [a: i16] } -> { (i16,) });
    shapes!(table: { [a: i32] [a: i32, b: i32] } -> { (i32,) });
    shapes!(table: { [a: i64] [a: i64, b: i64] } -> { (i64,), (Result<i64, String>,) });
    shapes!(table: { [a: f32] [a: f32, b: f32] } -> { (f32,) });
    shapes!(table: { [a: f64] [a: f64, b: f64] } -> { (f64,) });
    shapes!(table: { [a: char] } -> { (char,) });
    table
}

#[cfg(test)]
mod tests {
    use weft_stub::plan::{Kind, Outcome};

    use super::*;

    #[track_caller]
    fn has(params: &[Kind], outcome: Outcome) {
        let params = params.to_vec();
        let signature = Signature { params, outcome };
        assert!(find(&signature).is_some(), "{signature:?}");
    }

    #[test]
    fn strings_and_bytes_cross_by_their_own_types_alone_and_in_pairs() {
        let bulk = [Kind::String, Kind::Bytes];
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
        use Kind::{Bool, Char, F32, F64, S8, S16, S32, S64, U8, U16, U32, U64};
        for kind in [Bool, U8, S8, U16, S16, U32, S32, U64, S64, F32, F64, Char] {
            has(&[kind], Outcome::Plain(kind));
        }
    }

    #[test]
    fn a_signature_that_the_table_does_not_have_is_not_found() {
        let params = vec![Kind::Char, Kind::S16];
        let outcome = Outcome::Plain(Kind::F32);
        assert!(find(&Signature { params, outcome }).is_none());
    }
}
