//! What something costs of a processor, whoever else is busy.

use std::time::Duration;

/// What this thread has computed so far.
pub(crate) fn of_this_thread() -> Duration {
    // The first number is nanoseconds on a processor: Linux, Documentation/scheduler/sched-stats.rst.
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(text.split_whitespace().next().unwrap().parse().unwrap())
}

#[test]
fn who_waits_costs_nothing_and_who_computes_does() {
    let begun = of_this_thread();
    std::thread::park_timeout(Duration::from_millis(50));
    let waited = of_this_thread();
    assert!(waited - begun < Duration::from_millis(25));
    // The kernel counts when it looks at its clock, a few times in a hundredth of a second.
    while of_this_thread() - waited < Duration::from_millis(20) {}
}
