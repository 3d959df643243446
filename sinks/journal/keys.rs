//! The keys of the chain: Ed25519, in PEM (PKCS #8 and SPKI), so that openssl reads them as well.

use std::{
    fmt, fs,
    io::{self, Write},
    os::unix::fs::MetadataExt,
    path::Path,
};

use aws_lc_rs::{
    digest::{SHA256, digest},
    encoding::{AsDer, PublicKeyX509Der},
    error::{KeyRejected, Unspecified},
    signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use panoptes_event::json;
use rustls::pki_types::{
    PrivatePkcs8KeyDer, SubjectPublicKeyInfoDer,
    pem::{self, PemObject},
};

use super::private;

/// Characters of base64 a line, as PEM has it.
const PEM_LINE: usize = 64;
/// Bytes of a public key's hash that name it.
const ID_BYTES: usize = 8;
/// Others than the owner.
const OTHERS: u32 = 0o077;

/// What signs checkpoints.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    id: String,
}

/// What their signatures are checked with.
#[derive(Clone)]
pub struct VerifyingKey {
    raw: Vec<u8>,
    id: String,
}

/// Why a key cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The file cannot be read or written.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The file is none of a key.
    #[error("is no PEM file of an Ed25519 {half} key; panoptes keys makes one")]
    Format {
        /// Which one is expected.
        half: &'static str,
    },
    /// Others may read the secret.
    #[error("can be read by others (mode {mode:04o}); chmod 600 it")]
    Open {
        /// The file's mode.
        mode: u32,
    },
    /// No key could be made.
    #[error("no key could be made: the system's cryptography failed")]
    Generate,
}

impl From<Unspecified> for KeyError {
    fn from(_: Unspecified) -> Self {
        Self::Generate
    }
}

impl SigningKey {
    /// A new one.
    pub fn generate() -> Result<Self, KeyError> {
        Self::new(Ed25519KeyPair::generate()?)
    }

    /// Reads one from a PEM file that nobody but its owner may read.
    pub fn load(path: &Path) -> Result<Self, KeyError> {
        let mode = fs::metadata(path)?.mode() & 0o7777;
        if mode & OTHERS != 0 {
            return Err(KeyError::Open { mode });
        }
        let der: PrivatePkcs8KeyDer<'_> = from_pem(path, "private")?;
        let pair = Ed25519KeyPair::from_pkcs8(der.secret_pkcs8_der());
        Self::new(pair.map_err(|_: KeyRejected| KeyError::Format { half: "private" })?)
    }

    /// Writes both halves to files that must not exist yet: the private one for the owner alone, the public one for all.
    pub fn save(&self, private_file: &Path, public_file: &Path) -> Result<(), KeyError> {
        let (pkcs8, spki) = (self.pair.to_pkcs8v1()?, spki(&self.pair)?);
        write_new(&mut private(), private_file, "PRIVATE KEY", pkcs8.as_ref())?;
        Ok(write_new(&mut fs::OpenOptions::new(), public_file, "PUBLIC KEY", &spki).inspect_err(|_| {
            // One half alone is of no use; the error is what counts.
            let _ = fs::remove_file(private_file);
        })?)
    }

    /// Its name in checkpoints.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The other half.
    #[must_use]
    pub fn verifying(&self) -> VerifyingKey {
        VerifyingKey { raw: self.pair.public_key().as_ref().to_vec(), id: self.id.clone() }
    }

    pub(crate) fn sign(&self, message: &[u8]) -> String {
        BASE64_STANDARD.encode(self.pair.sign(message))
    }

    fn new(pair: Ed25519KeyPair) -> Result<Self, KeyError> {
        let id = id(&spki(&pair)?);
        Ok(Self { pair, id })
    }
}

impl VerifyingKey {
    /// Reads one from a PEM file.
    pub fn load(path: &Path) -> Result<Self, KeyError> {
        let der: SubjectPublicKeyInfoDer<'_> = from_pem(path, "public")?;
        // What stands before the 32 bytes of the key is the same for all Ed25519 keys (RFC 8410).
        let prefix = [48, 42, 48, 5, 6, 3, 43, 101, 112, 3, 33, 0];
        let raw = der.strip_prefix(&prefix).filter(|raw| raw.len() == 32);
        let raw = raw.ok_or(KeyError::Format { half: "public" })?.to_vec();
        Ok(Self { raw, id: id(&der) })
    }

