//! Type-independent functions that generated code calls: the arena, integers and strings as bytes,
//! and the table of handles.

mod arena;
mod integers;
mod table;
mod text;

pub(crate) use table::GENERATION_MASK;

use wasm_encoder::{Function, ValType};

use super::generator::Generator;
use super::module::FunctionType;

/// Number of bytes that still fit after the bytes that [`Helper::Reserve`] and
/// [`Helper::WriteBytes`] ensure.
pub(crate) const RESERVED_BYTES: u32 = 128;

/// A function that depends on no type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Helper {
    /// `(size, align) -> pointer`, or 0 if out of memory
    Allocate,
    /// Grows the memory to this size: `(bytes: i64) -> bool`
    Grow,
    /// Ensures that `bytes` fit at `p`, or traps: `(p, bytes)`
    Reserve,
    /// The canonical `(old, old size, align, new size) -> pointer`
    Reallocate,
    /// Frees the arena: `()`
    Reset,
    /// Frees the arena after a result was lifted: `(its address)`
    PostReturn,
    /// Frees the result of a skeleton's last call, on the first event of the next call: `()`
    BeginCall,
    /// `(p, value: i64) -> p`
    WriteUnsigned,
    /// `(p, value: i64) -> p`
    WriteSigned,
    /// Writes a length and bytes: `(p, pointer, length, bytes) -> p`
    WriteBytes,
    /// `(p, char) -> p`
    WriteChar,
    /// `(p, end, bits) -> (p, value: i64)`
    ReadUnsigned,
    /// `(p, end, bits) -> (p, value: i64)`
    ReadSigned,
    /// `(p, end) -> (p, char)`
    ReadChar,
    /// Stores pointer and length at an address: `(p, end, address) -> p`
    ReadString,
    /// Stores pointer and length of a list at an address, for elements with the same bytes in
    /// memory: `(p, end, address, count, size, align) -> p`
    ReadPlain,
    /// Stores pointer and length of a new list at an address: `(address, count, size, align) ->
    /// pointer`, or 0 with an error stored
    ReserveList,
    /// `(pointer, length) -> bool`
    IsText,
    /// Returns whether the handle exists and may be used this way: `(handle, resource, owned) ->
    /// bool`
    CheckHandle,
    /// The entry of a handle of any resource: `(handle) -> address`, or 0
    FindEntry,
    /// Frees an entry: `(handle) -> the exporter's handle`
    TakeEntry,
    /// Adds an entry: `(exporter's handle, resource) -> handle`
    AddEntry,
    /// Doubles the capacity of the table: `()`
    GrowTable,
}

impl Helper {
    pub(crate) fn signature(self) -> FunctionType {
        use ValType::{I32, I64};
        match self {
            Self::PostReturn => FunctionType::words(1, 0),
            Self::Reset | Self::BeginCall | Self::GrowTable => FunctionType::words(0, 0),
            Self::FindEntry | Self::TakeEntry => FunctionType::words(1, 1),
            Self::Reserve => FunctionType::words(2, 0),
            Self::Allocate | Self::WriteChar | Self::IsText | Self::AddEntry => {
                FunctionType::words(2, 1)
            }
            Self::ReadChar => FunctionType::words(2, 2),
            Self::ReadString | Self::CheckHandle => FunctionType::words(3, 1),
            Self::Reallocate | Self::WriteBytes | Self::ReserveList => FunctionType::words(4, 1),
            Self::ReadPlain => FunctionType::words(6, 1),
            Self::Grow => FunctionType::new(&[I64], &[I32]),
            Self::WriteUnsigned | Self::WriteSigned => FunctionType::new(&[I32, I64], &[I32]),
            Self::ReadUnsigned | Self::ReadSigned => {
                FunctionType::new(&[I32, I32, I32], &[I32, I64])
            }
        }
    }
}

impl Generator {
    pub(crate) fn make_helper(&mut self, helper: Helper) -> Function {
        match helper {
            Helper::Allocate => self.make_allocate(),
            Helper::Grow => arena::grow(),
            Helper::Reserve => self.make_reserve(),
            Helper::Reallocate => self.make_reallocate(),
            Helper::Reset => self.make_reset(),
            Helper::PostReturn => self.make_post_return(),
            Helper::BeginCall => self.make_begin_call(),
            Helper::WriteUnsigned => integers::write_unsigned(),
            Helper::WriteSigned => integers::write_signed(),
            Helper::WriteBytes => self.make_write_bytes(),
            Helper::WriteChar => text::write_char(),
            Helper::ReadUnsigned => integers::read_unsigned(),
            Helper::ReadSigned => integers::read_signed(),
            Helper::ReadChar => text::read_char(),
            Helper::ReadString => self.make_read_string(),
            Helper::ReadPlain => self.make_read_plain(),
            Helper::ReserveList => self.make_reserve_list(),
            Helper::IsText => self.make_is_text(),
            Helper::CheckHandle => self.make_check_handle(),
            Helper::FindEntry => self.make_find_entry(),
            Helper::TakeEntry => self.make_take_entry(),
            Helper::AddEntry => self.make_add_entry(),
            Helper::GrowTable => self.make_grow_table(),
        }
    }
}
