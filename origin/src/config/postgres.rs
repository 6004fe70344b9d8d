//! Where a PostgreSQL database is, as a URL.
//!
//! ```text
//! postgres://user:password@host:port/database?sslmode=verify-full&sslrootcert=ca.pem
//!                 ~~~~~~~~      ~~~~
//! postgres://user@/database?host=/run/postgresql          a Unix socket
//! ```
//!
//! User, password, host and database may be percent-encoded (RFC 3986 §2.1). The names of the options are those that every
//! program for PostgreSQL knows; any other is refused, since it would be one that nobody reads.

use std::fmt;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

/// Where a PostgreSQL database is, and who asks. The password is never printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostgresUrl {
    /// Who asks.
    pub user: String,
    /// What proves it, if it stands in the URL.
    pub password: Option<Password>,
    /// The server.
    pub server: Server,
    /// Its port, also where it is a Unix socket: the port is in the socket's name.
    pub port: u16,
    /// The database.
    pub database: String,
    /// Whether the connection is encrypted, and whom it trusts.
    pub tls: TlsMode,
    /// A PEM file of authorities that are trusted beside those of the system.
    pub authorities: Option<PathBuf>,
}

/// How a server is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Server {
    /// By its name or address, without brackets.
    Tcp(String),
    /// By a Unix socket in this folder.
    Socket(PathBuf),
}

/// What proves who asks.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(Zeroizing<String>);

/// Whether a connection is encrypted, and whom it trusts (`sslmode`). A Unix socket needs none of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TlsMode {
    /// In clear.
    Disable,
    /// Encrypted if the server can, whoever it is.
    #[default]
    Prefer,
    /// Encrypted, whoever the server is.
    Require,
    /// Encrypted, with a server whose certificate somebody trusted has signed.
    VerifyCa,
    /// And whose certificate has its name.
    VerifyFull,
}

impl PostgresUrl {
    /// Reads what follows `postgres://`; a relative `sslrootcert` starts at `base`.
    ///
    /// # Errors
    /// What was expected. What was found is not said: it may be the password.
    pub(super) fn parse(rest: &str, base: &Path) -> Result<Self, &'static str> {
        if rest.contains('#') {
            return Err("a # of a password to be written as %23");
        }
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, database) = place.split_once('/').ok_or(WHOLE)?;
        let (user, address) = authority.rsplit_once('@').ok_or(WHOLE)?;
        let (user, password) = match user.split_once(':') {
            Some((user, password)) => (user, Some(Password(Zeroizing::new(decoded(password)?)))),
            None => (user, None),
        };
        let (host, port) = split_address(address)?;
        let mut url = Self {
            user: decoded(user)?,
            password,
            server: server(decoded(host)?),
            port,
            database: decoded(database)?,
            tls: TlsMode::default(),
            authorities: None,
        };
        for option in query.split('&').filter(|option| !option.is_empty()) {
            url.take(option, base)?;
        }
        let has_server = url.server != Server::Tcp(String::new());
        match has_server && !url.user.is_empty() && !url.database.is_empty() && !database.contains('/') {
            true => Ok(url),
            false => Err(WHOLE),
        }
    }

    fn take(&mut self, option: &str, base: &Path) -> Result<(), &'static str> {
        let (name, value) = option.split_once('=').ok_or("options such as sslmode=verify-full")?;
        let value = decoded(value)?;
        match name {
            "sslmode" => self.tls = TlsMode::parse(&value)?,
            "sslrootcert" if !value.is_empty() => self.authorities = Some(base.join(value)),
            "host" if self.server == Server::Tcp(String::new()) => self.server = server(value),
            _ => {
                return Err(
                    "no options but sslmode, sslrootcert and, where no host stands in its place, host",
                );
            }
        }
        Ok(())
    }
}

impl TlsMode {
    fn parse(text: &str) -> Result<Self, &'static str> {
        let all = [Self::Disable, Self::Prefer, Self::Require, Self::VerifyCa, Self::VerifyFull];
        let found = all.into_iter().find(|mode| mode.as_str() == text);
        found.ok_or("an sslmode of disable, prefer, require, verify-ca or verify-full")
    }

    /// Its one name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Disable => "disable",
            Self::Prefer => "prefer",
            Self::Require => "require",
            Self::VerifyCa => "verify-ca",
            Self::VerifyFull => "verify-full",
        }
    }
}

impl Password {
    /// What a file holds: its text without the end of its line.
    pub fn of_file(text: &str) -> Self {
        Self(Zeroizing::new(text.trim_end_matches(['\n', '\r']).to_owned()))
    }

    /// The password itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password")
    }
}

/// Where it is and who asks, for people; no URL that could be used, since the password is missing.
impl fmt::Display for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { user, server, port, database, .. } = self;
        match server {
            Server::Tcp(host) if host.contains(':') => {
                write!(f, "postgres://{user}@[{host}]:{port}/{database}")
            }
            Server::Tcp(host) => write!(f, "postgres://{user}@{host}:{port}/{database}"),
            Server::Socket(folder) => {
                write!(f, "postgres://{user}@:{port}/{database}?host={}", folder.display())
            }
        }
    }
}

