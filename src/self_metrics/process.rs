//! The process families of the `prometheus` crate, but with the full CPU time: the crate truncates
//! it to seconds, which turns `rate()` into zeros and peaks.

use prometheus::core::{Collector, Desc};
use prometheus::process_collector::ProcessCollector;
use prometheus::proto::{Counter, MetricFamily};

use crate::clock;

/// CPU time in seconds, user and system.
const CPU_SECONDS: &str = "process_cpu_seconds_total";

/// Collects the process metrics.
pub(super) struct Process(ProcessCollector);

impl Process {
    pub(super) fn new() -> Self {
        Self(ProcessCollector::for_self())
    }
}

impl Collector for Process {
    fn desc(&self) -> Vec<&Desc> {
        self.0.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let mut families = self.0.collect();
        let cpu = families.iter_mut().filter(|family| family.name() == CPU_SECONDS);
        for metric in cpu.flat_map(|family| family.mut_metric()) {
            let mut counter = Counter::default();
            counter.set_value(clock::cpu_time().as_secs_f64());
            metric.set_counter(counter);
        }
        families
    }
}

#[cfg(test)]
mod tests {
    use prometheus::core::Collector;

    use super::{CPU_SECONDS, Process};
    use crate::clock;

    fn cpu_seconds(process: &Process) -> f64 {
        let families = process.collect();
        let family = families.iter().find(|family| family.name() == CPU_SECONDS).unwrap();
        family.get_metric()[0].get_counter().get_value()
    }

    #[test]
    fn the_cpu_time_is_told_in_fractions_of_a_second() {
        let process = Process::new();
        let before = cpu_seconds(&process);
        let start = clock::cpu_time();
        while clock::cpu_time() - start < std::time::Duration::from_millis(30) {}
        let spent = cpu_seconds(&process) - before;
        assert!(spent >= 0.03, "{spent}");
        assert_eq!(process.collect().len(), process.desc().len(), "all else is the crate's");
    }
}
