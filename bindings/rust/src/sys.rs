//! `unum.h` as it stands, by hand: every type, constant and function under its name there.
//!
//! The header documents them. The safe layer above covers all of it; this is for what needs the
//! bare interface. `tests/layout.rs` compares sizes, offsets, constants and names with the header.
#![allow(non_camel_case_types, missing_docs)]

use std::marker::{PhantomData, PhantomPinned};
use std::os::raw::{c_char, c_int, c_void};

macro_rules! handles {
    ($($name:ident),* $(,)?) => {$(
        /// A handle's kind: only pointers to it exist, and none is followed.
        #[repr(C)]
        pub struct $name {
            nothing: [u8; 0],
            neither_send_nor_sync: PhantomData<(*mut u8, PhantomPinned)>,
        }
    )*};
}

handles!(
    unum_loop,
    unum_store,
    unum_op,
    unum_function,
    unum_runtime,
    unum_call,
    unum_invocation,
    unum_application,
);

/// Declares the header's structs, all of which are plain data, and zero by default.
macro_rules! structs {
    ($($(#[$note:meta])* $name:ident { $($field:ident: $type:ty),* $(,)? })*) => {$(
        $(#[$note])*
        #[repr(C)]
        #[derive(Clone, Copy)]
        pub struct $name {
            $(pub $field: $type,)*
        }

        impl Default for $name {
            fn default() -> Self {
                // SAFETY: integers, pointers and optional functions, for which zero is a value.
                unsafe { std::mem::zeroed() }
            }
        }
    )*};
}

/// An absent text.
pub const UNUM_ABSENT: unum_text = unum_text { data: std::ptr::null(), bytes: 0 };

pub type unum_status = i32;
pub type unum_done = Option<unsafe extern "C" fn(op: *mut unum_op, user: *mut c_void)>;
pub type unum_line = Option<unsafe extern "C" fn(line: unum_text, user: *mut c_void)>;
pub type unum_consume =
    Option<unsafe extern "C" fn(place: usize, value: unum_text, user: *mut c_void) -> unum_status>;
pub type unum_invoke =
    Option<unsafe extern "C" fn(invocation: *mut unum_invocation, user: *mut c_void)>;
pub type unum_answer = Option<unsafe extern "C" fn(call: *mut unum_call, user: *mut c_void)>;
pub type unum_printed =
    Option<unsafe extern "C" fn(instance: unum_text, line: unum_text, user: *mut c_void)>;
pub type unum_log = Option<
    unsafe extern "C" fn(
        level: unum_text,
        area: unum_text,
        session: unum_text,
        instance: unum_text,
        line: unum_text,
        user: *mut c_void,
    ),
>;

pub const UNUM_PENDING: unum_status = -1;
pub const UNUM_OK: unum_status = 0;
pub const UNUM_NOT_FOUND: unum_status = 1;
pub const UNUM_CONFLICT: unum_status = 2;
pub const UNUM_INVALID: unum_status = 3;
pub const UNUM_DENIED: unum_status = 4;
pub const UNUM_THROTTLED: unum_status = 5;
pub const UNUM_TIMEOUT: unum_status = 6;
pub const UNUM_DISCONNECTED: unum_status = 7;
pub const UNUM_CANCELLED: unum_status = 8;
pub const UNUM_CORRUPT: unum_status = 9;
pub const UNUM_EXHAUSTED: unum_status = 10;
pub const UNUM_BUG: unum_status = 11;

pub const UNUM_DELIVERY_FINAL: i32 = 1;
pub const UNUM_DELIVERY_AGAIN: i32 = 2;
pub const UNUM_DELIVERY_BOUNDED: i32 = 3;

pub const UNUM_BACKEND_AUTOMATIC: i32 = 0;
pub const UNUM_BACKEND_URING: i32 = 1;
pub const UNUM_BACKEND_EPOLL: i32 = 2;

pub const UNUM_SESSION_BYTES: usize = 36;

pub const UNUM_ITEM_OUTCOME: i32 = 0;
pub const UNUM_ITEM_REPORT: i32 = 1;
pub const UNUM_ITEM_INPUT: i32 = 2;
pub const UNUM_ITEM_CLAIM: i32 = 3;
pub const UNUM_ITEM_WANTED: i32 = 4;
pub const UNUM_ITEM_GARBAGE: i32 = 5;
pub const UNUM_ITEM_APPLICATION: i32 = 6;
pub const UNUM_ITEM_DELAYED: i32 = 7;
pub const UNUM_ITEM_INVOKED: i32 = 8;

pub const UNUM_FAN_IN_INCOMPLETE: i32 = 0;
pub const UNUM_FAN_IN_CLAIMED: i32 = 1;
pub const UNUM_FAN_IN_TAKEN: i32 = 2;
pub const UNUM_FAN_IN_MISMATCH: i32 = 3;

pub const UNUM_STEP_SUCCEEDED: i32 = 1;
pub const UNUM_STEP_CAUGHT: i32 = 2;
pub const UNUM_STEP_FAILED: i32 = 3;
pub const UNUM_STEP_WILL_RETRY: i32 = 4;

pub const UNUM_RUN_SUCCEEDED: i32 = 1;
pub const UNUM_RUN_FAILED: i32 = 2;
pub const UNUM_RUN_INTERRUPTED: i32 = 3;
pub const UNUM_RUN_TIMED_OUT: i32 = 4;

structs! {
    unum_text { data: *const c_char, bytes: usize }
    unum_error {
        struct_bytes: usize,
        status: unum_status,
        delivery: i32,
        origin: unum_text,
        code: unum_text,
        message: unum_text,
    }
    unum_loop_options { struct_bytes: usize, backend: i32, helper_threads_max: u32 }
    unum_start { struct_bytes: usize, timeout_ms: i64, done: unum_done, user: *mut c_void }
    unum_store_options {
        struct_bytes: usize,
        not_durable: i32,
        eventual_reads: i32,
        in_flight_max: u32,
        reserved: u32,
        request_timeout_ms: i64,
        patience_ms: i64,
        warn: unum_line,
        waiting: unum_line,
        user: *mut c_void,
    }
    unum_context { session: unum_text, instance: unum_text }
    unum_item {
        struct_bytes: usize,
        name: unum_text,
        kind: i32,
        reserved: i32,
        bytes: u64,
        modified_ns: i64,
    }
    unum_fan_in {
        struct_bytes: usize,
        aggregator: unum_text,
        instances: *const unum_text,
        count: usize,
    }
    unum_fan_in_state { struct_bytes: usize, status: i32, reserved: i32, detail: unum_text }
    unum_invocation_details {
        struct_bytes: usize,
        function: unum_text,
        instance: unum_text,
        origin: unum_text,
        payload: unum_text,
        attempt: i32,
        reserved: i32,
        not_before: i64,
    }
    unum_runtime_options {
        struct_bytes: usize,
        invoke: unum_invoke,
        user: *mut c_void,
        payload_bytes_max: u64,
        delay_max_ms: i64,
        invocations_in_flight: u32,
        collects_garbage: i32,
        application: *mut unum_application,
        keeps_every_delivery: i32,
    }
    unum_call_details {
        struct_bytes: usize,
        function: unum_text,
        instance: unum_text,
        session: unum_text,
        input: unum_text,
        traceparent: unum_text,
        attempt: i32,
        reserved: i32,
        timeout_ms: i64,
    }
    unum_code { struct_bytes: usize, call: unum_answer, cancel: unum_answer, user: *mut c_void }
    unum_report {
        struct_bytes: usize,
        status: i32,
        attempt: i32,
        session: unum_text,
        instance: unum_text,
        error: unum_text,
        cause: unum_text,
        result: unum_text,
        result_bytes: u64,
        invocations: u64,
        not_before: i64,
        adopted: i32,
        user_code_ran: i32,
        disagreements: unum_text,
    }
    unum_configuration { struct_bytes: usize, function: unum_text, text: unum_text }
    unum_function_code { struct_bytes: usize, function: unum_text, code: *const unum_code }
    unum_run_options {
        struct_bytes: usize,
        input: unum_text,
        session: unum_text,
        store: unum_text,
        store_options: *const unum_store_options,
        workers: u32,
        resume: i32,
        accept_changes: i32,
        reserved: i32,
        printed: unum_printed,
        user: *mut c_void,
        opened: *mut unum_store,
        codes: *const unum_function_code,
        code_count: usize,
    }
    unum_run_result {
        struct_bytes: usize,
        status: i32,
        reserved: i32,
        session: unum_text,
        result: unum_text,
        instances: u64,
        user_code_runs: u64,
    }
    unum_failure {
        struct_bytes: usize,
        instance: unum_text,
        error: unum_text,
        cause: unum_text,
    }
}

extern "C" {
    pub fn unum_last_error() -> *const unum_error;
    pub fn unum_status_name(status: unum_status) -> *const c_char;
    pub fn unum_version() -> *const c_char;

    pub fn unum_loop_new(
        options: *const unum_loop_options,
        r#loop: *mut *mut unum_loop,
    ) -> unum_status;
    pub fn unum_loop_free(r#loop: *mut unum_loop) -> unum_status;
    pub fn unum_loop_backend(r#loop: *mut unum_loop) -> *const c_char;
    pub fn unum_loop_fd(r#loop: *mut unum_loop) -> c_int;
    pub fn unum_loop_timeout_ms(r#loop: *mut unum_loop) -> i64;
    pub fn unum_loop_dispatch(r#loop: *mut unum_loop) -> unum_status;
    pub fn unum_loop_run(r#loop: *mut unum_loop, timeout_ms: i64) -> unum_status;
    pub fn unum_loop_wake(r#loop: *mut unum_loop) -> unum_status;

    pub fn unum_op_status(op: *mut unum_op) -> unum_status;
    pub fn unum_op_error(op: *mut unum_op) -> *const unum_error;
    pub fn unum_op_wait(op: *mut unum_op, timeout_ms: i64) -> unum_status;
    pub fn unum_op_cancel(op: *mut unum_op) -> unum_status;
    pub fn unum_op_free(op: *mut unum_op) -> unum_status;
    pub fn unum_op_number(op: *mut unum_op) -> i64;
    pub fn unum_op_count(op: *mut unum_op) -> usize;
    pub fn unum_op_value(op: *mut unum_op, place: usize) -> unum_text;

    pub fn unum_store_open(
        r#loop: *mut unum_loop,
        r#type: unum_text,
        name: unum_text,
        options: *const unum_store_options,
        start: *const unum_start,
    ) -> *mut unum_op;
    pub fn unum_store_create(
        r#loop: *mut unum_loop,
        r#type: unum_text,
        name: unum_text,
        start: *const unum_start,
    ) -> *mut unum_op;
    pub fn unum_op_store(op: *mut unum_op) -> *mut unum_store;
    pub fn unum_store_close(store: *mut unum_store, start: *const unum_start) -> *mut unum_op;
    pub fn unum_store_type(store: *mut unum_store) -> unum_text;
    pub fn unum_store_name(store: *mut unum_store) -> unum_text;
    pub fn unum_create_session_context(store: *mut unum_store, session: *mut c_char)
        -> unum_status;
    pub fn unum_write_return_value(
        store: *mut unum_store,
        context: unum_context,
        value: unum_text,
        start: *const unum_start,
    ) -> *mut unum_op;
    pub fn unum_read_input(
        store: *mut unum_store,
        session: unum_text,
        instances: *const unum_text,
        count: usize,
        start: *const unum_start,
    ) -> *mut unum_op;
    pub fn unum_check_value_exist(
        store: *mut unum_store,
        session: unum_text,
        instance: unum_text,
        start: *const unum_start,
    ) -> *mut unum_op;
    pub fn unum_check_values_exist(
        store: *mut unum_store,
        session: unum_text,
        instances: *const unum_text,
        count: usize,
        start: *const unum_start,
    ) -> *mut unum_op;
    pub fn unum_read_input_stream(
        store: *mut unum_store,
        session: unum_text,
        instances: *const unum_text,
        count: usize,
        consume: unum_consume,
        user: *mut c_void,
        start: *const unum_start,
    ) -> *mut unum_op;
    pub fn unum_store_get(
        store: *mut unum_store,
        session: unum_text,
        name: unum_text,
        kind: i32,
        start: *const unum_start,
    ) -> *mut unum_op;
    pub fn unum_store_get_range(
        store: *mut unum_store,
        session: unum_text,
        name: unum_text,
        kind: i32,
        offset: u64,
        bytes: usize,
        start: *const unum_start,
    ) -> *mut unum_op;
    pub fn unum_store_create_item(
        store: *mut unum_store,
        session: unum_text,
        name: unum_text,
        kind: i32,
        value: unum_text,
        start: *const unum_start,
    ) -> *mut unum_op;
    pub fn unum_store_put(
        store: *mut unum_store,
        session: unum_text,
        name: unum_text,
        kind: i32,
        value: unum_text,
        start: *const unum_start,
    ) -> *mut unum_op;
    pub fn unum_store_remove(
        store: *mut unum_store,
        session: unum_text,
        name: unum_text,
        kind: i32,
        start: *const unum_start,
    ) -> *mut unum_op;
    pub fn unum_store_list(
        store: *mut unum_store,
        session: unum_text,
        start: *const unum_start,
    ) -> *mut unum_op;
    pub fn unum_op_item(op: *mut unum_op, place: usize) -> *const unum_item;
    pub fn unum_store_list_sessions(
        store: *mut unum_store,
        start: *const unum_start,
    ) -> *mut unum_op;
    pub fn unum_store_commit(
        store: *mut unum_store,
        context: unum_context,
        value: unum_text,
        fan_ins: *const unum_fan_in,
        count: usize,
        start: *const unum_start,
    ) -> *mut unum_op;
    pub fn unum_store_join(
        store: *mut unum_store,
        context: unum_context,
        fan_ins: *const unum_fan_in,
        count: usize,
        start: *const unum_start,
    ) -> *mut unum_op;
    pub fn unum_op_fan_in(op: *mut unum_op, place: usize) -> *const unum_fan_in_state;

    pub fn unum_function_parse(
        r#loop: *mut unum_loop,
        configuration: unum_text,
        source: unum_text,
        function: *mut *mut unum_function,
    ) -> unum_status;
    pub fn unum_function_free(function: *mut unum_function) -> unum_status;
    pub fn unum_function_name(function: *mut unum_function) -> unum_text;
    pub fn unum_function_configuration(function: *mut unum_function) -> unum_text;
    pub fn unum_invocation_info(invocation: *mut unum_invocation)
        -> *const unum_invocation_details;
    pub fn unum_invocation_accepted(invocation: *mut unum_invocation) -> unum_status;
    pub fn unum_invocation_refused(
        invocation: *mut unum_invocation,
        status: unum_status,
        message: unum_text,
    ) -> unum_status;
    pub fn unum_runtime_new(
        store: *mut unum_store,
        options: *const unum_runtime_options,
        runtime: *mut *mut unum_runtime,
    ) -> unum_status;
    pub fn unum_runtime_free(runtime: *mut unum_runtime) -> unum_status;
    pub fn unum_call_info(call: *mut unum_call) -> *const unum_call_details;
    pub fn unum_call_succeed(call: *mut unum_call, value: unum_text) -> unum_status;
    pub fn unum_call_fail(call: *mut unum_call, error: unum_text, cause: unum_text) -> unum_status;
    pub fn unum_call_lost(call: *mut unum_call, message: unum_text) -> unum_status;
    pub fn unum_runtime_step(
        runtime: *mut unum_runtime,
        function: *mut unum_function,
        payload: unum_text,
        attempt: i32,
        code: *const unum_code,
        start: *const unum_start,
    ) -> *mut unum_op;
    pub fn unum_runtime_give_up(
        runtime: *mut unum_runtime,
        function: *mut unum_function,
        payload: unum_text,
        attempt: i32,
        error: unum_text,
        cause: unum_text,
        start: *const unum_start,
    ) -> *mut unum_op;
    pub fn unum_op_report(op: *mut unum_op) -> *const unum_report;
    pub fn unum_entry_payload(
        r#loop: *mut unum_loop,
        input: unum_text,
        session: unum_text,
        payload: *mut unum_text,
    ) -> unum_status;
    pub fn unum_identify_payload(
        function: *mut unum_function,
        payload: unum_text,
        context: *mut unum_context,
    ) -> unum_status;

    pub fn unum_application_load(
        r#loop: *mut unum_loop,
        directory: unum_text,
        application: *mut *mut unum_application,
    ) -> unum_status;
    pub fn unum_application_parse(
        r#loop: *mut unum_loop,
        template_yaml: unum_text,
        configurations: *const unum_configuration,
        count: usize,
        directory: unum_text,
        application: *mut *mut unum_application,
    ) -> unum_status;
    pub fn unum_application_free(application: *mut unum_application) -> unum_status;
    pub fn unum_application_findings(application: *mut unum_application) -> unum_text;
    pub fn unum_application_name(application: *mut unum_application) -> unum_text;
    pub fn unum_application_entry(application: *mut unum_application) -> unum_text;
    pub fn unum_application_function_count(application: *mut unum_application) -> usize;
    pub fn unum_application_function(
        application: *mut unum_application,
        place: usize,
        function: *mut *mut unum_function,
    ) -> unum_status;
    pub fn unum_application_run(
        application: *mut unum_application,
        options: *const unum_run_options,
        start: *const unum_start,
    ) -> *mut unum_op;
    pub fn unum_op_run_result(op: *mut unum_op) -> *const unum_run_result;
    pub fn unum_op_failure(op: *mut unum_op, place: usize) -> *const unum_failure;

    pub fn unum_set_log(levels: unum_text, log: unum_log, user: *mut c_void) -> unum_status;
}
