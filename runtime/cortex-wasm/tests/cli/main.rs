//! The command line as a person or a program meets it: whole outputs, with exit codes, from processes of their own.

#[cfg(test)]
mod build;
#[cfg(test)]
mod crash;
#[cfg(test)]
mod docker;
#[cfg(test)]
mod help;
#[cfg(test)]
mod inspect;
#[cfg(test)]
mod mcp;
#[cfg(test)]
mod policy;
#[cfg(test)]
mod refused;
#[cfg(test)]
mod run;
#[cfg(test)]
mod session;
#[cfg(test)]
mod toolchains;
