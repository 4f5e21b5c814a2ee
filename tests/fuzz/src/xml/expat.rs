//! expat, the parser of most XMPP servers, as the operating system has it.

use std::collections::BTreeMap;
use std::ffi::{CStr, c_char, c_int, c_void};

use xmpp_edge::proto::xml::StreamKind;

use super::oracle::{Builder, Plain};

/// What expat makes of a stream: the root's whole children, and the error at the end, if any.
pub(super) fn parse(bytes: &[u8], stream_kind: StreamKind) -> (Vec<Plain>, Option<String>) {
    let mut builder = Builder::default();
    let error = run(bytes, &mut builder);
    (builder.finish(stream_kind), error)
}

/// Between a namespace and a local name: no XML document may contain it.
const SEPARATOR: u8 = b'\x0c';

type Parser = *mut c_void;
type Start = extern "C" fn(*mut c_void, *const c_char, *const *const c_char);
type End = extern "C" fn(*mut c_void, *const c_char);
type Text = extern "C" fn(*mut c_void, *const c_char, c_int);

#[link(name = "expat")]
unsafe extern "C" {
    fn XML_ParserCreateNS(encoding: *const c_char, separator: c_char) -> Parser;
    fn XML_SetUserData(parser: Parser, data: *mut c_void);
    fn XML_SetElementHandler(parser: Parser, start: Start, end: End);
    fn XML_SetCharacterDataHandler(parser: Parser, text: Text);
    fn XML_Parse(parser: Parser, bytes: *const c_char, length: c_int, last: c_int) -> c_int;
    fn XML_GetErrorCode(parser: Parser) -> c_int;
    fn XML_ErrorString(code: c_int) -> *const c_char;
    fn XML_ParserFree(parser: Parser);
}

fn run(bytes: &[u8], builder: &mut Builder) -> Option<String> {
    let length = c_int::try_from(bytes.len()).expect("fuzzers' inputs are small");
    // SAFETY: the parser is made, used and freed here; the builder outlives it and is used by
    // nothing else meanwhile; `bytes` is `length` bytes long; error strings are static.
    unsafe {
        let parser = XML_ParserCreateNS(c"UTF-8".as_ptr(), SEPARATOR as c_char);
        assert!(!parser.is_null(), "out of memory");
        XML_SetUserData(parser, std::ptr::from_mut(builder).cast());
        XML_SetElementHandler(parser, on_start, on_end);
        XML_SetCharacterDataHandler(parser, on_text);
        let is_ok = XML_Parse(parser, bytes.as_ptr().cast(), length, 0) != 0;
        let error = (!is_ok).then(|| {
            let text = CStr::from_ptr(XML_ErrorString(XML_GetErrorCode(parser)));
            text.to_string_lossy().into_owned()
        });
        XML_ParserFree(parser);
        error
    }
}

extern "C" fn on_start(data: *mut c_void, name: *const c_char, attributes: *const *const c_char) {
    let mut found = BTreeMap::new();
    // SAFETY: expat passes a list of strings that ends in null: names and values by turns.
    unsafe {
        let mut next = attributes;
        while !(*next).is_null() {
            found.insert(expanded(*next), string(*next.add(1)));
            next = next.add(2);
        }
        let (ns, name) = expanded(name);
        builder(data).start(ns, name, found);
    }
}

extern "C" fn on_end(data: *mut c_void, _name: *const c_char) {
    // SAFETY: the data is the builder that `run` set.
    unsafe { builder(data) }.end();
}

extern "C" fn on_text(data: *mut c_void, text: *const c_char, length: c_int) {
    let length = usize::try_from(length).expect("expat's lengths are not negative");
    // SAFETY: expat passes `length` bytes; the data is the builder that `run` set.
    let (bytes, builder) = unsafe {
        (
            std::slice::from_raw_parts(text.cast(), length),
            builder(data),
        )
    };
    builder.text(std::str::from_utf8(bytes).expect("expat passes whole characters"));
}

/// # Safety
/// The data must be what [`run`] set.
unsafe fn builder<'b>(data: *mut c_void) -> &'b mut Builder {
    // SAFETY: as above; expat calls one handler at a time.
    unsafe { &mut *data.cast() }
}

/// # Safety
/// The text must be a string of C.
unsafe fn string(text: *const c_char) -> String {
    // SAFETY: as above.
    let text = unsafe { CStr::from_ptr(text) };
    text.to_str().expect("expat passes UTF-8").to_owned()
}

/// # Safety
/// The text must be a string of C.
unsafe fn expanded(text: *const c_char) -> (String, String) {
    // SAFETY: as above.
    let text = unsafe { string(text) };
    match text.split_once(char::from(SEPARATOR)) {
        Some((ns, name)) => (ns.to_owned(), name.to_owned()),
        None => (String::new(), text),
    }
}
