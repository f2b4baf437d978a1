//! The way of one request: counted, checked, resolved once, checked again, sent.
//!
//! Every request has a connection of its own that speaks HTTP/1.1, so there is no other request that a smuggled one could
//! reach, and none of the attacks on HTTP/2. Redirects are the guest's affair: the next hop is a request like any other.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use http::header::HOST;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Request, Response, Uri};
use hyper::client::conn::http1;
use tokio::time::timeout;
use wasmtime_wasi_http::io::TokioIo;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody};

use crate::guest::Grants;
use crate::network::address::Class;
use crate::network::body::{RequestBody, ResponseBody};
use crate::network::connect::{connect, resolve};
use crate::network::ledger::{Full, Ledger, Ticket};
use crate::network::limits::HttpLimits;
use crate::network::rule::{Host, NetworkRule, Reach, Target};
use crate::network::trace::RequestSpan;
use crate::secret::{Mask, Secret, SecretPlace, percent_encoded};

/// What is behind the requests of one call.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    pub(crate) grants: Arc<Grants>,
    pub(crate) limits: HttpLimits,
    pub(crate) ledger: Arc<Ledger>,
    /// The trace that the call is a part of.
    pub(crate) traceparent: Option<HeaderValue>,
}

/// The rest of a request's work, once there is an answer: reading the connection.
pub(crate) type Rest = Box<dyn Future<Output = Result<(), Error>> + Send>;

/// Where a request may go, and why.
#[derive(Debug)]
pub(crate) struct Route {
    rule: String,
    reach: Reach,
    /// A service of this machine, which is where it is and is not looked up.
    address: Option<SocketAddr>,
}

impl Client {
    pub(crate) async fn send(
        self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
    ) -> Result<(Response<WasiBody>, Rest), Error> {
        let ticket = self.ledger.begin(&self.limits).map_err(|full| match full {
            Full::InAll => Error::HttpRequestDenied,
            Full::AtOnce => Error::ConnectionLimitReached,
        })?;
        let (mut parts, body) = request.into_parts();
        let target = self.target(&parts)?;
        let route = self.route(&target)?;
        let reach = route.reach;
        self.add_secrets(&mut parts, &target, reach)?;
        let span = self.traceparent.as_ref().and_then(RequestSpan::below).map(|(span, header)| {
            parts.headers.insert("traceparent", header);
            span
        });
        self.check_headers(&parts)?;
        let ledger = Arc::clone(&self.ledger);
        let sent = self.exchange(parts, body, ticket, &target, &route, span.clone(), options).await;
        if let Some(span) = &span {
            ledger.answered(span, sent.as_ref().ok().map(|(response, _)| response.status().as_u16()));
        }
        sent
    }

