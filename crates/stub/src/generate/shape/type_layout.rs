//! The size of values: in canonical memory, in flat slots, and encoded.

use weft_wire::Scalar;

use super::{Flat, MAX_FLAT, Shape, ShapeId, Shapes};
use crate::generate::error::GenerateError;

/// The maximum number of bytes of one value in canonical memory. A larger one would not fit a
/// memory of 32 bits beside anything else.
pub(super) const MAX_SIZE: u64 = 1 << 28;

/// The maximum encoded size for which one check covers several parts.
const SMALL: u32 = 64;

/// The size of a shape in its three forms, and properties that select its code.
#[derive(Debug, Clone)]
pub(crate) struct TypeLayout {
    pub(crate) size: u32,
    pub(crate) align: u32,
    /// The flat form; `None` if it is longer than [`MAX_FLAT`].
    pub(crate) flat: Option<Vec<Flat>>,
    /// The minimum number of encoded bytes.
    pub(crate) encoded_min: u32,
    /// The maximum number of encoded bytes, if there is a small one.
    pub(crate) encoded_max: Option<u32>,
    /// True if encoded bytes and bytes in memory are the same and all bit patterns are valid.
    pub(crate) is_plain: bool,
    pub(crate) has_handles: bool,
    /// A measure of the size of inline code.
    pub(crate) weight: u32,
    pub(super) depth: u32,
}

/// The offset of a variant's payload and the size of its discriminant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct VariantLayout {
    pub(crate) tag_bytes: u32,
    pub(crate) payload: u32,
}

impl Shapes {
    pub(super) fn measure(&self, shape: &Shape) -> Result<TypeLayout, GenerateError> {
        Ok(match shape {
            Shape::Scalar(scalar) => {
                let (min, max) = scalar.encoded_bytes();
                TypeLayout {
                    is_plain: scalar.is_plain(),
                    ..TypeLayout::scalar(scalar.bytes(), Flat::of(*scalar), min, max)
                }
            }
            Shape::Flags(count) => {
                let bytes = count.div_ceil(8);
                TypeLayout::scalar(bytes.next_power_of_two(), Flat::I32, bytes, bytes)
            }
            Shape::Handle { .. } => TypeLayout {
                has_handles: true,
                ..TypeLayout::scalar(4, Flat::I32, 5, 5)
            },
            Shape::String => TypeLayout::list(),
            Shape::List(element) => {
                let element = self.layout(*element);
                TypeLayout {
                    depth: element.depth + 1,
                    has_handles: element.has_handles,
                    ..TypeLayout::list()
                }
            }
            Shape::Record(fields) => self.measure_record(fields)?,
            Shape::Variant(_, cases) => self.measure_variant(cases)?,
        })
    }

    fn measure_record(&self, fields: &[ShapeId]) -> Result<TypeLayout, GenerateError> {
        let mut layout = TypeLayout {
            is_plain: true,
            ..TypeLayout::nothing()
        };
        let mut size = 0;
        for field in fields {
            let field = self.layout(*field);
            let offset = align_to(size, field.align);
            layout.is_plain &= field.is_plain && offset == size;
            size = offset + u64::from(field.size);
            layout.align = layout.align.max(field.align);
            layout.flat = layout.flat.and_then(|flat| append(flat, &field.flat));
            layout.encoded_min = layout.encoded_min.saturating_add(field.encoded_min);
            layout.encoded_max = bounded_sum(layout.encoded_max, field.encoded_max);
            layout.has_handles |= field.has_handles;
            layout.weight = layout.weight.saturating_add(field.weight);
            layout.depth = layout.depth.max(field.depth + 1);
        }
        layout.is_plain &= align_to(size, layout.align) == size;
        layout.size = fits(align_to(size, layout.align))?;
        Ok(layout)
    }

    fn measure_variant(&self, cases: &[Option<ShapeId>]) -> Result<TypeLayout, GenerateError> {
        let tag = tag_bytes(cases.len());
        let variant = self.variant_layout(cases);
        let mut layout = TypeLayout {
            align: tag,
            ..TypeLayout::nothing()
        };
        let (mut size, mut payload_most) = (0, Some(0));
        let mut slots = Some(Vec::new());
        for payload in cases.iter().flatten().map(|case| self.layout(*case)) {
            size = size.max(u64::from(payload.size));
            layout.align = layout.align.max(payload.align);
            slots = slots.and_then(|slots| join(slots, &payload.flat));
            payload_most = payload_most.zip(payload.encoded_max).map(|(a, b)| a.max(b));
            layout.has_handles |= payload.has_handles;
            layout.depth = layout.depth.max(payload.depth + 1);
        }
        layout.size = fits(align_to(u64::from(variant.payload) + size, layout.align))?;
        layout.flat = append(vec![Flat::I32], &slots);
        layout.encoded_min = 1;
        layout.encoded_max =
            bounded_sum(Some(if cases.len() <= 0x80 { 1 } else { 5 }), payload_most);
        layout.weight = if cases.iter().all(Option::is_none) {
            1
        } else {
            4
        };
        Ok(layout)
    }

