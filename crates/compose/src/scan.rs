//! Validates a component and collects the names of its outermost level.

use wasmparser::types::Types;
use wasmparser::{
    Error as BinaryReaderError, FuncValidatorAllocations, Parser, Payload, ValidPayload, Validator,
    WasmFeatures,
};

use crate::describe::DescribeError;
use crate::limits::{MAX_CODE_BYTES, MAX_FUNCTION_BYTES, MAX_NESTING};

/// The features of an engine without concurrency support.
pub(crate) const FEATURES: WasmFeatures = WasmFeatures::WASM3
    .union(WasmFeatures::COMPONENT_MODEL)
    .union(WasmFeatures::CM_IMPLEMENTS)
    .union(WasmFeatures::CM_MAP);

/// The features of an engine with concurrency support.
pub(crate) const FEATURES_ASYNC: WasmFeatures = FEATURES.union(WasmFeatures::CM_ASYNC);

/// A feature of the component model that hosts do not run.
pub(crate) struct UnsupportedFeature {
    feature: WasmFeatures,
    /// The name of the feature, as the subject of a message.
    pub(crate) name: &'static str,
    /// The accepted alternative.
    pub(crate) instead: &'static str,
}

/// Features that tools produce on request and hosts do not run.
const UNSUPPORTED: [UnsupportedFeature; 3] = [
    UnsupportedFeature {
        feature: WasmFeatures::CM_FIXED_LENGTH_LISTS,
        name: "lists of fixed length (`list<T, N>`)",
        instead: "use `list<T>`, or a `tuple` or record of the elements",
    },
    UnsupportedFeature {
        feature: WasmFeatures::CM_ERROR_CONTEXT,
        name: "`error-context`",
        instead: "use `string` or a variant for errors",
    },
    UnsupportedFeature {
        feature: WasmFeatures::CM_THREADING,
        name: "threads of the component model",
        instead: "build it with one thread",
    },
];

/// Returns the unsupported feature that is the reason why a component is invalid at `offset`: with
/// the feature, the validator gets further.
pub(crate) fn unsupported_feature(
    bytes: &[u8],
    offset: usize,
) -> Option<&'static UnsupportedFeature> {
    UNSUPPORTED.iter().find(|unsupported| {
        let features = FEATURES_ASYNC.union(unsupported.feature);
        match Scan::read(bytes, features, Bodies::Skipped) {
            Err(DescribeError::Invalid { offset: later, .. }) => later > offset,
            outcome => outcome.is_ok(),
        }
    })
}

/// The treatment of function bodies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bodies {
    /// Validated with the rest.
    Validated,
    /// Not validated: the upload has validated them, or the compilation will.
    Skipped,
}

/// The validator's result, with the names of the outermost level.
pub(crate) struct Scan {
    pub(crate) types: Types,
    pub(crate) imports: Vec<String>,
    pub(crate) exports: Vec<String>,
}

impl Scan {
    pub(crate) fn read(
        bytes: &[u8],
        features: WasmFeatures,
        bodies: Bodies,
    ) -> Result<Self, DescribeError> {
        let mut validator = Validator::new_with_features(features);
        let mut allocations = FuncValidatorAllocations::default();
        let (mut imports, mut exports) = (Vec::new(), Vec::new());
        let (mut depth, mut code_bytes) = (0_usize, 0_usize);
        let mut types = None;
        for payload in Parser::new(0).parse_all(bytes) {
            let payload = payload?;
            let valid = validator.payload(&payload)?;
            check_code(&payload, &mut code_bytes)?;
            if depth == 0 {
                outermost_names(payload, &mut imports, &mut exports)?;
            }
            match valid {
                ValidPayload::Ok => {}
                ValidPayload::Parser(_) if depth == MAX_NESTING => {
                    return Err(DescribeError::NestedTooDeeply { limit: MAX_NESTING });
                }
                ValidPayload::Parser(_) => depth += 1,
                ValidPayload::Func(..) if bodies == Bodies::Skipped => {}
                ValidPayload::Func(function, body) => {
                    let mut function = function.into_validator(allocations);
                    function.validate(&body)?;
                    allocations = function.into_allocations();
                }
                ValidPayload::End(end) => {
                    depth = depth.saturating_sub(1);
                    types = Some(end);
                }
            }
        }
        // The parser ends every accepted input with an end of the outermost level.
        let types = types.ok_or(DescribeError::Truncated {
            offset: bytes.len(),
            message: "unexpected end-of-file".to_owned(),
        })?;
        Ok(Self {
            types,
            imports,
            exports,
        })
    }
}

/// Bounds the time that compiling takes.
fn check_code(payload: &Payload<'_>, code_bytes: &mut usize) -> Result<(), DescribeError> {
    let Payload::CodeSectionEntry(body) = payload else {
        return Ok(());
    };
    let found = body.as_bytes().len();
    if found > MAX_FUNCTION_BYTES {
        let limit = MAX_FUNCTION_BYTES;
        return Err(DescribeError::FunctionTooLong { limit, found });
    }
    *code_bytes += found;
    if *code_bytes > MAX_CODE_BYTES {
        let (limit, found) = (MAX_CODE_BYTES, *code_bytes);
        return Err(DescribeError::TooMuchCode { limit, found });
    }
    Ok(())
}

fn outermost_names(
    payload: Payload<'_>,
    imports: &mut Vec<String>,
    exports: &mut Vec<String>,
) -> Result<(), BinaryReaderError> {
    match payload {
        Payload::ComponentImportSection(section) => {
            for import in section {
                imports.push(import?.name.name.to_owned());
            }
        }
        Payload::ComponentExportSection(section) => {
            for export in section {
                exports.push(export?.name.name.to_owned());
            }
        }
        _ => {}
    }
    Ok(())
}

impl From<BinaryReaderError> for DescribeError {
    fn from(error: BinaryReaderError) -> Self {
        let offset = usize::try_from(error.offset()).unwrap_or(usize::MAX);
        let message = error.message().to_owned();
        if message.contains("unexpected end-of-file") {
            Self::Truncated { offset, message }
        } else {
            Self::Invalid { offset, message }
        }
    }
}