    /// Connects, sends and waits for the answer to begin.
    #[expect(clippy::too_many_arguments, reason = "what is known of a request that was checked, once")]
    async fn exchange(
        self,
        mut parts: Parts,
        body: WasiBody,
        ticket: Ticket,
        target: &Target,
        route: &Route,
        span: Option<RequestSpan>,
        options: Option<RequestOptions>,
    ) -> Result<(Response<WasiBody>, Rest), Error> {
        let options = options.unwrap_or_default();
        let patience =
            |asked: Option<Duration>| asked.map_or(self.limits.timeout, |asked| asked.min(self.limits.timeout));

        let connecting = async {
            let addresses = self.addresses(target, route, span).await?;
            connect(target, &addresses).await
        };
        let stream = timeout(patience(options.connect_timeout), connecting).await;
        let stream = stream.map_err(|_| Error::ConnectionTimeout)??;
        let mut http = http1::Builder::new();
        // The least that hyper accepts is 8 KiB.
        http.max_buf_size(usize::try_from(self.limits.header_bytes).unwrap_or(usize::MAX).max(8 << 10));
        let (mut sender, connection) = http.handshake(TokioIo::new(stream)).await?;

        // The server is told what was checked, in the form that was checked.
        parts.uri = origin_form(&parts.uri)?;
        let server = HeaderValue::try_from(target.server()).map_err(|_| Error::HttpRequestUriInvalid)?;
        parts.headers.insert(HOST, server);
        let body = RequestBody {
            body,
            left: self.limits.request_bytes,
            limits: self.limits,
            ledger: Arc::clone(&self.ledger),
        };
        let mut connection = Box::pin(connection);
        let mut closed = false;
        let response = {
            let sending = sender.send_request(Request::from_parts(parts, body));
            let mut sending = pin!(timeout(patience(options.first_byte_timeout), sending));
            // The answer only comes if somebody reads the connection.
            std::future::poll_fn(|cx| {
                if !closed && let Poll::Ready(_told_to_the_sender) = connection.as_mut().poll(cx) {
                    closed = true;
                }
                sending.as_mut().poll(cx)
            })
            .await
        };
        let response = response.map_err(|_| Error::ConnectionReadTimeout)?;
        let response = response.map_err(|error| failed(error, &self.limits, &self.ledger))?;
        let patience = patience(options.between_bytes_timeout);
        let Self { limits, ledger, grants, .. } = self;
        let mask = Mask::new(&grants.secrets);
        let mut response = response.map(|body| {
            let left = limits.response_bytes;
            WasiBody::new(ResponseBody { body, left, limits, ledger, patience, waiting: None, mask, _ticket: ticket })
        });
        mask_headers(response.headers_mut(), &grants.secrets);
        let rest = async move { if closed { Ok(()) } else { connection.await.map_err(Error::from) } };
        Ok((response, Box::new(rest)))
    }

    fn target(&self, parts: &Parts) -> Result<Target, Error> {
        Target::of(parts).map_err(|reason| {
            // Nothing of the address is shown: it may carry a password.
            self.ledger.denied(parts.method.to_string(), reason.to_owned(), None);
            Error::HttpRequestUriInvalid
        })
    }

    /// Where a request may go: to a service of this machine that has the name, or where the rules say.
    pub(crate) fn route(&self, target: &Target) -> Result<Route, Error> {
        if !target.https
            && let Some(route) = self.service(target)?
        {
            return Ok(route);
        }
        if let Host::Name(name) = &target.host
            && let Some(refusal) = self.grants.refused.iter().find(|refusal| {
                let decision = &refusal.decision;
                decision.capability == "relics" && decision.target == *name
            })
        {
            // The name of a relic is nobody else's: lines for `network` would not help.
            let reason = format!("the relic `{name}` was asked for and not granted");
            self.ledger.denied(target.to_string(), reason, Some(refusal.hint.clone()));
            return Err(Error::HttpRequestDenied);
        }
        let (rule, reach) = self.permitted(target)?;
        Ok(Route { rule: rule.text.clone(), reach, address: None })
    }

    /// The service of this machine that has the name, if the call was granted it.
    pub(crate) fn service(&self, target: &Target) -> Result<Option<Route>, Error> {
        let Host::Name(name) = &target.host else { return Ok(None) };
        let Some(service) = self.grants.services.iter().find(|service| service.name == *name) else { return Ok(None) };
        let Some(address) = service.address(target.port) else {
            let reason = format!("the relic `{name}` does not run, or not on port {}", target.port);
            let hint =
                format!("run `cortex-wasm relic start {name}`, and `cortex-wasm relic status {name}` for its ports");
            self.ledger.denied(target.to_string(), reason, Some(hint));
            return Err(Error::HttpRequestDenied);
        };
        Ok(Some(Route { rule: format!("relics: [{name}]"), reach: Reach::Named, address: Some(address) }))
    }

    /// The addresses of a server, checked, and the request entered as one that goes out.
    pub(crate) async fn addresses(
        &self,
        target: &Target,
        route: &Route,
        span: Option<RequestSpan>,
    ) -> Result<Vec<SocketAddr>, Error> {
        let addresses = if let Some(address) = route.address {
            vec![address]
        } else {
            let addresses = resolve(&target.host, target.port).await?;
            self.check_addresses(target, route.reach, &addresses)?;
            addresses
        };
        self.ledger.allowed(target, &route.rule, span);
        Ok(addresses)
    }

