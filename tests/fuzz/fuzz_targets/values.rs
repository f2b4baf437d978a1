//! See [`fuzz::values`].

#![no_main]

fuzz::program!(fuzz::values);
