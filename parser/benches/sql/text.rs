//! The texts that are measured.

/// How long they are.
pub(crate) const SIZES: [(&str, usize); 3] =
    [("100 B", 100), ("1 KiB", 1 << 10), ("64 KiB", (64 << 10) - 64)];

/// A query as an application sends it, about `bytes` long, with literals of its own.
pub(crate) fn text(bytes: usize, number: usize) -> String {
    let number = 1_000 + number;
    let mut text = format!(
        "SELECT o.id, o.state, c.name FROM orders o JOIN customers c ON c.id = o.customer_id WHERE o.id = {number}"
    );
    let mut column = 0;
    while text.len() + 45 < bytes {
        column += 1;
        text += &format!(" AND (o.column_{} <> 'value {number}' OR c.x > {number})", column % 10);
    }
    text
}
