//! Everything that needs guests, builds or a home directory, in one binary: linking wasmtime once is what takes time.

#[cfg(test)]
mod bindings;
#[cfg(test)]
mod builds;
#[cfg(test)]
mod cache;
#[cfg(test)]
mod capabilities;
#[cfg(test)]
mod contracts;
#[cfg(test)]
#[cfg(unix)]
mod docker;
#[cfg(test)]
mod executions;
#[cfg(test)]
mod foreign;
#[cfg(test)]
mod go;
#[cfg(test)]
mod host;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod javascript;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod policy;
#[cfg(test)]
mod python;
#[cfg(test)]
mod record;
#[cfg(test)]
mod source;
#[cfg(test)]
mod web;
#[cfg(test)]
mod web_search;
