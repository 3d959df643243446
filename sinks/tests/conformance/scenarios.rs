//! What happens to a destination while events come.

use std::time::Instant;

use panoptes_config::{File, SinkOptions};

use crate::{
    relay::{Relay, Weather},
    trial::{Got, Poison, Run},
};

/// A server, and the way to it.
pub trait Destination {
    fn options(&self) -> SinkOptions;
    fn relay(&self) -> &Relay;
    /// What the way to it is like from now on.
    fn weather(&self, weather: Weather) {
        self.relay().set(weather);
    }
    /// What has arrived, in the order in which it did.
    fn received(&mut self) -> Vec<Got>;
    /// Whether that order is known.
    fn is_ordered(&self) -> bool {
        true
    }
    /// Ends the server at once.
    fn kill(&mut self);
    /// Starts it again, on the same port with the same data.
    fn start(&mut self);
    /// From now on it refuses what comes: all of it, or some.
    fn refuse(&mut self, refusal: Refusal);
    fn poison(&self) -> Poison;
    /// How fast it takes events, in a second, from programs that do nothing but send them. What is there goes before.
    fn bare(&mut self, _events: &[String]) -> Vec<(String, f64)> {
        Vec::new()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    None,
    Some,
    All,
}

pub type Scenario = (&'static str, fn(&mut dyn Destination));

pub const ALL: [Scenario; 9] = [
    ("down at the start", down_at_the_start),
    ("down in the middle", down_in_the_middle),
    ("killed and started again", killed),
    ("slow", slow),
    ("deaf", deaf),
    ("refusing some", refusing_some),
    ("refusing all", refusing_all),
    ("poison", poison),
    ("restarts", restarts),
];

pub fn end(mut run: Run, destination: &mut dyn Destination) {
    run.finish();
    let ordered = destination.is_ordered();
    run.check(&destination.received(), ordered);
}

/// Events of a turn of [`rate`].
const RATED: u64 = 100_000;
/// Turns, where there is something to compare with.
const TURNS: usize = 3;

/// What a sink delivers in a second, of events of 1 KiB, with its own defaults; and what CPU that takes of this process, which is
/// the journal, the sink and the relay. What is left of the cores is the server's. In turns with it: what the server takes of the
/// same events over the same relay from who does nothing but send them.
pub fn rate(destination: &mut dyn Destination) {
    let events = events();
    for _ in 0..TURNS {
        let ours = delivered(destination);
        let bare = destination.bare(&events);
        for (what, bare) in &bare {
            println!("{bare:.0} events/s by {what}, of which ours is {:.2}", ours / bare);
        }
        if bare.is_empty() {
            break;
        }
    }
}

/// The events of a turn, as a file sink has them.
fn events() -> Vec<String> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("events");
    let mut run = Run::by_default(SinkOptions::File(File { path: path.clone(), ..File::default() }));
    send(&mut run);
    run.start();
    run.finish();
    crate::trial::lines(&path)
}

fn send(run: &mut Run) {
    (0..RATED / 1_000).for_each(|_| run.send_sized(1_000, 500));
}

/// Events in a second.
fn delivered(destination: &mut dyn Destination) -> f64 {
    let mut run = Run::by_default(destination.options());
    send(&mut run);
    let (begin, before) = (Instant::now(), cpu_seconds());
    run.start();
    run.finish();
    let (took, cpu) = (begin.elapsed().as_secs_f64(), cpu_seconds() - before);
    let rate = RATED as f64 / took;
    println!(
        "{rate:.0} events/s; {:.1} us of our CPU each, {:.0} % of a core",
        cpu * 1e6 / RATED as f64,
        100.0 * cpu / took
    );
    assert!(run.dead_letters().is_empty());
    rate
}

/// Of all threads of this process, those that have ended too; in ticks of 10 ms.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let behind_name = stat.rsplit(')').next().unwrap();
    let ticks = behind_name.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<f64>().unwrap());
    ticks.sum::<f64>() / 100.0
}

