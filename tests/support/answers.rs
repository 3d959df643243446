//! What a recorded server stream says about each statement. It knows nothing of how Panoptes reads the same bytes: a
//! whole recording in memory is framed from its start.

use std::collections::BTreeMap;

/// One statement's end, in the order in which the server told it. Answers to empty texts are left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// CommandComplete with its tag, after so many DataRows.
    Complete { tag: String, rows: u64 },
    /// PortalSuspended after so many DataRows.
    Suspended { rows: u64 },
    /// FunctionCallResponse.
    Function,
    /// CopyBothResponse: a replication stream began.
    Streaming,
    /// ErrorResponse with its SQLSTATE.
    Failed { state: String },
}

impl Answer {
    /// The count in the tag; rows sent where there is no tag.
    pub fn row_count(&self) -> Option<u64> {
        match self {
            Self::Complete { tag, .. } => tag.rsplit(' ').next().and_then(|n| n.parse().ok()),
            Self::Suspended { rows } => Some(*rows),
            Self::Function | Self::Streaming | Self::Failed { .. } => None,
        }
    }

    /// Another result of the same command: its rows are the command's, too.
    pub fn add_rows(&mut self, other: &Self) {
        if let (Self::Complete { rows, .. }, Self::Complete { rows: more, .. }) = (self, other) {
            *rows += more;
        }
    }
}

/// The answers of a session, each with the number of ReadyForQuery before it. What comes before the first belongs to the
/// login.
pub fn answers(server: &[u8]) -> Vec<(usize, Answer)> {
    let (mut found, mut rows, mut ready) = (Vec::new(), 0, 0);
    for (kind, body) in frames(server) {
        let answer = match kind {
            b'Z' => {
                ready += 1;
                rows = 0;
                continue;
            }
            b'D' => {
                rows += 1;
                continue;
            }
            b'C' => Answer::Complete { tag: text(body), rows },
            b's' => Answer::Suspended { rows },
            b'V' => Answer::Function,
            b'W' => Answer::Streaming,
            b'E' => Answer::Failed { state: fields(body).remove(&b'C').unwrap_or_default() },
            _ => continue,
        };
        rows = 0;
        if ready > 0 {
            found.push((ready, answer));
        }
    }
    found
}

/// Executes that the server passed over in each pipeline after an error before them. The one whose own Parse, Bind or
/// Describe failed is not among them: it failed.
pub fn skipped_executes(client: &[u8], server: &[u8]) -> Vec<usize> {
    let pipelines = executes(client).into_iter().zip(endings(server));
    pipelines.map(|(sent, (done, failed))| sent.saturating_sub(done + usize::from(failed))).collect()
}

/// Executes in each pipeline: what ends in Sync, and each Query or FunctionCall, as one without any.
fn executes(client: &[u8]) -> Vec<usize> {
    let startup = client.first_chunk().map_or(0, |length| u32::from_be_bytes(*length) as usize);
    let kinds: Vec<_> = frames(client.get(startup..).unwrap_or_default()).map(|(kind, _)| kind).collect();
    let (mut pipelines, mut sent) = (Vec::new(), 0);
    for (n, kind) in kinds.iter().enumerate() {
        match kind {
            b'E' => sent += 1,
            // The server passes over a Sync that comes before the end of COPY data.
            b'S' if matches!(kinds.get(n + 1), Some(b'd' | b'c' | b'f')) => {}
            b'S' => pipelines.push(std::mem::take(&mut sent)),
            b'Q' | b'F' => pipelines.push(0),
            _ => {}
        }
    }
    pipelines
}

/// Of each pipeline up to its ReadyForQuery: answers other than errors, and whether there was an error.
fn endings(server: &[u8]) -> Vec<(usize, bool)> {
    let (mut endings, mut done, mut failed) = (Vec::new(), 0, false);
    for (kind, _) in frames(server) {
        match kind {
            b'C' | b's' | b'I' => done += 1,
            b'E' => failed = true,
            b'Z' => endings.push((std::mem::take(&mut done), std::mem::take(&mut failed))),
            _ => {}
        }
    }
    endings.split_off(1.min(endings.len())) // the first is the login's
}

/// Type and body of each whole message.
pub fn frames(stream: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    let mut rest = stream;
    std::iter::from_fn(move || {
        let head = rest.get(..5)?;
        let end = 1 + u32::from_be_bytes(head[1..].try_into().ok()?) as usize;
        let frame = (head[0], rest.get(5..end)?);
        rest = &rest[end..];
        Some(frame)
    })
}

/// The fields of an ErrorResponse.
fn fields(body: &[u8]) -> BTreeMap<u8, String> {
    body.split(|&b| b == 0).filter(|f| !f.is_empty()).map(|f| (f[0], text(&f[1..]))).collect()
}

fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|&b| b == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}
