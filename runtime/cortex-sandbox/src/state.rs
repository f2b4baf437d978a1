//! The state capability: values of a tool's own that outlive its calls, over `wasi:keyvalue`.
//!
//! The threat: a tool that reads another's values, or fills the disk or the host's memory. There is one bucket, `default`,
//! which is the tool's own whatever name a guest thinks of, what it may hold is bounded, and so is what one host call reads.
//! A database blocks, so it is asked on a thread that may: the deadline of a call holds meanwhile.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use wasmtime::component::{HasSelf, Linker, Resource, ResourceTableError};

use crate::bindings::capabilities::cortex::tool::host;
use crate::bindings::capabilities::wasi::keyvalue::{atomics, batch, store};
use crate::ending::{Decision, Ending, Failure};
use crate::guest::Guest;
use crate::limits::limit_reached;

/// Where the values of one tool are. Each function is a transaction of its own, and may block.
pub trait State: fmt::Debug + Send + Sync {
    /// The value of a key.
    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StateError>;
    /// Sets or removes a value.
    fn set(&self, key: &str, value: Option<&[u8]>, limits: &StateLimits) -> Result<(), StateError>;
    /// Sets a value that is gone after a time.
    fn set_for(&self, key: &str, value: &[u8], time: Duration, limits: &StateLimits) -> Result<(), StateError>;
    /// Some of the keys in their order, from the one with this number on.
    fn keys(&self, from: u64) -> Result<Vec<String>, StateError>;
    /// Adds to a number, which is 0 if there is none, and returns it. One that is gone after a time still is.
    fn increment(&self, key: &str, delta: u64, limits: &StateLimits) -> Result<u64, StateError>;
    /// Sets or removes a value if it is what was expected.
    fn compare_and_swap(
        &self,
        key: &str,
        expected: Option<&[u8]>,
        value: Option<&[u8]>,
        limits: &StateLimits,
    ) -> Result<bool, StateError>;
}

/// The state of one tool. Equal if it is the same.
#[derive(Clone, Debug)]
pub struct StateHandle(pub Arc<dyn State>);

impl PartialEq for StateHandle {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for StateHandle {}

/// What a tool may keep. Part of [`Limits`](crate::Limits).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateLimits {
    /// Keys.
    pub keys: u64,
    /// Bytes of all keys and values.
    pub bytes: u64,
    /// Bytes of one key.
    pub key_bytes: u64,
}

impl StateLimits {
    /// What a tool gets that asks for nothing more.
    pub(crate) const DEFAULT: Self = Self { keys: 10_000, bytes: 16 << 20, key_bytes: 1024 };
    /// The most that an operator's defaults let a manifest ask for.
    pub(crate) const CEILING: Self = Self { keys: 1_000_000, bytes: 1 << 30, key_bytes: 4096 };

    /// Whether a key is short enough. A limit that is lowered later leaves longer ones where they are.
    fn check_key(&self, key: &str) -> Result<(), StateError> {
        if key.len() as u64 <= self.key_bytes {
            return Ok(());
        }
        Err(StateError::Full { what: "a longer key", limit: "key", most: self.key_bytes })
    }
}

/// The limits of state that a manifest or a caller sets; the rest stays as it was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StateOverrides {
    /// See [`StateLimits::keys`].
    pub keys: Option<u64>,
    /// See [`StateLimits::bytes`].
    pub bytes: Option<u64>,
    /// See [`StateLimits::key_bytes`].
    pub key_bytes: Option<u64>,
}

