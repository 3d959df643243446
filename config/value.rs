//! How single values are read: durations, counts, addresses.
//!
//! Each takes a text as well as the natural TOML type, since a variable of the environment is always a text,
//! and each says what to write instead when it refuses.

use std::{borrow::Cow, fmt, net::SocketAddr, time::Duration};

use serde::{
    Deserialize, Deserializer,
    de::{self, IntoDeserializer},
};

/// `"100 ms"`, `"5 s"`, `"1 min 30 s"`. A number alone is refused: nobody can know its unit.
pub(crate) fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text: String = scalar(deserializer, "a duration: a number and a unit, e.g. \"5 s\"")?;
    parse_duration(&text).map_err(de::Error::custom)
}

/// A [`duration`] that may be missing.
pub(crate) fn optional_duration<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Duration>, D::Error> {
    duration(deserializer).map(Some)
}

/// Any text; a number is its digits, as in a variable of the environment.
pub(crate) fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    scalar(deserializer, "a text in quotes")
}

/// A [`text`] that may be missing.
pub(crate) fn optional_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    text(deserializer).map(Some)
}

/// `true` or `false`.
pub(crate) fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    let text: String = scalar(deserializer, "true or false")?;
    text.parse().map_err(|_| de::Error::custom(format_args!("{text:?} is neither true nor false")))
}

/// An array of texts, or in a variable one text with commas.
pub(crate) fn list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    struct Visitor;
    impl<'de> de::Visitor<'de> for Visitor {
        type Value = Vec<String>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an array of texts")
        }

        fn visit_str<E>(self, text: &str) -> Result<Vec<String>, E> {
            Ok(text.split(',').map(|item| item.trim().to_owned()).filter(|item| !item.is_empty()).collect())
        }

        fn visit_seq<A: de::SeqAccess<'de>>(self, mut items: A) -> Result<Vec<String>, A::Error> {
            let mut list = Vec::new();
            while let Some(item) = items.next_element()? {
                list.push(item);
            }
            Ok(list)
        }
    }
    deserializer.deserialize_any(Visitor)
}

/// The URL of an HTTP server: `https://host[:port][/path]`. Its path and its query may hold the token of a collector: what a
/// log shows of it is its authority.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Url(String);

impl Url {
    /// As written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its host, with the port if it has one.
    #[must_use]
    pub fn authority(&self) -> &str {
        let rest = self.0.split_once("://").map_or("", |(_, rest)| rest);
        rest.split(['/', '?', '#']).next().unwrap_or_default()
    }

    /// Whether none was given.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Url").field(&self.authority()).finish_non_exhaustive()
    }
}

impl TryFrom<&str> for Url {
    type Error = String;

    /// Nothing of it is repeated in the error: path and query hold the tokens of some collectors.
    fn try_from(text: &str) -> Result<Self, String> {
        const EXAMPLE: &str = "write e.g. \"https://collector.internal:8443/audit\"";
        if text.contains('@') {
            return Err(
                "has a user; remove everything up to the @, and give auth.username and auth.password".into(),
            );
        }
        let uri: http::Uri = text.trim().parse().map_err(|_| format!("is no URL; {EXAMPLE}"))?;
        let port = uri.authority().and_then(|authority| authority.as_str().rsplit_once(':'));
        if port
            .is_some_and(|(_, port)| !port.contains(']') && !port.parse::<u16>().is_ok_and(|port| port > 0))
        {
            return Err("has a port that is none; write 1 to 65535".into());
        }
        match (uri.scheme_str(), uri.host()) {
            (Some("http" | "https"), Some(host)) if !host.is_empty() => Ok(Self(text.trim().to_owned())),
            _ => Err(format!("is no URL of an HTTP server; {EXAMPLE}")),
        }
    }
}

impl<'de> Deserialize<'de> for Url {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        Self::try_from(text.as_ref()).map_err(de::Error::custom)
    }
}

