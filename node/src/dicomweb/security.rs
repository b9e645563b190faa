//! The guard before every page of the desk: who asks, from where, and what a browser may keep.
//!
//! Other users of the machine, other pages in the browser, DNS rebinding and the disk cache are
//! the threats. So: a token for the session, a Host that is this machine's, an Origin that is
//! ours, and answers that nothing may store, frame or run scripts from.

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_SECURITY_POLICY, COOKIE, HOST, ORIGIN, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use std::sync::Arc;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Name of the session cookie.
pub const SESSION_COOKIE: &str = "radmesh_session";

/// Policy of answers that are data: nothing in them may load, run or be framed. A page that
/// needs more sets its own.
const DATA_POLICY: &str = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; \
                           form-action 'none'; sandbox";

/// A session's secret: 32 random bytes in hexadecimal. It has no `Debug`.
#[derive(Clone)]
pub struct SessionToken(Zeroizing<String>);

impl SessionToken {
    /// The token of 32 bytes from the operating system's generator.
    pub fn new(secret: [u8; 32]) -> Self {
        let secret = Zeroizing::new(secret);
        let mut text = Zeroizing::new(String::with_capacity(64));
        for byte in secret.iter() {
            for nibble in [byte >> 4, byte & 0xf] {
                text.push(char::from_digit(u32::from(nibble), 16).unwrap_or('0'));
            }
        }
        Self(text)
    }

    /// The characters, for the link that opens the desk.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether `given` is the token, in time that does not depend on where they differ.
    pub fn matches(&self, given: &str) -> bool {
        self.0.as_bytes().ct_eq(given.as_bytes()).into()
    }
}

/// What the guard checks against.
#[derive(Clone)]
pub struct Guard {
    port: u16,
    token: SessionToken,
}

impl Guard {
    /// A guard for pages on loopback port `port`, opened by `token`.
    pub fn new(port: u16, token: SessionToken) -> Self {
        Self { port, token }
    }

    /// Puts the guard before every route of `router`.
    pub fn protect(self, router: Router) -> Router {
        router.layer(from_fn_with_state(Arc::new(self), check))
    }

    /// Whether a request may pass. Sockets that are upgraded go through the same check.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn admit(&self, headers: &HeaderMap) -> Result<(), Refused> {
        let host = single(headers, &HOST).ok_or(Refused::Host)?;
        // A name that was rebound to loopback is what this is against. Some clients
        // (dicomweb-client of Python is one) leave the port away, which names no other machine.
        if !self.is_ours(host) && !is_loopback(host) {
            return Err(Refused::Host);
        }
        if headers.contains_key(ORIGIN) {
            let origin = single(headers, &ORIGIN).and_then(|o| o.strip_prefix("http://"));
            if !origin.is_some_and(|origin| self.is_ours(origin)) {
                return Err(Refused::Origin);
            }
        }
        let fetch_site = single(headers, &HeaderName::from_static("sec-fetch-site"));
        if fetch_site.is_some_and(|site| site == "cross-site" || site == "same-site") {
            return Err(Refused::Origin);
        }
        let bearer = single(headers, &AUTHORIZATION).and_then(|v| v.strip_prefix("Bearer "));
        let admitted = match bearer {
            Some(bearer) => self.token.matches(bearer.trim()),
            None => cookies(headers).any(|cookie| self.token.matches(cookie)),
        };
        if admitted {
            Ok(())
        } else {
            Err(Refused::Token)
        }
    }

    /// Whether `authority` names this machine's loopback and our port.
    fn is_ours(&self, authority: &str) -> bool {
        let named = authority.rsplit_once(':');
        named.is_some_and(|(name, port)| is_loopback(name) && port.parse() == Ok(self.port))
    }
}

/// Whether `name` is one of this machine alone, as a Host header has it.
fn is_loopback(name: &str) -> bool {
    name.eq_ignore_ascii_case("localhost") || name == "127.0.0.1" || name == "[::1]"
}

