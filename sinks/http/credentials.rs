//! The `Authorization` header, from options or files.

use std::{fs::File, io::Read, path::Path};

use base64::{Engine, engine::general_purpose::STANDARD};
use hyper::header::HeaderValue;
use panoptes_config::{Auth, Secret, Splunk};

use crate::sink::OptionError;

/// No secret in a file is longer.
const MAX_SECRET: u64 = 64 << 10;

/// How a client proves who it is.
pub(crate) struct Credentials {
    way: Way,
    /// The header, until it is refused.
    known: Option<HeaderValue>,
}

enum Way {
    None,
    /// A scheme, and what follows it.
    Token(&'static str, Source),
    Basic(String, Source),
}

/// A secret, where it is.
struct Source {
    /// The option, less `_file`.
    option: &'static str,
    secret: Option<Secret>,
    file: Option<std::path::PathBuf>,
}

impl Credentials {
    /// As the options say; reads the files once, so that a missing one is told at the start.
    pub(crate) fn new(auth: &Auth) -> Result<Self, OptionError> {
        let source = |option, secret: &Option<Secret>, file: &Option<std::path::PathBuf>| {
            (secret.is_some() || file.is_some()).then(|| Source {
                option,
                secret: secret.clone(),
                file: file.clone(),
            })
        };
        let bearer = source("auth.bearer", &auth.bearer, &auth.bearer_file);
        let api_key = source("auth.api_key", &auth.api_key, &auth.api_key_file);
        let password = source("auth.password", &auth.password, &auth.password_file);
        Self::checked(match (bearer, api_key, password) {
            (Some(bearer), _, _) => Way::Token("Bearer", bearer),
            (_, Some(api_key), _) => Way::Token("ApiKey", api_key),
            (_, _, Some(password)) => Way::Basic(auth.username.clone().unwrap_or_default(), password),
            _ => Way::None,
        })
    }

    /// Of Splunk's collector.
    pub(crate) fn splunk(options: &Splunk) -> Result<Self, OptionError> {
        let (secret, file) = (options.token.clone(), options.token_file.clone());
        Self::checked(Way::Token("Splunk", Source { option: "token", secret, file }))
    }

    /// The value of `Authorization`.
    pub(crate) fn header(&mut self) -> Result<Option<HeaderValue>, String> {
        if self.known.is_none() {
            self.known = self.read().map_err(|OptionError { option, what }| format!("{option}: {what}"))?;
        }
        Ok(self.known.clone())
    }

    /// It was refused: files are read again before the next request.
    pub(crate) fn forget(&mut self) {
        self.known = None;
    }

    fn checked(way: Way) -> Result<Self, OptionError> {
        let mut credentials = Self { way, known: None };
        credentials.known = credentials.read()?;
        Ok(credentials)
    }

    fn read(&self) -> Result<Option<HeaderValue>, OptionError> {
        let (value, source) = match &self.way {
            Way::None => return Ok(None),
            Way::Token(scheme, source) => (format!("{scheme} {}", source.read()?), source),
            Way::Basic(user, source) => {
                (format!("Basic {}", STANDARD.encode(format!("{user}:{}", source.read()?))), source)
            }
        };
        let mut value = HeaderValue::try_from(value)
            .map_err(|_| OptionError::new(source.option, "has characters that no header can have"))?;
        value.set_sensitive(true);
        Ok(Some(value))
    }
}

impl Source {
    fn read(&self) -> Result<String, OptionError> {
        let Some(file) = &self.file else {
            return Ok(self.secret.as_ref().map(Secret::reveal).unwrap_or_default().to_owned());
        };
        let option = format!("{}_file", self.option);
        match read(file) {
            Ok(secret) if !secret.is_empty() => Ok(secret),
            Ok(_) => Err(OptionError::new(option, format!("{} is empty", file.display()))),
            Err(error) => {
                Err(OptionError::new(option, format!("{} cannot be read: {error}", file.display())))
            }
        }
    }
}

fn read(file: &Path) -> std::io::Result<String> {
    let mut secret = String::new();
    File::open(file)?.take(MAX_SECRET).read_to_string(&mut secret)?;
    Ok(secret.trim_end_matches(['\r', '\n']).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_again_once_its_secret_was_refused() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("token");
        std::fs::write(&file, "one\n").unwrap();
        let auth = Auth { bearer_file: Some(file.clone()), ..Auth::default() };
        let mut credentials = Credentials::new(&auth).unwrap();
        std::fs::write(&file, "two\n").unwrap();
        assert_eq!(credentials.header().unwrap().unwrap(), "Bearer one");
        credentials.forget();
        assert_eq!(credentials.header().unwrap().unwrap(), "Bearer two");
    }

    #[test]
    fn what_cannot_be_read_names_its_option() {
        let auth = Auth { api_key_file: Some("/nowhere/key".into()), ..Auth::default() };
        let error = Credentials::new(&auth).map(drop).unwrap_err();
        assert_eq!(error.option, "auth.api_key_file");
        assert!(error.what.starts_with("/nowhere/key cannot be read: "), "{error:?}");
        let auth =
            Auth { username: Some("me".into()), password: Some(Secret::new("pass")), ..Auth::default() };
        assert_eq!(Credentials::new(&auth).unwrap().header().unwrap().unwrap(), "Basic bWU6cGFzcw==");
    }
}
