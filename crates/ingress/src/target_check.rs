//! Rejects request targets that the router and a component may interpret differently.

use weft_api::percent;

/// The reason for a rejected path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PathError {
    #[error("invalid path: found a `.` or `..` segment")]
    DotSegment,
    #[error("invalid path: found a NUL byte")]
    Nul,
    #[error("invalid path: expected two hexadecimal digits after `%`")]
    Encoding,
}

/// Checks the raw path of a request. The path is decoded once, as a component would decode it, for
/// the check only: the component receives the raw path.
pub(crate) fn check(path: &str) -> Result<(), PathError> {
    // Most paths contain neither; they need no decoding.
    if !path.contains(['%', '.']) {
        return Ok(());
    }
    let decoded = percent::decode_bytes(path.as_bytes()).ok_or(PathError::Encoding)?;
    if decoded.contains(&0) {
        return Err(PathError::Nul);
    }
    let mut segments = decoded.split(|byte| matches!(byte, b'/' | b'\\'));
    if segments.any(|segment| matches!(segment, b"." | b"..")) {
        return Err(PathError::DotSegment);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_paths_are_accepted() {
        for path in [
            "/",
            "/products/teapot",
            "/a.b/..c/...",
            "/caf%C3%A9",
            "/%2Fx",
            "*",
        ] {
            assert_eq!(check(path), Ok(()), "{path}");
        }
    }

    #[test]
    fn ambiguous_paths_are_rejected() {
        let cases = [
            ("/../etc/passwd", PathError::DotSegment),
            ("/a/./b", PathError::DotSegment),
            ("/a/%2e%2E/b", PathError::DotSegment),
            ("/a/.%2e", PathError::DotSegment),
            ("/a%2f..%2fb", PathError::DotSegment),
            ("/a\\..\\b", PathError::DotSegment),
            ("/a%00b", PathError::Nul),
            ("/100%", PathError::Encoding),
            ("/%zz", PathError::Encoding),
        ];
        for (path, error) in cases {
            assert_eq!(check(path), Err(error), "{path}");
        }
    }
}
