//! Who may ask: pages of this server, in a browser on this machine. Other pages may send requests here, too; they are told apart by what
//! a browser says of them.

use tiny_http::{Header, Method, Request};

use super::Answer;

/// The longest body.
pub const MAX_BODY: usize = 256 << 10;

/// What every answer says: nobody else may frame it, keep it, or guess its type.
pub const HEADERS: [(&str, &str); 5] = [
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "SAMEORIGIN"),
    ("Content-Security-Policy", "frame-ancestors 'self'"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Cache-Control", "no-store"),
];

/// A header of ours.
pub fn header(name: &str, value: &str) -> Header {
    Header::from_bytes(name, value).expect("names and values are ASCII")
}

/// Refuses what does not come from a page of ours.
pub fn look(request: &Request, port: u16) -> Result<(), Answer> {
    let get = |name: &str| {
        let mine = |h: &&Header| h.field.as_str().as_str().eq_ignore_ascii_case(name);
        let found = request.headers().iter().filter(mine);
        found.map(|h| h.value.as_str()).collect()
    };
    look_at(request.method(), &get, request.body_length(), port)
}

fn look_at<'a>(
    method: &Method,
    get: &dyn Fn(&str) -> Vec<&'a str>,
    length: Option<usize>,
    port: u16,
) -> Result<(), Answer> {
    let here = [format!("127.0.0.1:{port}"), format!("localhost:{port}")];
    let refuse = |message| Err(Answer::error(403, message));
    // A name that somebody made point here is not ours (DNS rebinding).
    let hosts = get("Host");
    if hosts.len() != 1 || !here.iter().any(|h| h == hosts[0]) {
        return refuse("the Host header names another machine");
    }
    let origins = get("Origin");
    let ours = |origin: &&str| here.iter().any(|h| *origin == format!("http://{h}"));
    if !origins.iter().all(ours) {
        return refuse("a page of another origin asks");
    }
    // Older browsers leave it out; those that send it say the truth. `none`: the user typed the address.
    let sites = get("Sec-Fetch-Site");
    if !sites.iter().all(|s| ["same-origin", "none"].contains(s)) {
        return refuse("a page of another site asks");
    }
    match method {
        Method::Get => Ok(()),
        Method::Post if origins.len() != 1 => refuse("the Origin header is missing"),
        Method::Post if get("Content-Type") != ["application/json"] => {
            Err(Answer::error(415, "the body is not declared as JSON"))
        }
        Method::Post => match length {
            None => Err(Answer::error(411, "the length of the body is missing")),
            Some(n) if n > MAX_BODY => Err(Answer::error(413, "the test is too long")),
            Some(_) => Ok(()),
        },
        _ => Err(Answer::error(405, "there are only GET and POST")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(method: Method, headers: &[(&str, &'static str)], length: Option<usize>) -> u16 {
        let get = |name: &str| {
            let found = headers.iter().filter(|(n, _)| *n == name);
            found.map(|(_, value)| *value).collect()
        };
        look_at(&method, &get, length, 8090).map_or_else(|refused| refused.status, |()| 200)
    }

    const HOST: (&str, &str) = ("Host", "127.0.0.1:8090");
    const ORIGIN: (&str, &str) = ("Origin", "http://127.0.0.1:8090");
    const JSON: (&str, &str) = ("Content-Type", "application/json");

    #[test]
    fn a_page_of_ours_may_ask() {
        assert_eq!(status(Method::Get, &[HOST], None), 200);
        assert_eq!(status(Method::Post, &[HOST, ORIGIN, JSON], Some(10)), 200);
    }

    #[test]
    fn another_host_is_refused() {
        assert_eq!(status(Method::Get, &[], None), 403);
        for host in [
            "evil.example:8090",
            "127.0.0.1",
            "127.0.0.1:80",
            "127.0.0.1:8090.evil.example",
        ] {
            assert_eq!(status(Method::Get, &[("Host", host)], None), 403, "{host}");
        }
        assert_eq!(status(Method::Get, &[HOST, HOST], None), 403);
    }

    #[test]
    fn another_origin_is_refused() {
        for origin in ["http://evil.example", "null", "https://127.0.0.1:8090"] {
            let headers = [HOST, ("Origin", origin), JSON];
            assert_eq!(status(Method::Post, &headers, Some(1)), 403, "{origin}");
            assert_eq!(status(Method::Get, &headers, None), 403, "{origin}");
        }
        assert_eq!(status(Method::Post, &[HOST, JSON], Some(1)), 403);
        let cross = [HOST, ("Sec-Fetch-Site", "cross-site")];
        assert_eq!(status(Method::Get, &cross, None), 403);
    }

    #[test]
    fn a_form_and_a_long_body_are_refused() {
        let form = ("Content-Type", "text/plain");
        assert_eq!(status(Method::Post, &[HOST, ORIGIN, form], Some(1)), 415);
        let post = [HOST, ORIGIN, JSON];
        assert_eq!(status(Method::Post, &post, None), 411);
        assert_eq!(status(Method::Post, &post, Some(MAX_BODY + 1)), 413);
        assert_eq!(status(Method::Put, &post, Some(1)), 405);
    }
}
