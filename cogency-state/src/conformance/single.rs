//! One test for each check.

use std::time::Duration;

use super::check::Outcome;
use super::checks::checks;
use super::harness::Harness;

/// How long what still runs at the end of a test may take before it is left behind.
const FAREWELL: Duration = Duration::from_secs(1);

/// Makes a `#[test]` of each check, on the backend of a [`Harness`].
///
/// The expression is evaluated once for each test, inside an `async` block: it may `.await` what
/// it needs. Attributes after it go to every test, such as
/// `conformance_tests!(MyHarness::connect().await, #[ignore = "needs a server"])`. Each test runs
/// on a tokio runtime with two worker threads. A check that does not apply passes, and says so on
/// its standard output.
///
/// There is an example at the [module](mod@crate::conformance).
#[macro_export]
macro_rules! conformance_tests {
    ($harness:expr $(, #[$attribute:meta])* $(,)?) => {
        $crate::__for_each_conformance_check! {
            [$crate::__conformance_tests]
            [$(#[$attribute])*] [$harness]
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __conformance_tests {
    (
        $attributes:tt $harness:tt
        $($(#[doc = $doc:literal])+ $module:ident::$name:ident,)+
    ) => {
        $($crate::__conformance_test! { $attributes $harness $name })+
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __conformance_test {
    ([$($attribute:tt)*] [$harness:expr] $name:ident) => {
        #[test]
        $($attribute)*
        fn $name() {
            $crate::conformance::test(stringify!($name), async { $harness });
        }
    };
}

/// What a test of [`conformance_tests!`](crate::conformance_tests) runs.
///
/// # Panics
/// If the check fails.
#[doc(hidden)]
#[expect(clippy::panic, clippy::print_stdout)]
pub fn test<H: Harness>(name: &str, harness: impl Future<Output = H>) {
    let Some(check) = checks().iter().find(|check| check.name() == name) else {
        panic!("there is no check {name}");
    };
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = match runtime.worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => panic!("there is no runtime to test on: {error}"),
    };
    let outcome = runtime.block_on(async { check.run(&harness.await).await });
    runtime.shutdown_timeout(FAREWELL);
    match outcome {
        Outcome::Passed => {}
        Outcome::NotApplicable(why) => println!("not applicable: {why}"),
        Outcome::Failed(failure) => panic!("{}\n  {failure}", check.doc()),
    }
}
