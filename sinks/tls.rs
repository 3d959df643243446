//! TLS towards destinations: rustls with aws-lc-rs, the system's authorities or those of a file.

use std::{path::Path, sync::Arc};

use panoptes_config as config;
use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};

use crate::sink::OptionError;

/// The client's side of TLS. Certificates are checked always; there is no option to do without.
pub(crate) fn client(options: &config::Tls) -> Result<ClientConfig, OptionError> {
    let roots = match &options.ca_file {
        Some(file) => authorities(file)?,
        None => of_the_system()?,
    };
    build(roots, options)
}

/// For a client that never speaks TLS, where the library asks for a configuration all the same: it trusts nobody.
pub(crate) fn none() -> Result<ClientConfig, OptionError> {
    build(RootCertStore::empty(), &config::Tls::default())
}

fn build(roots: RootCertStore, options: &config::Tls) -> Result<ClientConfig, OptionError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| OptionError::new("tls", error))?
        .with_root_certificates(roots);
    let (Some(cert_file), Some(key_file)) = (&options.cert_file, &options.key_file) else {
        return Ok(builder.with_no_client_auth());
    };
    let chain = certificates(cert_file, "tls.cert_file")?;
    let key = PrivateKeyDer::from_pem_file(key_file)
        .map_err(|error| OptionError::new("tls.key_file", unreadable(key_file, "a private key", error)))?;
    builder.with_client_auth_cert(chain, key).map_err(|error| OptionError::new("tls.cert_file", error))
}

fn authorities(file: &Path) -> Result<RootCertStore, OptionError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(file, "tls.ca_file")? {
        let wrong = |error| OptionError::new("tls.ca_file", unreadable(file, "a certificate", error));
        roots.add(certificate).map_err(wrong)?;
    }
    Ok(roots)
}

/// `SSL_CERT_FILE` and `SSL_CERT_DIR` are heeded.
fn of_the_system() -> Result<RootCertStore, OptionError> {
    let mut roots = RootCertStore::empty();
    // Some systems carry certificates that are none; the good ones count.
    let (added, _) = roots.add_parsable_certificates(authorities_of_the_system());
    match added {
        0 => Err(OptionError::new(
            "tls.ca_file",
            "is missing, and the system has no authorities; install ca-certificates or name a file",
        )),
        _ => Ok(roots),
    }
}

/// The certificates that this system trusts, as they are.
pub(crate) fn authorities_of_the_system() -> Vec<CertificateDer<'static>> {
    rustls_native_certs::load_native_certs().certs
}

fn certificates(file: &Path, option: &str) -> Result<Vec<CertificateDer<'static>>, OptionError> {
    let read = CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let certificates =
        read.map_err(|error| OptionError::new(option, unreadable(file, "a certificate", error)))?;
    match certificates.is_empty() {
        true => {
            Err(OptionError::new(option, format!("{} holds no certificate; name a PEM file", file.display())))
        }
        false => Ok(certificates),
    }
}

fn unreadable(file: &Path, what: &str, error: impl std::fmt::Display) -> String {
    format!("{} cannot be read as {what} in PEM: {error}", file.display())
}