    /// The rule that covers a request, and which addresses the server may have by all rules together.
    fn permitted(&self, target: &Target) -> Result<(&NetworkRule, Reach), Error> {
        let (rule, asked) = self.asked(target)?;
        let operator = &self.grants.operator;
        if let Some(rule) = operator.denied.iter().find(|rule| rule.covers_anyhow(target)) {
            let reason = format!("the operator denies `{}`", rule.text);
            let hint = format!("the policy's `deny` of `{}` names it", operator.tool);
            self.ledger.denied(target.to_string(), reason, Some(hint));
            return Err(Error::HttpRequestDenied);
        }
        let Some(granted) = &operator.granted else { return Ok((rule, asked)) };
        let Some(granted) = granted.iter().filter_map(|rule| rule.covers(target)).max() else {
            let reason = "the operator has not granted it".to_owned();
            let url = format!("{}://{}", target.scheme(), target.server());
            let hint = operator.would_grant(&format!("network: [\"{url}\"]"));
            self.ledger.denied(target.to_string(), reason, Some(hint));
            return Err(Error::HttpRequestDenied);
        };
        Ok((rule, asked.min(granted)))
    }

    /// The rule of the manifest that covers a request.
    fn asked(&self, target: &Target) -> Result<(&NetworkRule, Reach), Error> {
        let covering = self.grants.network.iter().filter_map(|rule| Some((rule, rule.covers(target)?)));
        covering.max_by_key(|(_, reach)| *reach).ok_or_else(|| {
            let reason = if self.grants.network.is_empty() {
                "the tool was granted no network"
            } else {
                "no rule that was granted covers it"
            };
            self.ledger.denied(target.to_string(), reason.to_owned(), Some(self.would_allow(target, None)));
            Error::HttpRequestDenied
        })
    }

