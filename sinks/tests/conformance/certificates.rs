//! An authority, and what it certifies: a server at 127.0.0.1 and a client.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use panoptes_config::Tls;

use crate::program;

const KEYS: [&str; 5] = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc"];

/// Files in a folder, in PEM.
pub struct Certificates {
    dir: tempfile::TempDir,
}

impl Certificates {
    /// Whether they can be made here.
    pub fn can_be_had() -> bool {
        program("openssl").is_some()
    }

    pub fn new() -> Self {
        let certificates = Self { dir: tempfile::tempdir().unwrap() };
        certificates.make("ca", &["-addext", "keyUsage=keyCertSign"]);
        let issuer = [certificates.certificate("ca"), certificates.key("ca")].map(text);
        let issued = ["-CA", &issuer[0], "-CAkey", &issuer[1], "-addext", "basicConstraints=CA:FALSE"];
        certificates.make("server", &[&issued[..], &["-addext", "subjectAltName=IP:127.0.0.1"]].concat());
        certificates.make("client", &issued);
        certificates
    }

    fn make(&self, name: &str, more: &[&str]) {
        let made = Command::new("openssl")
            .args(["req", "-x509", "-days", "2", "-subj", &format!("/CN=trial {name}")])
            .args(KEYS)
            .args(more)
            .arg("-out")
            .arg(self.certificate(name))
            .arg("-keyout")
            .arg(self.key(name))
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    }

    pub fn certificate(&self, name: &str) -> PathBuf {
        self.dir.path().join(format!("{name}.pem"))
    }

    pub fn key(&self, name: &str) -> PathBuf {
        self.dir.path().join(format!("{name}.key"))
    }

    /// Copies what a server needs to a folder, as `server.crt`, `server.key` and `ca.crt`.
    pub fn copy_to(&self, dir: &Path) {
        for (from, to) in [
            (self.certificate("server"), "server.crt"),
            (self.key("server"), "server.key"),
            (self.certificate("ca"), "ca.crt"),
        ] {
            std::fs::copy(from, dir.join(to)).unwrap();
        }
    }

    /// What a client needs that trusts this authority and is trusted by it.
    pub fn client(&self) -> Tls {
        Tls {
            ca_file: Some(self.certificate("ca")),
            cert_file: Some(self.certificate("client")),
            key_file: Some(self.key("client")),
        }
    }
}

fn text(path: impl AsRef<Path>) -> String {
    path.as_ref().to_str().unwrap().to_owned()
}
