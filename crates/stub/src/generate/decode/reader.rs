//! The body of a function that reads bytes, while it is written.

use wasm_encoder::Function;

use crate::generate::code::{Code, Label, Local, global};
use crate::generate::decode_error::DecodeError;
use crate::generate::variant_cases::HasCode;

/// Where a reading function keeps its state: its parameters.
pub(super) const P: Local = 0;
pub(super) const END: Local = 1;
pub(super) const ADDRESS: Local = 2;

/// The body of a reading function while it is written.
pub(super) struct Reader {
    pub(super) code: Code,
    /// Bytes behind `P` that are read already.
    pub(super) pending: u32,
    /// Bytes behind those that are known to be there.
    pub(super) available: u32,
    /// Leads to the end of the function, with the reason `truncated`.
    pub(super) truncated: Label,
    /// Leads to the end of the function; the reason is known.
    pub(super) failed: Label,
}

impl HasCode for Reader {
    fn code(&mut self) -> &mut Code {
        &mut self.code
    }
}

impl Reader {
    pub(super) fn new() -> Self {
        let mut code = Code::new(3);
        let failed = code.block();
        let truncated = code.block();
        Self {
            code,
            pending: 0,
            available: 0,
            truncated,
            failed,
        }
    }

    pub(super) fn finish(mut self) -> Function {
        self.flush();
        self.code.add().local_get(P).return_();
        self.code.end();
        let truncated = DecodeError::Truncated.code();
        self.code
            .add()
            .i32_const(truncated)
            .global_set(global::ERROR);
        self.code.end();
        self.code.add().i32_const(0);
        self.code.finish()
    }

    /// Makes `P` the address of the next byte.
    pub(super) fn flush(&mut self) {
        if self.pending > 0 {
            let pending = self.pending.cast_signed();
            let mut add = self.code.add();
            add.local_get(P).i32_const(pending).i32_add().local_set(P);
            self.pending = 0;
        }
    }

    /// Makes sure of `bytes`; if a check is needed, it is for all of `run`, which are needed next.
    pub(super) fn require(&mut self, bytes: u32, run: u32) {
        if self.available < bytes {
            self.flush();
            let run = run.max(bytes);
            let mut add = self.code.add();
            add.local_get(END).local_get(P).i32_sub();
            add.i32_const(run.cast_signed()).i32_lt_u();
            self.code.branch_if(self.truncated);
            self.available = run;
        }
        self.available -= bytes;
    }

    /// The place of the next bytes, which are counted as read.
    pub(super) fn advance(&mut self, bytes: u32) -> u32 {
        self.pending += bytes;
        self.pending - bytes
    }

    /// Takes the new `P` from the stack, which is 0 after a failure.
    pub(super) fn continue_at(&mut self) {
        self.code.add().local_tee(P).i32_eqz();
        self.code.branch_if(self.failed);
        self.available = 0;
    }
}
