//! What is answered to a request.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};

use super::metrics::{self, Form};
use super::page;
use super::window::Window;
use crate::proto::jid::Domain;

/// Nothing but what this listener serves itself is loaded, nothing is sent, nobody frames it.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

const TEXT: &str = "text/plain; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";
const JSON: &str = "application/json";

/// Answers a request that came to a loopback address, or to another one.
pub(super) async fn answer<B>(
    request: &Request<B>,
    is_loopback: bool,
    window: &Window,
) -> Response<Full<Bytes>> {
    // RFC 9110 §15.5.6: whoever may not use a method is told which there are.
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut response = said(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n");
        let allowed = HeaderValue::from_static("GET, HEAD");
        response.headers_mut().insert(header::ALLOW, allowed);
        return response;
    }
    if is_loopback && !names_this_host(request) {
        let text = "this is reached by its address or as localhost, and not by another name\n";
        return said(StatusCode::MISDIRECTED_REQUEST, text);
    }
    let path = request.uri().path();
    match path {
        "/" => match window.overview().await {
            Some(html) => found(HTML, html),
            None => failed(),
        },
        "/metrics" => {
            let form = form(request);
            match window.metrics(form).await {
                Some(text) => found(form.content_type(), text),
                None => failed(),
            }
        }
        "/status" => match window.status().await {
            Some(json) => found(JSON, json),
            None => failed(),
        },
        "/healthz" => said(StatusCode::OK, "it lives\n"),
        "/readyz" => match window.figures().await.map(|figures| figures.ready()) {
            Some(Ok(())) => said(StatusCode::OK, "it is ready\n"),
            Some(Err(why)) => said(StatusCode::SERVICE_UNAVAILABLE, &format!("{why}\n")),
            None => failed(),
        },
        "/page.css" => found("text/css; charset=utf-8", page::STYLE.into()),
        "/page.js" => found("text/javascript; charset=utf-8", page::SCRIPT.into()),
        "/icon.svg" => found("image/svg+xml", page::ICON.into()),
        _ => match path.strip_prefix(page::PARTNER).map(Domain::parse) {
            Some(Ok(domain)) => match window.partner(&domain).await {
                Some((StatusCode::OK, html)) => found(HTML, html),
                Some((status, html)) => respond(status, HTML, html),
                None => failed(),
            },
            _ => said(StatusCode::NOT_FOUND, "there is nothing here\n"),
        },
    }
}

/// A page of somebody else's, in a browser on this host, may make its own name lead to loopback, and
/// would then read what is answered. Such a request names the page's host.
fn names_this_host<B>(request: &Request<B>) -> bool {
    // RFC 9112 §3.2: one that has a host at all names it here.
    let Some(host) = request.headers().get(header::HOST) else {
        return true;
    };
    let Ok(host) = host.to_str() else {
        return false;
    };
    let Ok(authority) = host.parse::<hyper::http::uri::Authority>() else {
        return false;
    };
    let name = authority.host();
    let literal = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost") || literal.parse::<std::net::IpAddr>().is_ok()
}

/// The older form only for whoever knows no other.
fn form<B>(request: &Request<B>) -> Form {
    let accepts = request.headers().get_all(header::ACCEPT).iter();
    let accepts: Vec<_> = accepts.filter_map(|value| value.to_str().ok()).collect();
    let names = |kind: &str| accepts.iter().any(|value| value.contains(kind));
    match names("text/plain") && !names("application/openmetrics-text") {
        true => Form::Plain,
        false => Form::OpenMetrics,
    }
}

fn found(kind: &'static str, body: Bytes) -> Response<Full<Bytes>> {
    respond(StatusCode::OK, kind, body)
}

fn said(status: StatusCode, text: &str) -> Response<Full<Bytes>> {
    respond(status, TEXT, text.to_owned().into())
}

/// The report could not be made: a fault of the edge.
fn failed() -> Response<Full<Bytes>> {
    said(
        StatusCode::INTERNAL_SERVER_ERROR,
        "the report was not made\n",
    )
}

fn respond(status: StatusCode, kind: &'static str, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (CROSS_ORIGIN, "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

const CROSS_ORIGIN: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

impl Form {
    fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => metrics::OPEN_METRICS,
            Self::Plain => metrics::PLAIN,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: HeaderName, value: &str) -> Request<()> {
        Request::builder().header(name, value).body(()).unwrap()
    }

    #[test]
    fn a_name_that_may_be_somebody_elses_is_not_this_host() {
        for (host, want) in [
            ("127.0.0.1:9469", true),
            ("127.0.0.1", true),
            ("[::1]:9469", true),
            ("LocalHost:9469", true),
            ("evil.example", false),
            ("evil.example:9469", false),
            ("localhost.evil.example", false),
            ("127.0.0.1.evil.example", false),
            ("", false),
            ("a b", false),
        ] {
            assert_eq!(names_this_host(&with(header::HOST, host)), want, "{host}");
        }
        assert!(names_this_host(&Request::new(())));
    }

    #[test]
    fn the_older_form_is_for_whoever_knows_no_other() {
        for (accept, want) in [
            ("*/*", Form::OpenMetrics),
            ("text/plain;version=0.0.4", Form::Plain),
            (
                "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                Form::OpenMetrics,
            ),
            (
                "text/html,application/xhtml+xml,*/*;q=0.8",
                Form::OpenMetrics,
            ),
        ] {
            assert_eq!(form(&with(header::ACCEPT, accept)), want, "{accept}");
        }
        assert_eq!(form(&Request::new(())), Form::OpenMetrics);
    }
}