/// A whole number of 32 bits.
pub(crate) fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    let text: String = scalar(deserializer, "a whole number")?;
    let number: Option<u32> = text.trim().parse().ok();
    let number = number.and_then(|number| usize::try_from(number).ok());
    number.ok_or_else(|| {
        de::Error::custom(format_args!("{text:?} is not a whole number from 0 to {}", u32::MAX))
    })
}

/// `"127.0.0.1:6432"` or `"[::1]:6432"`.
pub(crate) fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse_address(&text).map_err(de::Error::custom)
}

/// An [`address`] that may be missing.
pub(crate) fn optional_address<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<SocketAddr>, D::Error> {
    address(deserializer).map(Some)
}

/// One of an enum's names. Figment alone would also take the number of a variant.
pub(crate) fn choice<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    T::deserialize(String::deserialize(deserializer)?.into_deserializer())
}

/// A [`choice`] that may be missing.
pub(crate) fn optional_choice<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    choice(deserializer).map(Some)
}

fn parse_duration(text: &str) -> Result<Duration, String> {
    if text.trim().parse::<f64>().is_ok() {
        return Err(format!("{text:?} has no unit; write e.g. \"100 ms\", \"5 s\" or \"1 min\""));
    }
    humantime::parse_duration(text).map_err(|_| {
        format!(
            "{text:?} is not a duration; write a number and a unit, e.g. \"100 ms\", \"5 s\" or \"1 min\""
        )
    })
}

fn parse_address(text: &str) -> Result<SocketAddr, String> {
    text.trim().parse().map_err(|_| {
        format!(
            "{text:?} is not an address; write an IP and a port, e.g. \"127.0.0.1:6432\" or \"[::1]:6432\""
        )
    })
}

/// A text, or a number as its text.
fn scalar<'de, D: Deserializer<'de>>(deserializer: D, expecting: &'static str) -> Result<String, D::Error> {
    struct Visitor(&'static str);
    impl de::Visitor<'_> for Visitor {
        type Value = String;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }

        fn visit_bool<E>(self, value: bool) -> Result<String, E> {
            Ok(value.to_string())
        }

        fn visit_i64<E>(self, number: i64) -> Result<String, E> {
            Ok(number.to_string())
        }

        fn visit_u64<E>(self, number: u64) -> Result<String, E> {
            Ok(number.to_string())
        }

        fn visit_f64<E>(self, number: f64) -> Result<String, E> {
            Ok(number.to_string())
        }

        fn visit_str<E>(self, text: &str) -> Result<String, E> {
            Ok(text.to_owned())
        }
    }
    deserializer.deserialize_any(Visitor(expecting))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_need_a_unit() {
        assert_eq!(parse_duration("100 ms"), Ok(Duration::from_millis(100)));
        assert_eq!(parse_duration("1min 30s"), Ok(Duration::from_secs(90)));
        assert_eq!(
            parse_duration("5").unwrap_err(),
            r#""5" has no unit; write e.g. "100 ms", "5 s" or "1 min""#
        );
        assert!(parse_duration("soon").unwrap_err().starts_with(r#""soon" is not a duration; write "#));
    }

    #[test]
    fn of_a_url_only_the_authority_is_shown() {
        for (url, authority) in [
            ("https://collector:8443/in/SEKRET?token=SEKRET", "collector:8443"),
            ("http://[::1]:8080?token=SEKRET", "[::1]:8080"),
            ("http://h", "h"),
        ] {
            let url = Url::try_from(url).unwrap();
            assert_eq!((url.authority(), format!("{url:?}").contains("SEKRET")), (authority, false));
        }
    }

    #[test]
    fn an_address_is_an_ip_and_a_port() {
        assert!(parse_address("[::1]:6432").is_ok());
        for text in ["localhost:6432", ":6432", "127.0.0.1", ""] {
            assert!(parse_address(text).unwrap_err().contains("write an IP and a port"), "{text:?}");
        }
    }
}
