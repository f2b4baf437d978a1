//! What holds for limits whatever their values are.

use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::{Strategy, any, prop_assert, prop_assert_eq, proptest};
use wasmtime::ResourceLimiter;

use super::{Limiter, Limits, Overrides};

/// How many limits there are.
const COUNT: usize = {
    let mut count = 0;
    macro_rules! count {
        ($name:literal, $($field:ident).+, $show:ident) => {
            count += 1;
        };
    }
    for_each_limit!(count);
    count
};

/// A limit as a number, whatever its type is.
trait Number {
    fn of(number: u32) -> Self;
    fn number(&self) -> u128;
}

impl Number for u64 {
    fn of(number: u32) -> Self {
        number.into()
    }

    fn number(&self) -> u128 {
        (*self).into()
    }
}

impl Number for usize {
    fn of(number: u32) -> Self {
        number as Self
    }

    fn number(&self) -> u128 {
        *self as u128
    }
}

impl Number for Duration {
    fn of(number: u32) -> Self {
        Self::from_millis(number.into())
    }

    fn number(&self) -> u128 {
        self.as_millis()
    }
}

fn limits() -> impl Strategy<Value = Limits> {
    // Small numbers, so that they are often equal.
    vec(0_u32..6, COUNT).prop_map(|numbers| {
        let (mut limits, mut numbers) = (Limits::DEFAULT, numbers.into_iter());
        macro_rules! set {
            ($name:literal, $($field:ident).+, $show:ident) => {
                limits.$($field).+ = Number::of(numbers.next().unwrap());
            };
        }
        for_each_limit!(set);
        limits
    })
}

fn overrides() -> impl Strategy<Value = Overrides> {
    vec(proptest::option::weighted(0.2, 0_u32..6), COUNT).prop_map(|numbers| {
        let (mut overrides, mut numbers) = (Overrides::default(), numbers.into_iter());
        macro_rules! set {
            ($name:literal, $($field:ident).+, $show:ident) => {
                overrides.$($field).+ = numbers.next().unwrap().map(Number::of);
            };
        }
        for_each_limit!(set);
        overrides
    })
}

fn numbers(limits: &Limits) -> Vec<u128> {
    let mut all = Vec::new();
    macro_rules! push {
        ($name:literal, $($field:ident).+, $show:ident) => {
            all.push(limits.$($field).+.number());
        };
    }
    for_each_limit!(push);
    all
}

fn asked(overrides: &Overrides) -> Vec<Option<u128>> {
    let mut all = Vec::new();
    macro_rules! push {
        ($name:literal, $($field:ident).+, $show:ident) => {
            all.push(overrides.$($field).+.map(|limit| limit.number()));
        };
    }
    for_each_limit!(push);
    all
}

proptest! {
    #[test]
    fn a_tool_gets_what_it_asks_for_or_the_default_and_never_more_than_the_ceiling(
        ceiling in limits(), defaults in limits(), manifest in overrides(),
    ) {
        let (most, usual, asked) = (numbers(&ceiling), numbers(&defaults), asked(&manifest));
        let too_much = asked.iter().zip(&most).any(|(asked, most)| asked.is_some_and(|asked| asked > *most));
        let got = Limits::of_tool(&ceiling, &defaults, &manifest);
        prop_assert_eq!(got.is_err(), too_much);
        if let Ok(got) = got {
            for (at, got) in numbers(&got).into_iter().enumerate() {
                prop_assert_eq!(got, asked[at].unwrap_or_else(|| usual[at].min(most[at])));
            }
        }
    }

    #[test]
    fn a_higher_ceiling_takes_nothing_away(
        ceiling in limits(), more in limits(), defaults in limits(), manifest in overrides(),
    ) {
        let mut higher = ceiling.clone();
        macro_rules! raise {
            ($name:literal, $($field:ident).+, $show:ident) => {
                higher.$($field).+ = higher.$($field).+.max(more.$($field).+);
            };
        }
        for_each_limit!(raise);
        if let Ok(before) = Limits::of_tool(&ceiling, &defaults, &manifest) {
            let after = Limits::of_tool(&higher, &defaults, &manifest);
            prop_assert!(after.is_ok());
            for (before, after) in numbers(&before).into_iter().zip(numbers(&after.unwrap())) {
                prop_assert!(before <= after);
            }
        }
    }

    #[test]
    fn a_call_lowers_limits_and_never_raises_one(tool in limits(), call in overrides()) {
        let (of_tool, asked) = (numbers(&tool), asked(&call));
        let raises = asked.iter().zip(&of_tool).any(|(asked, of_tool)| asked.is_some_and(|asked| asked > *of_tool));
        let lowered = tool.lowered(&call);
        prop_assert_eq!(lowered.is_err(), raises);
        if let Ok(lowered) = lowered {
            for (at, lowered) in numbers(&lowered).into_iter().enumerate() {
                prop_assert_eq!(lowered, asked[at].unwrap_or(of_tool[at]));
            }
        }
    }

    #[test]
    fn memory_is_the_sum_of_what_was_let_grow(
        limit in 0_u64..10_000, growths in vec((any::<bool>(), 0_usize..1000, 0_usize..1000, proptest::option::of(0_usize..1500)), 0..40),
    ) {
        let mut limiter = Limiter::new(&Limits { memory_bytes: limit, ..Limits::DEFAULT });
        let mut sum = 0;
        for (table, current, more, maximum) in growths {
            let desired = current + more;
            let grown = if table {
                limiter.table_growing(current, desired, maximum)
            } else {
                limiter.memory_growing(current, desired, maximum)
            };
            let bytes = more as u64 * if table { 8 } else { 1 };
            let beyond = maximum.is_some_and(|maximum| desired > maximum);
            prop_assert_eq!(grown.as_ref().ok().copied(), (beyond || sum + bytes <= limit).then_some(!beyond));
            if !beyond && sum + bytes <= limit {
                sum += bytes;
            }
            prop_assert_eq!(limiter.used_bytes(), sum);
        }
        prop_assert!(sum <= limit);
    }
}
