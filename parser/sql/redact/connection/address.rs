//! Passwords of addresses.

use std::ops::Range;

use memchr::memchr_iter;

use super::{Form, hide_value, skip, words};

/// `scheme://user:password@host`: from the first `:` to the last `@`.
pub(super) fn uri(text: &str, form: Form, hide: &mut impl FnMut(Range<usize>)) -> bool {
    let (mut end, mut open) = (0, false);
    for colon in memchr_iter(b':', text.as_bytes()) {
        let Some(start) = slashes(text, colon).filter(|start| *start >= end) else { continue };
        end = if form == Form::Connection { text.len() } else { address_end(text, start) };
        let run = text.get(start..end).unwrap_or_default();
        // Behind the first `/` a `:` is part of a path.
        let colon = run.find([':', '/']).filter(|at| run.as_bytes().get(*at) == Some(&b':'));
        match (colon, run.rfind('@')) {
            // `https://h:80/@joe`
            (Some(colon), Some(_)) if form == Form::Any && is_port(run, colon + 1) => {}
            (Some(colon), Some(at)) if colon + 1 < at => {
                open |= hide_value(text, start + colon + 1..start + at, hide);
            }
            (Some(colon), None) if end == text.len() => {
                let rest = run.get(colon + 1..).unwrap_or_default();
                let is_port = !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit());
                open |= !rest.contains('/') && !is_port;
            }
            _ => {}
        }
    }
    open
}

/// Is there a port at `from`, which a path follows?
fn is_port(run: &str, from: usize) -> bool {
    let end = skip(run, from, |byte| byte.is_ascii_digit());
    (from + 1..=from + 5).contains(&end) && run.as_bytes().get(end) == Some(&b'/')
}

/// Where the `//` behind this `:` ends; JSON may write it `\/\/`.
pub(super) fn slashes(text: &str, colon: usize) -> Option<usize> {
    let after = text.as_bytes().get(colon + 1..)?;
    let slashes: [&[u8]; 2] = [b"//", b"\\/\\/"];
    slashes.iter().find(|slashes| after.starts_with(slashes)).map(|slashes| colon + 1 + slashes.len())
}

/// An address ends with white space, or with a quote; not with one that a letter of its password follows.
fn address_end(text: &str, start: usize) -> usize {
    let bytes = text.as_bytes();
    let mut end = start;
    loop {
        end = skip(text, end, |byte| !byte.is_ascii_whitespace() && byte != b'\'' && byte != b'"');
        let quote = matches!(bytes.get(end), Some(b'\'' | b'"'));
        if !quote || !bytes.get(end + 1).is_some_and(u8::is_ascii_alphanumeric) {
            return end;
        }
        end += 1;
    }
}

/// Oracle's `jdbc:oracle:thin:user/password@host`.
pub(super) fn slashed(text: &str, hide: &mut impl FnMut(Range<usize>)) {
    for driver in [&b":thin:"[..], b":oci:", b":oci8:"] {
        let mut end = 0;
        for at in words(text, driver) {
            // What is in the same word has been read with it.
            if at < end {
                continue;
            }
            let start = at + driver.len();
            end = skip(text, start, |byte| !byte.is_ascii_whitespace() && byte != b'@');
            let slash = text.get(start..end).and_then(|login| login.find('/')).map(|slash| start + slash + 1);
            if let Some(from) = slash.filter(|from| *from < end && text.as_bytes().get(end) == Some(&b'@')) {
                hide(from..end);
            }
        }
    }
}