    /// Its name in checkpoints.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Whether the other half made this signature.
    pub(crate) fn verifies(&self, message: &[u8], signature: &str) -> bool {
        let signature = BASE64_STANDARD.decode(signature).unwrap_or_default();
        UnparsedPublicKey::new(&ED25519, &self.raw).verify(message, &signature).is_ok()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("id", &self.id).finish_non_exhaustive()
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifyingKey").field("id", &self.id).finish_non_exhaustive()
    }
}

fn spki(pair: &Ed25519KeyPair) -> Result<Vec<u8>, Unspecified> {
    let der: PublicKeyX509Der<'_> = pair.public_key().as_der()?;
    Ok(der.as_ref().to_vec())
}

fn id(spki: &[u8]) -> String {
    let hash = digest(&SHA256, spki);
    let mut id = Vec::new();
    json::write_hex(&mut id, hash.as_ref().get(..ID_BYTES).unwrap_or_default());
    String::from_utf8_lossy(&id).into_owned()
}

fn from_pem<T: PemObject>(path: &Path, half: &'static str) -> Result<T, KeyError> {
    let text = fs::read(path)?;
    T::from_pem_slice(&text).map_err(|_: pem::Error| KeyError::Format { half })
}

/// Writes a half to a file of its own, or leaves none; the error names the file.
fn write_new(options: &mut fs::OpenOptions, path: &Path, label: &str, der: &[u8]) -> io::Result<()> {
    let mut file = options.write(true).create_new(true).open(path).map_err(|error| {
        let what = match error.kind() {
            io::ErrorKind::AlreadyExists => "exists, and a key is never overwritten; give another name",
            io::ErrorKind::NotFound => "is in a folder that does not exist; create that first",
            _ => return at(path, &error),
        };
        io::Error::new(error.kind(), format!("{} {what}", path.display()))
    })?;
    write_pem(&mut file, label, der).map_err(|error| {
        let _ = fs::remove_file(path);
        at(path, &error)
    })
}

fn at(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

fn write_pem(file: &mut fs::File, label: &str, der: &[u8]) -> io::Result<()> {
    let encoded = BASE64_STANDARD.encode(der);
    let lines = encoded.as_bytes().chunks(PEM_LINE).map(String::from_utf8_lossy);
    let body: String = lines.map(|line| format!("{line}\n")).collect();
    write!(file, "-----BEGIN {label}-----\n{body}-----END {label}-----\n")?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_pair_survives_its_files_and_is_never_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let (private, public) = (dir.path().join("a.key"), dir.path().join("a.pub"));
        let key = SigningKey::generate().unwrap();
        key.save(&private, &public).unwrap();
        assert_eq!(fs::metadata(&private).unwrap().mode() & 0o777, 0o600);
        let (again, check) = (SigningKey::load(&private).unwrap(), VerifyingKey::load(&public).unwrap());
        assert_eq!((again.id(), check.id()), (key.id(), key.id()));
        assert!(check.verifies(b"x", &again.sign(b"x")) && !check.verifies(b"y", &again.sign(b"x")));
        assert!(!SigningKey::generate().unwrap().verifying().verifies(b"x", &key.sign(b"x")));
        assert!(key.save(&private, &dir.path().join("b.pub")).is_err());
        assert!(private.exists(), "it was there before");
        assert!(key.save(&dir.path().join("b.key"), &public).is_err());
        assert!(!dir.path().join("b.key").exists(), "half a pair is none");
    }

    #[test]
    fn a_key_that_others_can_read_and_a_file_that_is_none_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let (private, public) = (dir.path().join("a.key"), dir.path().join("a.pub"));
        SigningKey::generate().unwrap().save(&private, &public).unwrap();
        assert!(matches!(VerifyingKey::load(&private), Err(KeyError::Format { half: "public" })));
        fs::set_permissions(&public, fs::Permissions::from_mode(0o600)).unwrap();
        assert!(matches!(SigningKey::load(&public), Err(KeyError::Format { half: "private" })));
        fs::set_permissions(&private, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(SigningKey::load(&private), Err(KeyError::Open { mode: 0o640 })));
    }

    #[test]
    fn openssl_makes_keys_that_are_understood() {
        // `openssl genpkey -algorithm ed25519`, and `openssl pkey -pubout` of it.
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = dir.path().join(name);
            private()
                .write(true)
                .create(true)
                .truncate(true)
                .open(&path)
                .unwrap()
                .write_all(text.as_bytes())
                .unwrap();
            path
        };
        let private = write(
            "key",
            "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n",
        );
        let public = write(
            "pub",
            "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n",
        );
        assert_eq!(SigningKey::load(&private).unwrap().id(), VerifyingKey::load(&public).unwrap().id());
    }
}
