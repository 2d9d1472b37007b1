//! Paths of requests, decoded once.

use crate::percent;

/// Maximum number of segments. A template has at most 32, and a rest takes the others.
const SEGMENTS_MAX: usize = 256;

/// The decoded segments of a path below a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RequestPath(Vec<String>);

/// The reason for a refused path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// An incomplete or invalid escape.
    #[error("invalid path: expected two hexadecimal digits after `%`, and UTF-8")]
    Encoding,
    /// A segment is `.` or `..`, also behind an encoded slash.
    #[error("invalid path: found a `.` or `..` segment")]
    DotSegment,
    /// A control character.
    #[error("invalid path: found a control character")]
    Control,
    /// A slash or backslash in a segment of the rest.
    #[error("invalid path: found an encoded slash in a path of several segments")]
    EncodedSlash,
    /// Too many segments.
    #[error("invalid path: expected at most {SEGMENTS_MAX} segments")]
    Segments,
}

impl RequestPath {
    /// Decodes the path below a route: empty, or with `/` at its start.
    pub(crate) fn decode(path: &str) -> Result<Self, PathError> {
        let path = path.strip_prefix('/').unwrap_or(path);
        if path.is_empty() {
            return Ok(Self(Vec::new()));
        }
        let mut segments = Vec::new();
        for segment in path.split('/') {
            if segments.len() == SEGMENTS_MAX {
                return Err(PathError::Segments);
            }
            segments.push(decode_segment(segment)?);
        }
        Ok(Self(segments))
    }

    pub(crate) fn segments(&self) -> &[String] {
        &self.0
    }
}

fn decode_segment(segment: &str) -> Result<String, PathError> {
    let segment = percent::decode(segment).ok_or(PathError::Encoding)?;
    if segment.contains(char::is_control) {
        return Err(PathError::Control);
    }
    let mut parts = segment.split(['/', '\\']);
    if parts.any(|part| matches!(part, "." | "..")) {
        return Err(PathError::DotSegment);
    }
    Ok(segment.into_owned())
}

/// Checks the segments of a rest, which a component may join again: no segment has a slash.
pub(crate) fn check_rest(rest: &[String]) -> Result<(), PathError> {
    if rest.iter().any(|segment| segment.contains(['/', '\\'])) {
        return Err(PathError::EncodedSlash);
    }
    Ok(())
}