/// Why a value was not read or kept.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The tool was not granted a state.
    #[error("the tool was granted no state")]
    NotGranted,
    /// There is no such bucket: the only one is `default`.
    #[error("there is no bucket `{0}`; the tool's own is `default`")]
    NoBucket(String),
    /// A limit was hit.
    #[error("{what} than the limit `state.{limit}` of {most}")]
    Full {
        /// What was asked for, such as `more keys`.
        what: &'static str,
        /// Its name, as in `implementation.resources.state`.
        limit: &'static str,
        /// Its value.
        most: u64,
    },
    /// One host call would read more than it may.
    #[error("one call would read more than {most} bytes of the state")]
    TooMuchAtOnce {
        /// What it may read.
        most: usize,
    },
    /// The value is no number, or it would grow beyond what 64 bits hold.
    #[error("the value of `{0}` is no number that can be increased")]
    NoNumber(String),
    /// The database failed.
    #[error("the state cannot be read or written")]
    Database(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The guest holds too many handles.
    #[error(transparent)]
    Table(#[from] ResourceTableError),
}

/// An open bucket. There is only one, so nothing has to be known of it.
#[derive(Debug)]
#[expect(unreachable_pub, reason = "the generated bindings pass it on as public")]
pub struct Bucket;

pub(crate) fn add_to_linker(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    store::add_to_linker::<_, HasSelf<Guest>>(linker, |guest| guest)?;
    atomics::add_to_linker::<_, HasSelf<Guest>>(linker, |guest| guest)?;
    batch::add_to_linker::<_, HasSelf<Guest>>(linker, |guest| guest)?;
    host::add_to_linker::<_, HasSelf<Guest>>(linker, |guest| guest)
}

impl Guest {
    fn state(&mut self) -> Result<Arc<dyn State>, StateError> {
        if let Some(StateHandle(state)) = &self.grants().state {
            return Ok(Arc::clone(state));
        }
        let asked = self.grants().refused.iter().find(|refusal| refusal.decision.capability == "state");
        if let Some(refusal) = asked {
            // That is in the record already.
            let reason = refusal.decision.reason.as_deref().unwrap_or_default();
            let failure = Failure::new(Ending::Denied.as_str(), format!("the tool was not granted state: {reason}"))
                .with_hint(refusal.hint.clone());
            self.refuse(None, Ending::Denied, failure);
        } else {
            let message = "the tool has no state: its manifest does not ask for it";
            let failure = Failure::new(Ending::Denied.as_str(), message)
                .with_hint("add to the manifest:\npermissions:\n  state: true");
            self.refuse(Some(refused("the manifest does not ask for it")), Ending::Denied, failure);
        }
        Err(StateError::NotGranted)
    }

    /// Does something with the state on a thread that may block. A limit that is hit is entered, so that the call tells of
    /// it if the tool cannot do without.
    async fn with_state<T: Send + 'static>(
        &mut self,
        key: &str,
        work: impl FnOnce(&dyn State, &StateLimits) -> Result<T, StateError> + Send + 'static,
    ) -> Result<T, StateError> {
        let (state, limits) = (self.state()?, self.limits.state);
        let done = match limits.check_key(key) {
            Ok(()) => tokio::task::spawn_blocking(move || work(&*state, &limits))
                .await
                .unwrap_or_else(|error| Err(StateError::Database(error.into()))),
            Err(error) => Err(error),
        };
        match &done {
            Err(error @ StateError::Full { limit, .. }) => {
                self.limit_reached(limit_reached(&format!("state.{limit}"), &error.to_string()));
            }
            Err(error @ StateError::Database(source)) => {
                // What the database said is the operator's to know, not the guest's.
                let failure = Failure::new(Ending::BackendUnavailable.as_str(), format!("{error}: {source}"));
                self.refuse(None, Ending::BackendUnavailable, failure);
            }
            _ => {}
        }
        done
    }

    async fn value(&mut self, key: String) -> Result<Option<Vec<u8>>, StateError> {
        let value = self.with_state(&key.clone(), move |state, _| state.get(&key)).await?;
        self.usage.state_bytes += value.as_ref().map_or(0, Vec::len) as u64;
        Ok(value)
    }

    async fn set_value(&mut self, key: String, value: Option<Vec<u8>>) -> Result<(), StateError> {
        let bytes = key.len() as u64 + value.as_ref().map_or(0, Vec::len) as u64;
        self.with_state(&key.clone(), move |state, limits| state.set(&key, value.as_deref(), limits)).await?;
        self.usage.state_bytes += bytes;
        Ok(())
    }
}

fn refused(reason: &str) -> Decision {
    Decision {
        capability: "state",
        target: "default".into(),
        allowed: false,
        rule: None,
        reason: Some(reason.to_owned()),
        request: None,
    }
}

impl store::Host for Guest {
    fn open(&mut self, identifier: String) -> Result<Resource<Bucket>, StateError> {
        self.state()?;
        match identifier.as_str() {
            "" | "default" => Ok(self.table.push(Bucket)?),
            _ => Err(StateError::NoBucket(identifier)),
        }
    }

    fn convert_error(&mut self, error: StateError) -> wasmtime::Result<store::Error> {
        Ok(match error {
            StateError::NotGranted => store::Error::AccessDenied,
            StateError::NoBucket(_) => store::Error::NoSuchStore,
            StateError::Table(error) => return Err(error.into()),
            error @ (StateError::Full { .. }
            | StateError::TooMuchAtOnce { .. }
            | StateError::NoNumber(_)
            | StateError::Database(_)) => store::Error::Other(error.to_string()),
        })
    }
}

