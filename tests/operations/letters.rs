//! What a sink refused is sent once more by a person, beside the running proxy.

use std::{
    fs,
    net::UdpSocket,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::Duration,
};

use libtest_mimic::Failed;
use serde_json::Value;

use crate::{
    Named, Rig,
    support::{panoptes::Panoptes, raw::Raw, wait_for},
};

pub(crate) const TESTS: &[Named] = &[("sent_again_when_the_cause_is_mended", resend)];

fn resend(rig: &Rig) -> Result<(), Failed> {
    let siem = UdpSocket::bind("127.0.0.1:0")?;
    siem.set_read_timeout(Some(Duration::from_secs(30)))?;
    let address = siem.local_addr()?;
    let sink = format!(
        "[sinks.siem]\nkind = \"syslog\"\naddress = \"{address}\"\ntransport = \"udp\"\nmax_message = \"8 KiB\"\n\
         filter.kinds = [\"statement\"]\n"
    );
    let proxy = Panoptes::start(rig.server().port, &sink);
    let mut client = Raw::connect(proxy.port)?;
    let large = |name: &str| format!("select '{name} {}'", "x".repeat(10_000));
    for text in ["select 'first'", &large("second"), "select 'third'", &large("fourth")] {
        client.query(text)?;
    }
    assert_eq!([next(&siem)?, next(&siem)?].map(|text| text.contains("first")), [true, false]);
    wait_for("the dead letters", || (waiting(proxy.dir()) == 2).then_some(()));

    let again = send(proxy.dir(), "panoptes.toml", &[]);
    assert_eq!(again.status.code(), Some(1), "nothing is mended yet: {again:?}");
    assert_eq!((told(&again, "delivered"), told(&again, "refused")), (0, 2));
    assert_eq!(waiting(proxy.dir()), 2, "they are dead letters again");

    let mended = fs::read_to_string(proxy.dir().join("panoptes.toml"))?.replace("\"8 KiB\"", "\"60 KiB\"");
    fs::write(proxy.dir().join("mended.toml"), mended)?;
    let again = send(proxy.dir(), "mended.toml", &[]);
    assert_eq!(again.status.code(), Some(0), "{again:?}");
    assert_eq!((told(&again, "delivered"), told(&again, "refused")), (2, 0));
    assert_eq!([next(&siem)?, next(&siem)?].map(|text| text.contains("second")), [true, false]);
    assert_eq!(waiting(proxy.dir()), 0);

    let none = send(proxy.dir(), "mended.toml", &[]);
    assert_eq!((none.status.code(), told(&none, "delivered")), (Some(0), 0), "{none:?}");
    // The proxy goes on with a file of its own, and what was sent can be sent from where it is kept.
    client.query(&large("fifth"))?;
    wait_for("another one", || (waiting(proxy.dir()) == 1).then_some(()));
    let kept = kept(proxy.dir())?;
    assert_eq!(kept.len(), 2, "{kept:?}");
    let again = send(proxy.dir(), "mended.toml", &["--file", &kept[0].display().to_string()]);
    assert_eq!((again.status.code(), told(&again, "delivered")), (Some(0), 2), "{again:?}");
    assert!(kept[0].exists() && waiting(proxy.dir()) == 1);
    Ok(())
}

fn next(siem: &UdpSocket) -> Result<String, Failed> {
    let mut datagram = vec![0; 64 << 10];
    let size = siem.recv(&mut datagram)?;
    datagram.truncate(size);
    Ok(String::from_utf8(datagram)?)
}

/// How many dead letters the state tells of.
fn waiting(dir: &Path) -> u64 {
    let state = run(dir, &["journal", "state", "--journal", "journal", "--json"]);
    let state: Value = serde_json::from_slice(&state.stdout).expect("its state");
    let sinks = state["sinks"].as_array().expect("its sinks");
    let siem = sinks.iter().find(|sink| sink["name"] == "siem").expect("the sink");
    siem["deadLetters"].as_u64().expect("a number")
}

fn kept(dir: &Path) -> Result<Vec<PathBuf>, Failed> {
    let mut kept = Vec::new();
    for entry in fs::read_dir(dir.join("journal/dead-letters"))? {
        let path = entry?.path();
        kept.extend(path.extension().is_some_and(|extension| extension == "resent").then_some(path));
    }
    Ok(kept)
}

fn send(dir: &Path, config: &str, more: &[&str]) -> Output {
    let resend = ["journal", "resend", "--config", config, "--sink", "siem", "--json"];
    run(dir, &[&resend[..], more].concat())
}

fn told(output: &Output, member: &str) -> u64 {
    let report: Value = serde_json::from_slice(&output.stdout).expect("a report");
    report[member].as_u64().expect("a number")
}

fn run(dir: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_panoptes"))
        .args(arguments)
        .current_dir(dir)
        .stdin(Stdio::null())
        .output()
        .expect("the built binary")
}
