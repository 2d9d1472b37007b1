//! The body of a decoding function under construction.

use wasm_encoder::Function;
use weft_wire::Malformed;

use crate::generate::code::{Code, Label, Local, global};
use crate::generate::variant_cases::HasCode;

/// The parameters of a decoding function, which are its state.
pub(super) const P: Local = 0;
pub(super) const END: Local = 1;
pub(super) const ADDRESS: Local = 2;

/// The body of a decoding function under construction.
pub(super) struct Reader {
    pub(super) code: Code,
    /// Bytes after `P` that are already consumed.
    pub(super) pending: u32,
    /// Bytes after those that are known to be left.
    pub(super) available: u32,
    /// The exit with the error `Truncated`.
    pub(super) truncated: Label,
    /// The exit with an error that is already stored.
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
        let truncated = Malformed::Truncated.number().cast_signed();
        self.code
            .add()
            .i32_const(truncated)
            .global_set(global::ERROR);
        self.code.end();
        self.code.add().i32_const(0);
        self.code.finish()
    }

    /// Advances `P` to the next byte.
    pub(super) fn flush(&mut self) {
        if self.pending > 0 {
            let pending = self.pending.cast_signed();
            let mut add = self.code.add();
            add.local_get(P).i32_const(pending).i32_add().local_set(P);
            self.pending = 0;
        }
    }

    /// Ensures that `bytes` are left. If that takes a check, it covers all of `run`, the bytes
    /// needed next.
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

    /// Returns the offset of the next bytes and counts them as consumed.
    pub(super) fn advance(&mut self, bytes: u32) -> u32 {
        self.pending += bytes;
        self.pending - bytes
    }

    /// Pops the new `P` from the stack; it is 0 after an error.
    pub(super) fn continue_at(&mut self) {
        self.code.add().local_tee(P).i32_eqz();
        self.code.branch_if(self.failed);
        self.available = 0;
    }
}