    /// The memory layout of a variant with these cases.
    pub(crate) fn variant_layout(&self, cases: &[Option<ShapeId>]) -> VariantLayout {
        let tag = tag_bytes(cases.len());
        let aligns = cases.iter().flatten().map(|case| self.layout(*case).align);
        VariantLayout {
            tag_bytes: tag,
            payload: aligns.max().unwrap_or(1).max(tag),
        }
    }

    /// The fields of a record with their offsets.
    pub(crate) fn fields(&self, fields: &[ShapeId]) -> Vec<(u32, ShapeId)> {
        let mut end = 0;
        let place = |field: &ShapeId| {
            let layout = self.layout(*field);
            // The sum was checked when the record's layout was computed.
            let offset = u32::try_from(align_to(end, layout.align)).unwrap_or(u32::MAX);
            end = u64::from(offset) + u64::from(layout.size);
            (offset, *field)
        };
        fields.iter().map(place).collect()
    }
}

impl TypeLayout {
    fn nothing() -> Self {
        Self {
            size: 0,
            align: 1,
            flat: Some(Vec::new()),
            encoded_min: 0,
            encoded_max: Some(0),
            is_plain: false,
            has_handles: false,
            weight: 0,
            depth: 0,
        }
    }

    fn scalar(size: u32, flat: Flat, encoded_min: u32, encoded_max: u32) -> Self {
        Self {
            size,
            align: size,
            flat: Some(vec![flat]),
            encoded_min,
            encoded_max: Some(encoded_max),
            weight: 1,
            ..Self::nothing()
        }
    }

    fn list() -> Self {
        Self {
            size: 8,
            align: 4,
            flat: Some(vec![Flat::I32, Flat::I32]),
            encoded_min: 1,
            encoded_max: None,
            weight: 2,
            ..Self::nothing()
        }
    }
}

impl Flat {
    /// The type of a scalar.
    pub(crate) fn of(scalar: Scalar) -> Self {
        match scalar {
            Scalar::U64 | Scalar::S64 => Self::I64,
            Scalar::F32 => Self::F32,
            Scalar::F64 => Self::F64,
            _ => Self::I32,
        }
    }

    /// The type of a slot that two cases of a variant share.
    fn join(self, other: Self) -> Self {
        match (self, other) {
            (a, b) if a == b => a,
            (Self::I32, Self::F32) | (Self::F32, Self::I32) => Self::I32,
            _ => Self::I64,
        }
    }
}

fn tag_bytes(cases: usize) -> u32 {
    match cases {
        0..=0x100 => 1,
        0x101..=0x1_0000 => 2,
        _ => 4,
    }
}

fn align_to(offset: u64, align: u32) -> u64 {
    offset.next_multiple_of(u64::from(align))
}

fn fits(size: u64) -> Result<u32, GenerateError> {
    match u32::try_from(size) {
        Ok(small) if size <= MAX_SIZE => Ok(small),
        _ => Err(GenerateError::TooLarge { limit: MAX_SIZE }),
    }
}

fn bounded_sum(a: Option<u32>, b: Option<u32>) -> Option<u32> {
    let sum = a?.checked_add(b?)?;
    (sum <= SMALL).then_some(sum)
}

fn append(mut flat: Vec<Flat>, more: &Option<Vec<Flat>>) -> Option<Vec<Flat>> {
    flat.extend_from_slice(more.as_deref()?);
    (flat.len() <= MAX_FLAT).then_some(flat)
}

fn join(mut slots: Vec<Flat>, payload: &Option<Vec<Flat>>) -> Option<Vec<Flat>> {
    for (index, flat) in payload.as_deref()?.iter().enumerate() {
        match slots.get_mut(index) {
            Some(slot) => *slot = slot.join(*flat),
            None => slots.push(*flat),
        }
    }
    Some(slots)
}
