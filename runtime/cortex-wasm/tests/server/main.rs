//! `cortex-wasm serve` as its clients meet it: a process of its own, over sockets.

#[cfg(test)]
mod access;
#[cfg(test)]
mod calls;
#[cfg(test)]
mod console;
#[cfg(test)]
mod docker;
#[cfg(test)]
mod host;
#[cfg(test)]
mod load;
#[cfg(test)]
mod original;
#[cfg(test)]
mod reload;
#[cfg(test)]
mod state;
#[cfg(test)]
mod trace;
