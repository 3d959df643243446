//! A stub of Splunk's HTTP Event Collector, for no Splunk can be had here. It answers as Splunk's manual says: codes, and
//! acknowledgements that come later than the answer.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use libtest_mimic::Trial;
use panoptes_config::{Secret, SinkOptions, Splunk, Url};
use serde_json::{Value, json};

use crate::{
    named,
    relay::Relay,
    scenarios::{self, Destination, Refusal},
    trial::{Got, Poison},
};

const TOKEN: &str = "0c1a7e2e-0000-4000-8000-000000000000";

struct Stub {
    shared: Arc<Mutex<Shared>>,
    relay: Relay,
    acknowledge: bool,
}

#[derive(Default)]
struct Shared {
    down: bool,
    refusal: Option<Refusal>,
    requests: u64,
    events: Vec<Got>,
    /// What was taken and is not indexed yet, and how often it was asked for; none where it was lost.
    pending: Vec<Option<(Vec<Got>, u32)>>,
}

pub fn trials() -> Vec<Trial> {
    let kinds = [("splunk to a stub", false), ("splunk with acknowledgement to a stub", true)];
    let each = |(kind, acknowledge)| {
        scenarios::ALL.map(|(name, scenario)| {
            named(format!("{kind}: {name}"), true, move || scenario(&mut Stub::new(acknowledge)))
        })
    };
    kinds.into_iter().flat_map(each).collect()
}

impl Stub {
    fn new(acknowledge: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let relay = Relay::to(listener.local_addr().unwrap().port());
        let shared = Arc::new(Mutex::new(Shared { refusal: Some(Refusal::None), ..Shared::default() }));
        let state = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let state = Arc::clone(&state);
                thread::spawn(move || serve(&client, &state));
            }
        });
        Self { shared, relay, acknowledge }
    }
}

/// Requests of one connection, until it ends or the stub is down.
fn serve(client: &TcpStream, state: &Mutex<Shared>) -> Option<()> {
    let mut reader = BufReader::new(client);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head).ok()? == 0 {
                return None;
            }
        }
        let lower = head.to_ascii_lowercase();
        let length = lower.split("content-length: ").nth(1)?.split("\r\n").next()?.parse().ok()?;
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        assert!(
            lower.contains(&format!("authorization: splunk {TOKEN}"))
                && lower.contains("x-splunk-request-channel: ")
        );
        let mut shared = state.lock().unwrap();
        if shared.down {
            return None;
        }
        let (status, answer) = if head.starts_with("POST /services/collector/ack?channel=") {
            shared.acknowledged(&serde_json::from_slice(&body).unwrap())
        } else {
            assert!(head.starts_with("POST /services/collector/event "), "{head}");
            shared.collect(&body)
        };
        let answer = answer.to_string();
        write!(&*client, "HTTP/1.1 {status} x\r\nContent-Length: {}\r\n\r\n{answer}", answer.len()).ok()?;
    }
}

impl Shared {
    fn collect(&mut self, body: &[u8]) -> (u16, Value) {
        self.requests += 1;
        let refuse = match self.refusal {
            Some(Refusal::All) => true,
            Some(Refusal::Some) => self.requests % 2 == 1,
            _ => false,
        };
        if refuse {
            return (503, json!({"text": "Server is busy", "code": 9}));
        }
        if body.len() > 16_000 {
            return (413, json!({"text": "Content-Length is too large", "code": 27}));
        }
        let envelopes = serde_json::Deserializer::from_slice(body).into_iter::<Value>().map(Result::unwrap);
        let events = envelopes.map(|envelope| {
            assert!(envelope["time"].is_f64() && envelope["sourcetype"] == "panoptes:audit");
            Got::of(&envelope["event"])
        });
        self.pending.push(Some((events.collect(), 0)));
        (200, json!({"text": "Success", "code": 0, "ackId": self.pending.len() - 1}))
    }

    /// An event is indexed when it is asked for the second time.
    fn acknowledged(&mut self, question: &Value) -> (u16, Value) {
        let id = usize::try_from(question["acks"][0].as_u64().unwrap()).unwrap();
        let mut indexed = false;
        if let Some((events, asked)) = &mut self.pending[id] {
            *asked += 1;
            indexed = *asked > 1;
            if indexed {
                self.events.append(events);
            }
        }
        (200, json!({"acks": {(id.to_string()): indexed}}))
    }
}

impl Destination for Stub {
    fn options(&self) -> SinkOptions {
        SinkOptions::Splunk(Splunk {
            url: Url::try_from(format!("http://127.0.0.1:{}", self.relay.port).as_str()).unwrap(),
            token: Some(Secret::new(TOKEN)),
            acknowledge: self.acknowledge,
            acknowledge_timeout: Duration::from_millis(700),
            ..Splunk::default()
        })
    }

    fn relay(&self) -> &Relay {
        &self.relay
    }

    fn received(&mut self) -> Vec<Got> {
        let mut shared = self.shared.lock().unwrap();
        if !self.acknowledge {
            let pending = std::mem::take(&mut shared.pending);
            shared.events.extend(pending.into_iter().flatten().flat_map(|(events, _)| events));
        }
        shared.events.clone()
    }

    /// What was taken and is not indexed dies with it.
    fn kill(&mut self) {
        let mut shared = self.shared.lock().unwrap();
        shared.down = true;
        if self.acknowledge {
            shared.pending.iter_mut().for_each(|pending| *pending = None);
        }
    }

    fn start(&mut self) {
        self.shared.lock().unwrap().down = false;
    }

    fn refuse(&mut self, refusal: Refusal) {
        self.shared.lock().unwrap().refusal = Some(refusal);
    }

    fn poison(&self) -> Poison {
        Poison::Large(20_000)
    }
}
