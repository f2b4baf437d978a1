//! See [`fuzz::rules`].

#![no_main]

fuzz::program!(fuzz::rules);
