//! The way to a database server.

use std::{
    fs, io,
    net::{IpAddr, SocketAddr},
};

use panoptes_config as config;
use tokio::net::{TcpStream, UdpSocket, lookup_host};

/// Connects to the server of a URL, unless that is one of our own listeners.
pub(super) async fn connect(options: &config::Database) -> Result<TcpStream, String> {
    let mut failed = None;
    for address in addresses(options).await? {
        match TcpStream::connect(address).await {
            Ok(stream) => {
                stream.set_nodelay(true).map_err(|error| error.to_string())?;
                return Ok(stream);
            }
            Err(error) => failed = Some(error),
        }
    }
    Err(failed.map_or_else(|| "the name has no address".to_owned(), |error| error.to_string()))
}

/// The addresses of the server, none of which is one of our own listeners.
pub(super) async fn addresses(options: &config::Database) -> Result<Vec<SocketAddr>, String> {
    let url = &options.url;
    let found = lookup_host((url.host.as_str(), url.port)).await.map_err(|error| error.to_string())?;
    let found: Vec<SocketAddr> = found.collect();
    for address in &found {
        for own in options.listeners.iter().filter(|own| own.port() == address.port()) {
            if leads_to(address.ip(), own.ip()).await {
                return Err(format!(
                    "leads to our own listener {own}: each row would be audited, and that one too; name the database itself"
                ));
            }
        }
    }
    Ok(found)
}

async fn leads_to(ip: IpAddr, own: IpAddr) -> bool {
    let (ip, own) = (ip.to_canonical(), own.to_canonical());
    let here = ip.is_unspecified() || ip.is_loopback() || UdpSocket::bind((ip, 0)).await.is_ok();
    ip == own || (here && own.is_unspecified()) || (ip.is_unspecified() && own.is_loopback())
}

/// The password, where there is one; that of a file is read anew.
pub(super) fn password(options: &config::Database) -> Result<Option<config::Secret>, String> {
    let Some(file) = &options.password_file else { return Ok(options.password.clone()) };
    let read = fs::read_to_string(file);
    let wrong = |error: io::Error| format!("password_file {} cannot be read: {error}", file.display());
    let text = read.map_err(wrong)?;
    Ok(Some(config::Secret::new(text.trim_end_matches(['\r', '\n']))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_leads_to_ourselves_is_found_out() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let url = |url: &str| config::DatabaseUrl::try_from(url).unwrap();
        for (name, listener, own) in [
            ("postgres://localhost:6432/x", "127.0.0.1:6432", true),
            ("postgres://localhost:6432/x", "0.0.0.0:6432", true),
            ("postgres://127.0.0.2:6432/x", "0.0.0.0:6432", true),
            ("postgres://127.0.0.2:6432/x", "127.0.0.1:6432", false),
            ("postgres://localhost:6433/x", "0.0.0.0:6432", false),
            ("postgres://192.0.2.1:6432/x", "0.0.0.0:6432", false),
        ] {
            let listeners = vec![listener.parse().unwrap()];
            let options = config::Database { url: url(name), listeners, ..config::Database::default() };
            let found = runtime.block_on(addresses(&options));
            assert_eq!(
                found.is_err_and(|error| error.starts_with("leads to our own listener")),
                own,
                "{name}"
            );
        }
    }
}