    /// Puts the secrets into a request that goes to one of their servers. Without TLS only to a server that was named as
    /// private: anybody on the way could read it.
    fn add_secrets(&self, parts: &mut Parts, target: &Target, reach: Reach) -> Result<(), Error> {
        if self.grants.secrets.is_empty() || !(target.https || reach > Reach::Public) {
            return Ok(());
        }
        // What is packed could not be masked.
        parts.headers.insert(http::header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        for secret in self.grants.secrets.iter().filter(|secret| secret.hosts.iter().any(|host| host.is(&target.host)))
        {
            if let Some((name, value)) = secret.header() {
                parts.headers.insert(name, value);
            }
            if let SecretPlace::Query(name) = &secret.place {
                parts.uri = with_parameter(&parts.uri, name, &secret.value)?;
            }
        }
        Ok(())
    }

    fn check_headers(&self, parts: &Parts) -> Result<(), Error> {
        let headers: usize = parts.headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
        let address = parts.uri.path_and_query().map_or(0, |path| path.as_str().len());
        if (headers + address) as u64 <= self.limits.header_bytes {
            return Ok(());
        }
        let limit = self.limits.header_bytes;
        self.ledger.exceeded("headers", &format!("a request with headers of more than {limit} bytes"));
        Err(Error::HttpRequestHeaderSectionSize(u32::try_from(limit).ok()))
    }

    /// One address that may not be reached is enough: which one is connected to would be up to chance.
    fn check_addresses(&self, target: &Target, reach: Reach, addresses: &[SocketAddr]) -> Result<(), Error> {
        let refused = addresses.iter().map(|address| (address.ip(), Class::of(address.ip())));
        let Some((address, class)) = refused.into_iter().find(|(_, class)| !reach.allows(*class)) else {
            return Ok(());
        };
        let reason = match &target.host {
            Host::Address(address) => format!("{address} is {}", class.name()),
            Host::Name(name) => format!("`{name}` resolves to {address}, which is {}", class.name()),
        };
        let by_name = matches!(target.host, Host::Name(_));
        let hint = if by_name && !class.is_private() {
            "such an address is only reached by a rule and a request that name it, never through a name".to_owned()
        } else {
            self.would_allow(target, by_name.then_some("private"))
        };
        self.ledger.denied(target.to_string(), reason, Some(hint));
        Err(Error::DestinationIpProhibited)
    }

    /// The lines of a manifest that would allow a request, no wider than those that are there.
    fn would_allow(&self, target: &Target, scheme: Option<&str>) -> String {
        let same: Vec<_> = self.grants.network.iter().filter(|rule| rule.covers_server(target).is_some()).collect();
        let path =
            if !same.is_empty() && same.iter().all(|rule| !rule.path.is_empty()) { target.path.as_str() } else { "" };
        let server = match scheme {
            None => target.server(),
            // `private` has no port of its own that would tell the two schemes apart.
            Some(_) => format!("{}:{}", target.host, target.port),
        };
        let url = format!("{}://{server}{path}", scheme.unwrap_or(target.scheme()));
        let rule = if !same.is_empty() && same.iter().all(|rule| !rule.methods.is_empty()) {
            format!("{{ url: \"{url}\", methods: [{}] }}", target.method)
        } else {
            format!("\"{url}\"")
        };
        let manifest = format!("add to the manifest:\npermissions:\n  network: [{rule}]");
        let operator = &self.grants.operator;
        match &operator.granted {
            Some(granted) if !granted.iter().any(|rule| rule.covers(target).is_some()) => {
                format!("{manifest}\nand {}", operator.would_grant(&format!("network: [{rule}]")))
            }
            _ => manifest,
        }
    }
}

/// The address with a parameter of its query set.
fn with_parameter(uri: &Uri, name: &str, value: &str) -> Result<Uri, Error> {
    let kept = uri.query().unwrap_or_default().split('&').filter(|pair| pair.split('=').next() != Some(name));
    let mut query: Vec<String> = kept.filter(|pair| !pair.is_empty()).map(ToOwned::to_owned).collect();
    query.push(format!("{name}={}", percent_encoded(value)));
    let mut parts = uri.clone().into_parts();
    let path = format!("{}?{}", uri.path(), query.join("&"));
    parts.path_and_query = Some(path.parse().map_err(|_| Error::HttpRequestUriInvalid)?);
    Uri::from_parts(parts).map_err(|_| Error::HttpRequestUriInvalid)
}

/// A server may answer with what it was sent.
fn mask_headers(headers: &mut HeaderMap, secrets: &[Secret]) {
    let Some(mut mask) = Mask::new(secrets) else { return };
    for value in headers.values_mut() {
        let mut masked = mask.feed(value.as_bytes());
        masked.extend(mask.finish());
        if masked != value.as_bytes() {
            // Stars are allowed in every header.
            *value = HeaderValue::from_bytes(&masked).unwrap_or_else(|_| HeaderValue::from_static("*"));
        }
    }
}

/// The path and the query: a whole address in the first line of a request would speak to a proxy.
fn origin_form(uri: &Uri) -> Result<Uri, Error> {
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let path = if uri.path().is_empty() { "/" } else { uri.path() };
    format!("{path}{query}").parse().map_err(|_| Error::HttpRequestUriInvalid)
}

/// What went wrong on a connection, in the words of `wasi:http`.
pub(crate) fn failed(error: hyper::Error, limits: &HttpLimits, ledger: &Ledger) -> Error {
    if error.is_parse_too_large() {
        let limit = limits.header_bytes;
        ledger.exceeded(
            "headers",
            &format!("an answer with headers of more than {limit} bytes, or more than 100 of them"),
        );
        return Error::HttpResponseHeaderSectionSize(u32::try_from(limit).ok());
    }
    if error.is_user() {
        // The one way in which we end a request's body early.
        return Error::HttpRequestBodySize(Some(limits.request_bytes));
    }
    if error.is_incomplete_message() {
        return Error::HttpResponseIncomplete;
    }
    Error::Hyper(error)
}
