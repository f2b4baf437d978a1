//! See [`fuzz::manifest`].

#![no_main]

fuzz::program!(fuzz::manifest);
