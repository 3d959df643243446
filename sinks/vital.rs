//! Threads that the trail cannot do without.

use std::{process, thread};

/// What the process ends with: EX_SOFTWARE of `sysexits.h`.
pub const EXIT_DEFECT: i32 = 70;

/// Held by a thread for as long as it works. Where the thread ends in a panic, the process ends with it: sessions would go
/// on without a trail, or wait for one for ever, and nobody would know. Whoever watches over the process starts it anew, and
/// that start tells what a crash has lost.
#[derive(Debug)]
pub struct Vital;

impl Drop for Vital {
    fn drop(&mut self) {
        if thread::panicking() {
            let thread = thread::current();
            let thread = thread.name().unwrap_or("?");
            tracing::error!(
                thread,
                "it ended in a panic, and nothing may go on without it; this is a defect of Panoptes"
            );
            process::exit(EXIT_DEFECT);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{env, process::Command};

    use super::*;

    const CHILD: &str = "PANOPTES_TEST_OF_A_PANIC";

    #[test]
    fn the_process_ends_with_a_thread_that_panics_and_with_no_other() {
        if env::var_os(CHILD).is_none() {
            let name =
                concat!(module_path!(), "::the_process_ends_with_a_thread_that_panics_and_with_no_other");
            let name = name.split_once("::").unwrap().1;
            let mut child = Command::new(env::current_exe().unwrap());
            let output = child.args(["--exact", name, "--nocapture"]).env(CHILD, "yes").output().unwrap();
            assert_eq!(output.status.code(), Some(EXIT_DEFECT), "{output:?}");
            assert!(
                String::from_utf8_lossy(&output.stdout).contains("the first one has ended"),
                "{output:?}"
            );
            return;
        }
        thread::spawn(|| drop(Vital)).join().unwrap();
        assert!(thread::spawn(|| panic!("without it")).join().is_err());
        println!("the first one has ended");
        let _ = thread::spawn(|| {
            let _vital = Vital;
            panic!("with it");
        })
        .join();
    }
}