fn down_at_the_start(destination: &mut dyn Destination) {
    let mut run = Run::new(destination.options());
    destination.kill();
    run.send(100);
    run.start();
    run.wait_for_failures(3);
    run.send(50);
    destination.start();
    end(run, destination);
}

pub fn down_in_the_middle(destination: &mut dyn Destination) {
    let mut run = Run::new(destination.options());
    run.start();
    run.send(60);
    crate::trial::wait_for("a delivery", || run.delivered() > 0);
    for _ in 0..2 {
        destination.weather(Weather::Down);
        run.send(60);
        run.wait_for_failures(3);
        destination.weather(Weather::Fair);
        run.send(60);
    }
    end(run, destination);
}

fn killed(destination: &mut dyn Destination) {
    let mut run = Run::new(destination.options());
    run.start();
    run.send(200);
    crate::trial::wait_for("a delivery", || run.delivered() > 0);
    destination.kill();
    run.send(60);
    run.wait_for_failures(2);
    destination.start();
    end(run, destination);
}

fn slow(destination: &mut dyn Destination) {
    let mut run = Run::new(destination.options());
    destination.weather(Weather::Slow);
    run.start();
    for _ in 0..5 {
        run.send(20);
    }
    end(run, destination);
}

fn deaf(destination: &mut dyn Destination) {
    let mut run = Run::new(destination.options());
    run.start();
    run.send(40);
    crate::trial::wait_for("a delivery", || run.delivered() == 40);
    destination.weather(Weather::Deaf);
    run.send(60);
    run.wait_for_failures(2);
    destination.weather(Weather::Fair);
    end(run, destination);
}

fn refusing_some(destination: &mut dyn Destination) {
    let mut run = Run::new(destination.options());
    destination.refuse(Refusal::Some);
    run.send(300);
    run.start();
    crate::trial::wait_for("deliveries to fail", || run.failures() >= 2);
    run.send(40);
    destination.refuse(Refusal::None);
    end(run, destination);
}

fn refusing_all(destination: &mut dyn Destination) {
    let mut run = Run::new(destination.options());
    run.start();
    run.send(60);
    crate::trial::wait_for("a delivery", || run.delivered() == 60);
    destination.refuse(Refusal::All);
    run.send(60);
    run.wait_for_failures(5);
    assert_eq!(run.delivered(), 60);
    destination.refuse(Refusal::None);
    end(run, destination);
}

/// Of what it refuses, the destination says so; the rest never stops.
fn poison(destination: &mut dyn Destination) {
    let mut run = Run::new(destination.options());
    let poison = destination.poison();
    // The first event of all, and alone: nothing tells yet whose fault it is, but where the sink itself finds it unfit.
    run.send_poison(poison);
    run.start();
    crate::trial::wait_for("a refusal", || run.failures() > 1 || !run.dead_letters().is_empty());
    assert!(run.failures() == 0 || run.dead_letters().is_empty(), "{:?}", run.dead_letters());
    run.send(33);
    run.send_poison(poison);
    run.send(9);
    run.send_poison(poison);
    run.send_poison(poison);
    run.send(30);
    crate::trial::wait_for("all of it", || run.journal().stats().sinks[0].lag_events == 0);
    // Once more first after a start; of all sessions, for all lanes.
    run.restart();
    (0..5).for_each(|_| run.send_poison(poison));
    run.send(12);
    end(run, destination);
}

fn restarts(destination: &mut dyn Destination) {
    let mut run = Run::new(destination.options());
    let poison = destination.poison();
    run.start();
    for round in 0..6 {
        run.send(50);
        if round == 2 {
            run.send_poison(poison);
        }
        destination.weather(if round % 2 == 0 { Weather::Fair } else { Weather::Down });
        run.send(10);
        if round % 3 == 0 { run.kill() } else { run.restart() }
    }
    destination.weather(Weather::Fair);
    end(run, destination);
}
