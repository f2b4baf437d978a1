//! See [`fuzz::invoke`].

#![no_main]

fuzz::program!(fuzz::invoke);
