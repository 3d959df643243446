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

/// How many messages of a kind a client sent after its StartupMessage.
pub fn count(client: &[u8], kind: u8) -> usize {
    let startup =
        client.get(..4).map_or(0, |n| u32::from_be_bytes(n.try_into().expect("four bytes")) as usize);
    frames(client.get(startup..).unwrap_or_default()).filter(|(k, _)| *k == kind).count()
}

/// Type and body of each whole message.
fn frames(stream: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
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
