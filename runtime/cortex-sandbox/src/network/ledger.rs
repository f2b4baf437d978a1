//! What the requests of a call were, and which of them were refused, and why.

use std::sync::{Arc, Mutex, PoisonError};

use crate::ending::{Decision, Ending, Failure};
use crate::limits::limit_reached;
use crate::network::limits::HttpLimits;
use crate::network::rule::Target;
use crate::network::trace::RequestSpan;

/// One for every call that makes a request.
#[derive(Debug, Default)]
pub(crate) struct Ledger(Mutex<Entries>);

#[derive(Debug, Default)]
struct Entries {
    requests: u64,
    sent_bytes: u64,
    received_bytes: u64,
    open: u64,
    decisions: Vec<Decision>,
    refusal: Option<FirstRefusal>,
}

/// What a guest did not get, and how its call ends if it cannot do without.
#[derive(Debug)]
pub(crate) struct FirstRefusal {
    pub(crate) ending: Ending,
    pub(crate) failure: Failure,
}

/// What a ledger says at the end of a call.
#[derive(Debug, Default)]
pub(crate) struct Account {
    pub(crate) requests: u64,
    /// Bytes of all bodies.
    pub(crate) sent_bytes: u64,
    pub(crate) received_bytes: u64,
    pub(crate) decisions: Vec<Decision>,
    /// The first refusal: those that follow it often follow from it.
    pub(crate) refusal: Option<FirstRefusal>,
}

/// A request that goes on until this is dropped.
#[derive(Debug)]
pub(crate) struct Ticket(Arc<Ledger>);

/// Which limit of how many requests is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Full {
    InAll,
    AtOnce,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.0.with(|entries| entries.open -= 1);
    }
}

impl Ledger {
    /// A piece of a request's body went out.
    pub(crate) fn sent(&self, bytes: u64) {
        self.with(|entries| entries.sent_bytes += bytes);
    }

    /// A piece of an answer's body came in.
    pub(crate) fn received(&self, bytes: u64) {
        self.with(|entries| entries.received_bytes += bytes);
    }

    fn with<T>(&self, change: impl FnOnce(&mut Entries) -> T) -> T {
        // Each change is whole before the next statement, so a poisoned lock is still good.
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Counts a request.
    pub(crate) fn begin(self: &Arc<Self>, limits: &HttpLimits) -> Result<Ticket, Full> {
        let full = self.with(|entries| {
            entries.requests += 1;
            if entries.requests > limits.requests {
                return Some(Full::InAll);
            }
            if entries.open >= limits.concurrent {
                return Some(Full::AtOnce);
            }
            entries.open += 1;
            None
        });
        match full {
            None => Ok(Ticket(Arc::clone(self))),
            Some(full @ Full::InAll) => {
                self.exceeded("requests", &format!("more than {} HTTP requests", limits.requests));
                Err(full)
            }
            Some(full @ Full::AtOnce) => {
                self.exceeded("concurrent", &format!("more than {} HTTP requests at the same time", limits.concurrent));
                Err(full)
            }
        }
    }

    /// A request goes out.
    pub(crate) fn allowed(&self, target: &Target, rule: &str, request: Option<RequestSpan>) {
        let decision = Decision {
            capability: "network",
            target: target.to_string(),
            allowed: true,
            rule: Some(rule.to_owned()),
            reason: None,
            request,
        };
        self.with(|entries| entries.decisions.push(decision));
    }

    /// A request that is traced was answered, or has failed.
    pub(crate) fn answered(&self, request: &RequestSpan, status: Option<u16>) {
        let took = request.began.elapsed().ok();
        self.with(|entries| {
            let mut requests = entries.decisions.iter_mut().rev().filter_map(|decision| decision.request.as_mut());
            if let Some(entered) = requests.find(|entered| entered.id == request.id) {
                (entered.took, entered.status) = (took, status);
            }
        });
    }

    /// A request did not go out. Bounded as the requests are: none is refused twice.
    pub(crate) fn denied(&self, target: String, reason: String, hint: Option<String>) {
        let failure = Failure {
            hint,
            details: Some(serde_json::json!({ "capability": "network", "target": target })),
            ..Failure::new(Ending::Denied.as_str(), format!("the request `{target}` was refused: {reason}"))
        };
        let decision =
            Decision { capability: "network", target, allowed: false, rule: None, reason: Some(reason), request: None };
        self.with(|entries| {
            entries.decisions.push(decision);
            entries.refusal.get_or_insert(FirstRefusal { ending: Ending::Denied, failure });
        });
    }

    /// A limit was hit, named as in `implementation.resources.http`.
    pub(crate) fn exceeded(&self, limit: &str, what: &str) {
        let name = format!("http.{limit}");
        let failure = limit_reached(&name, &format!("{what}: the limit `{name}`"));
        self.with(|entries| {
            entries.refusal.get_or_insert(FirstRefusal { ending: Ending::LimitExceeded, failure });
        });
    }

    /// How many requests were counted.
    pub(crate) fn requests(&self) -> u64 {
        self.with(|entries| entries.requests)
    }

    /// What was entered so far. The ledger begins anew.
    pub(crate) fn take(&self) -> Account {
        self.with(|entries| Account {
            requests: entries.requests,
            sent_bytes: entries.sent_bytes,
            received_bytes: entries.received_bytes,
            decisions: std::mem::take(&mut entries.decisions),
            refusal: entries.refusal.take(),
        })
    }
}