/// Why a request is turned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The Host header is missing or names another machine or another port.
    #[error("unknown host")]
    Host,
    /// The request comes from another site.
    #[error("foreign origin")]
    Origin,
    /// No token, or a wrong one.
    #[error("no valid session")]
    Token,
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let status = match self {
            Self::Host => StatusCode::MISDIRECTED_REQUEST,
            Self::Origin => StatusCode::FORBIDDEN,
            Self::Token => StatusCode::UNAUTHORIZED,
        };
        (status, self.to_string()).into_response()
    }
}

async fn check(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    let mut response = match guard.admit(request.headers()) {
        Ok(()) => next.run(request).await,
        Err(refused) => refused.into_response(),
    };
    seal(response.headers_mut());
    response
}

/// Headers of every answer.
fn seal(headers: &mut HeaderMap) {
    let fixed = |value| HeaderValue::from_static(value);
    headers.insert(CACHE_CONTROL, fixed("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, fixed("nosniff"));
    headers.insert(X_FRAME_OPTIONS, fixed("DENY"));
    headers.insert(REFERRER_POLICY, fixed("no-referrer"));
    headers.insert("cross-origin-resource-policy", fixed("same-origin"));
    headers.insert("cross-origin-opener-policy", fixed("same-origin"));
    headers
        .entry(CONTENT_SECURITY_POLICY)
        .or_insert(fixed(DATA_POLICY));
}

/// A header that is there once and is text.
fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok(),
        (_, _) => None,
    }
}

/// Values of our session cookie.
fn cookies(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(|(name, _)| *name == SESSION_COOKIE)
        .map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(pairs: &[(&'static str, &str)]) -> Result<(), Refused> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().expect("a header value"));
        }
        Guard::new(8042, SessionToken::new([0xab; 32])).admit(&headers)
    }

    #[test]
    fn only_ours_pass() {
        let token = "ab".repeat(32);
        let bearer = format!("Bearer {token}");
        let cookie = format!("other=1; {SESSION_COOKIE}={token}");
        for host in [
            "localhost:8042",
            "127.0.0.1:8042",
            "[::1]:8042",
            "LOCALHOST:8042",
            "localhost",
            "[::1]",
        ] {
            assert_eq!(
                verdict(&[("host", host), ("authorization", &bearer)]),
                Ok(())
            );
            assert_eq!(verdict(&[("host", host), ("cookie", &cookie)]), Ok(()));
        }
        let hosts = [
            "evil.example:8042",
            "evil.example",
            "localhost:80",
            "localhost.evil:8042",
            "localhost.evil",
            "8042",
        ];
        for host in hosts {
            let refused = verdict(&[("host", host), ("authorization", &bearer)]);
            assert_eq!(refused, Err(Refused::Host), "{host}");
        }
        assert_eq!(verdict(&[("authorization", &bearer)]), Err(Refused::Host));
        let good = [
            ("host", "localhost:8042"),
            ("authorization", bearer.as_str()),
        ];
        let with = |name, value| verdict(&[good[0], good[1], (name, value)]);
        assert_eq!(
            with("host", "localhost:8042"),
            Err(Refused::Host),
            "two hosts"
        );
        assert_eq!(with("origin", "http://localhost:8042"), Ok(()));
        for origin in [
            "null",
            "http://localhost:80",
            "https://localhost:8042",
            "http://evil",
        ] {
            assert_eq!(with("origin", origin), Err(Refused::Origin), "{origin}");
        }
        assert_eq!(with("sec-fetch-site", "cross-site"), Err(Refused::Origin));
        assert_eq!(with("sec-fetch-site", "same-origin"), Ok(()));
        let host = good[0];
        assert_eq!(verdict(&[host]), Err(Refused::Token));
        assert_eq!(
            verdict(&[host, ("authorization", "Bearer ab")]),
            Err(Refused::Token)
        );
        // A wrong bearer is not saved by a right cookie.
        let both = [
            host,
            ("authorization", "Bearer ab"),
            ("cookie", cookie.as_str()),
        ];
        assert_eq!(verdict(&both), Err(Refused::Token));
    }
}
