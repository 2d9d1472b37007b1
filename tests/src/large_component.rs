//! A component whose compilation takes long: as long as that of a language runtime.

/// The name and length of the magic number, the version and the layer of a binary.
const HEADER_BYTES: usize = 8;

/// The id of a section with a core module.
const CORE_MODULE: u8 = 1;

/// Number of functions.
const FUNCTIONS: u32 = 16_000;

/// Number of times that the body of a function repeats its steps.
const STEPS: usize = 60;

/// The same component with one small function.
const SMALL: &str = r#"
(component
  (core module $m (func (export "run") (param i64) (result i64) local.get 0))
  (core instance $i (instantiate $m))
  (func (export "run") (param "of" s64) (result s64) (canon lift (core func $i "run"))))
"#;

/// A component of some 12 MB that exports `run: func(of: s64) -> s64`.
///
/// # Panics
/// Never: the text within is valid.
#[must_use]
pub fn large_component() -> Vec<u8> {
    let small = wat::parse_str(SMALL).expect("the text is valid");
    let (header, mut rest) = small.split_at(HEADER_BYTES);
    let mut large = header.to_vec();
    while let Some((id, after)) = rest.split_first() {
        let (size, after) = read_number(after);
        let (content, after) = after.split_at(size as usize);
        match *id {
            CORE_MODULE => section(CORE_MODULE, &large_module(), &mut large),
            id => section(id, content, &mut large),
        }
        rest = after;
    }
    large
}

fn large_module() -> Vec<u8> {
    let mut module = b"\0asm\x01\0\0\0".to_vec();
    // One type, of a number to a number.
    section(1, &[1, 0x60, 1, 0x7e, 1, 0x7e], &mut module);
    let mut functions = number(FUNCTIONS);
    functions.resize(functions.len() + FUNCTIONS as usize, 0);
    section(3, &functions, &mut module);
    section(7, b"\x01\x03run\x00\x00", &mut module);
    let mut bodies = number(FUNCTIONS);
    for function in 0..FUNCTIONS {
        let body = body(function);
        bodies.extend(number(body.len() as u32));
        bodies.extend(body);
    }
    section(10, &bodies, &mut module);
    module
}

/// Arithmetic that differs from function to function, with branches.
fn body(function: u32) -> Vec<u8> {
    let mut body = vec![0];
    for step in 0..STEPS {
        // `local.get 0, i64.const, i64.mul, local.tee 0`
        body.extend([0x20, 0, 0x42, (function % 60) as u8 + 1, 0x7e, 0x22, 0]);
        // `i64.const, i64.lt_s, if, local.get 0, i64.const, i64.add, local.set 0, end`
        body.extend([0x42, step as u8, 0x53, 0x04, 0x40]);
        body.extend([0x20, 0, 0x42, 7, 0x7c, 0x21, 0, 0x0b]);
    }
    body.extend([0x20, 0, 0x0b]);
    body
}

fn section(id: u8, content: &[u8], out: &mut Vec<u8>) {
    out.push(id);
    out.extend(number(content.len() as u32));
    out.extend(content);
}

/// LEB128.
fn number(mut value: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = (value & 0x7f) as u8;
        value >>= 7;
        if value == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

fn read_number(mut bytes: &[u8]) -> (u32, &[u8]) {
    let (mut value, mut shift) = (0, 0);
    while let Some((byte, rest)) = bytes.split_first() {
        bytes = rest;
        value |= u32::from(byte & 0x7f) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            break;
        }
    }
    (value, bytes)
}