fn server(host: String) -> Server {
    match host.starts_with('/') {
        true => Server::Socket(host.into()),
        false => Server::Tcp(host),
    }
}

/// Host and port of an authority without its user (RFC 3986 §3.2).
fn split_address(address: &str) -> Result<(&str, u16), &'static str> {
    let (host, port) = match address.strip_prefix('[') {
        Some(rest) => rest.split_once(']').ok_or("an address of IPv6 to end in ]")?,
        None => address.split_at(address.find(':').unwrap_or(address.len())),
    };
    match port.strip_prefix(':') {
        Some(port) => {
            let port = port.parse().ok().filter(|port| *port > 0);
            port.map(|port| (host, port)).ok_or("a port from 1 to 65535")
        }
        None if port.is_empty() => Ok((host, PORT)),
        None => Err(WHOLE),
    }
}

/// A part without its percent signs. Control characters are part of no name, and a server reads no further than to a NUL.
fn decoded(part: &str) -> Result<String, &'static str> {
    let (mut bytes, mut rest) = (Vec::with_capacity(part.len()), part.bytes());
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                let value = digit().zip(digit()).map(|(high, low)| high * 16 + low);
                value.and_then(|value| u8::try_from(value).ok()).ok_or("a % to be followed by two digits")?
            }
            byte => byte,
        });
    }
    let text = String::from_utf8(bytes).map_err(|_| "text in UTF-8")?;
    match text.chars().any(char::is_control) {
        true => Err("no control characters"),
        false => Ok(text),
    }
}

const WHOLE: &str = "postgres://user@host/database or postgres://user:password@host:port/database";
const PORT: u16 = 5432;

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(rest: &str) -> Result<PostgresUrl, &'static str> {
        PostgresUrl::parse(rest, Path::new("/etc/forebay"))
    }

    #[test]
    fn every_part_is_read_and_all_but_the_password_is_printed() {
        let url =
            parse("ana%40x:p%3Aw%2f%25@db.internal:6432/for%20ebay?sslmode=verify-full&sslrootcert=ca.pem");
        let url = url.unwrap();
        assert_eq!(url.password.as_ref().map(Password::expose), Some("p:w/%"));
        assert_eq!((url.user.as_str(), url.database.as_str()), ("ana@x", "for ebay"));
        assert_eq!((&url.server, url.port), (&Server::Tcp("db.internal".into()), 6432));
        assert_eq!(url.tls, TlsMode::VerifyFull);
        assert_eq!(url.authorities.as_deref(), Some(Path::new("/etc/forebay/ca.pem")));
        assert_eq!(url.to_string(), "postgres://ana@x@db.internal:6432/for ebay");
        assert!(!format!("{url:?}").contains("p:w"), "{url:?}");
    }

    #[test]
    fn the_least_is_user_host_and_database() {
        let url = parse("forebay@db/forebay").unwrap();
        assert_eq!((url.password, url.port, url.tls, url.authorities), (None, 5432, TlsMode::Prefer, None));
        assert_eq!(parse("f@[::1]:1/f").unwrap().server, Server::Tcp("::1".into()));
        assert_eq!(parse("f@[::1]/f").unwrap().to_string(), "postgres://f@[::1]:5432/f");
        let socket = Server::Socket("/run/postgresql".into());
        for text in ["f@/f?host=/run/postgresql", "f@%2Frun%2Fpostgresql/f"] {
            assert_eq!(parse(text).unwrap().server, socket, "{text}");
        }
        assert_eq!(
            parse("f@/f?host=/run/postgresql").unwrap().to_string(),
            "postgres://f@:5432/f?host=/run/postgresql"
        );
    }

    #[test]
    fn what_is_wrong_is_said_without_what_was_found() {
        for bad in [
            "",
            "db/forebay",
            "f@db",
            "f@db/",
            "f:secret@/f",
            "@db/f",
            ":secret@db/f",
            "f:secret@db/f/g",
            "f:sec#ret@db/f",
            "f:secret%@db/f",
            "f:secret%0@db/f",
            "f:secret%ff@db/f",
            "f:secret%00@db/f",
            "f:secret@db:x/f",
            "f:secret@db:0/f",
            "f:secret@db:99999/f",
            "f:secret@[::1/f",
            "f:secret@[::1]x/f",
            "f:secret@db/f?sslmode=allow",
            "f:secret@db/f?sslmode",
            "f:secret@db/f?sslrootcert=",
            "f:secret@db/f?host=/run",
            "f:secret@db/f?connect_timeout=3",
        ] {
            let fault = parse(bad).unwrap_err();
            assert!(!fault.contains("secret"), "{fault}");
        }
    }
}
