//! The nodes of a cluster, each in its turn; one that fails is set aside for a while.

use std::time::Duration;

use panoptes_config::Url;
use tokio::time::Instant;

/// How long a node is set aside: doubling from the first to the longest.
const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);

/// The nodes.
pub(super) struct Nodes {
    all: Vec<Node>,
    /// Whose turn it is.
    turn: usize,
}

struct Node {
    url: Url,
    /// Until then others go before it.
    aside_until: Option<Instant>,
    pause: Duration,
}

impl Nodes {
    /// Beginning anywhere, so that several connections are spread.
    pub(super) fn new(urls: &[Url]) -> Self {
        let node = |url: &Url| Node { url: url.clone(), aside_until: None, pause: FIRST };
        let all: Vec<_> = urls.iter().map(node).collect();
        Self { turn: fastrand::usize(..all.len().max(1)), all }
    }

    /// How many.
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// The next one that is not aside; where all are, the one whose time is over first.
    pub(super) fn next(&mut self, now: Instant) -> Option<(usize, &Url)> {
        let count = self.all.len();
        let waits =
            |place: usize| self.all.get(place).and_then(|node| node.aside_until).filter(|until| *until > now);
        let places = (0..count).map(|step| (self.turn + step) % count);
        // Of equals the first: None goes before any time.
        let place = places.min_by_key(|place| waits(*place))?;
        self.turn = (place + 1) % count;
        self.all.get(place).map(|node| (place, &node.url))
    }

    /// It did not answer, or cannot serve.
    pub(super) fn failed(&mut self, place: usize, now: Instant) {
        if let Some(node) = self.all.get_mut(place) {
            node.aside_until = Some(now + node.pause);
            node.pause = (node.pause * 2).min(LONGEST);
        }
    }

    /// It answered.
    pub(super) fn answered(&mut self, place: usize) {
        if let Some(node) = self.all.get_mut(place) {
            (node.aside_until, node.pause) = (None, FIRST);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes(names: &[&str]) -> Nodes {
        let urls: Vec<Url> =
            names.iter().map(|name| Url::try_from(format!("http://{name}").as_str()).unwrap()).collect();
        Nodes { turn: 0, ..Nodes::new(&urls) }
    }

    fn turns(nodes: &mut Nodes, now: Instant, count: usize) -> Vec<usize> {
        (0..count).filter_map(|_| nodes.next(now).map(|(place, _)| place)).collect()
    }

    #[test]
    fn each_has_its_turn_and_one_that_fails_is_left_out_for_a_while() {
        let (mut nodes, now) = (nodes(&["a", "b", "c"]), Instant::now());
        assert_eq!(turns(&mut nodes, now, 4), [0, 1, 2, 0]);
        nodes.failed(2, now);
        assert_eq!(turns(&mut nodes, now, 4), [1, 0, 1, 0]);
        assert_eq!(turns(&mut nodes, now + FIRST, 3), [1, 2, 0]);
        // It fails again: for longer.
        nodes.failed(2, now + FIRST);
        assert_eq!(turns(&mut nodes, now + FIRST * 2, 3), [1, 0, 1]);
        nodes.answered(2);
        assert_eq!(turns(&mut nodes, now + FIRST * 2, 2), [2, 0]);
    }

    #[test]
    fn where_all_fail_the_first_to_come_back_is_asked() {
        let (mut nodes, now) = (nodes(&["a", "b"]), Instant::now());
        nodes.failed(1, now);
        nodes.failed(0, now + FIRST / 2);
        assert_eq!(turns(&mut nodes, now + FIRST / 2, 2), [1, 1]);
        (0..20).for_each(|_| nodes.failed(0, now));
        assert_eq!(nodes.all[0].pause, LONGEST);
    }

    #[test]
    fn without_nodes_there_is_none() {
        assert!(nodes(&[]).next(Instant::now()).is_none());
    }
}