impl store::HostBucket for Guest {
    async fn get(&mut self, _: Resource<Bucket>, key: String) -> Result<Option<Vec<u8>>, StateError> {
        self.value(key).await
    }

    async fn set(&mut self, _: Resource<Bucket>, key: String, value: Vec<u8>) -> Result<(), StateError> {
        self.set_value(key, Some(value)).await
    }

    async fn delete(&mut self, _: Resource<Bucket>, key: String) -> Result<(), StateError> {
        self.set_value(key, None).await
    }

    async fn exists(&mut self, _: Resource<Bucket>, key: String) -> Result<bool, StateError> {
        Ok(self.value(key).await?.is_some())
    }

    async fn list_keys(&mut self, _: Resource<Bucket>, cursor: Option<u64>) -> Result<store::KeyResponse, StateError> {
        let from = cursor.unwrap_or(0);
        let keys = self.with_state("", move |state, _| state.keys(from)).await?;
        let cursor = (!keys.is_empty()).then(|| from.saturating_add(keys.len() as u64));
        Ok(store::KeyResponse { keys, cursor })
    }

    fn drop(&mut self, bucket: Resource<Bucket>) -> wasmtime::Result<()> {
        self.table.delete(bucket)?;
        Ok(())
    }
}

impl atomics::Host for Guest {
    async fn increment(&mut self, _: Resource<Bucket>, key: String, delta: u64) -> Result<u64, StateError> {
        self.usage.state_bytes += key.len() as u64;
        self.with_state(&key.clone(), move |state, limits| state.increment(&key, delta, limits)).await
    }
}

impl batch::Host for Guest {
    /// The guest names a large value as often as it likes, so what is read for it is bounded as a copy of its own is.
    async fn get_many(
        &mut self,
        _: Resource<Bucket>,
        keys: Vec<String>,
    ) -> Result<Vec<Option<(String, Vec<u8>)>>, StateError> {
        let mut left = self.limits.hostcall_bytes;
        let mut values = Vec::new();
        for key in keys {
            let value = self.value(key.clone()).await?;
            let read = key.len() + value.as_ref().map_or(0, Vec::len);
            let most = self.limits.hostcall_bytes;
            left = left.checked_sub(read).ok_or(StateError::TooMuchAtOnce { most })?;
            values.push(value.map(|value| (key, value)));
        }
        Ok(values)
    }

    async fn set_many(&mut self, _: Resource<Bucket>, pairs: Vec<(String, Vec<u8>)>) -> Result<(), StateError> {
        for (key, value) in pairs {
            self.set_value(key, Some(value)).await?;
        }
        Ok(())
    }

    async fn delete_many(&mut self, _: Resource<Bucket>, keys: Vec<String>) -> Result<(), StateError> {
        for key in keys {
            self.set_value(key, None).await?;
        }
        Ok(())
    }
}

impl host::Host for Guest {
    fn progress(&mut self, done: f64, total: Option<f64>, message: Option<String>) -> wasmtime::Result<()> {
        self.tell_progress(done, total, message);
        Ok(())
    }

    fn secret_exists(&mut self, name: String) -> wasmtime::Result<bool> {
        Ok(self.grants().secrets.iter().any(|secret| secret.name == name))
    }

    async fn compare_and_swap(
        &mut self,
        key: String,
        expected: Option<Vec<u8>>,
        value: Option<Vec<u8>>,
    ) -> wasmtime::Result<Result<bool, String>> {
        self.usage.state_bytes += (key.len() + value.as_ref().map_or(0, Vec::len)) as u64;
        let swap = move |state: &dyn State, limits: &StateLimits, key: &str| {
            state.compare_and_swap(key, expected.as_deref(), value.as_deref(), limits)
        };
        let done = self.with_state(&key.clone(), move |state, limits| swap(state, limits, &key)).await;
        Ok(done.map_err(|error| error.to_string()))
    }

    async fn set_for(
        &mut self,
        key: String,
        value: Vec<u8>,
        milliseconds: u64,
    ) -> wasmtime::Result<Result<(), String>> {
        self.usage.state_bytes += (key.len() + value.len()) as u64;
        let time = Duration::from_millis(milliseconds);
        let set = move |state: &dyn State, limits: &StateLimits, key: &str| state.set_for(key, &value, time, limits);
        let done = self.with_state(&key.clone(), move |state, limits| set(state, limits, &key)).await;
        Ok(done.map_err(|error| error.to_string()))
    }
}
