//! What the log says about lasting trouble: once that it began, once that it is over.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::support::exporter::Exporter;
use crate::support::page::Page;
use crate::support::worlds;
use aliyun_task_exporter::cli::LogFormat;
use aliyun_task_exporter::logging::{self, Logging};
use aliyun_task_exporter::sim::{Settings, Simulator};
use jiff::Timestamp;
use tracing::level_filters::LevelFilter;
use tracing::subscriber::DefaultGuard;

/// Everything that the exporters of one test have logged. It belongs to the thread that made it.
struct Log {
    text: Arc<Mutex<String>>,
    _logging: (DefaultGuard, Logging),
}

impl Log {
    fn new() -> Self {
        let text = Arc::new(Mutex::new(String::new()));
        let written = Arc::clone(&text);
        let write = move |line: &str| written.lock().unwrap().push_str(line);
        let (subscriber, logging) =
            logging::subscriber(LevelFilter::INFO, LogFormat::Logfmt, write);
        logging::discard_elsewhere();
        Self { text, _logging: (tracing::subscriber::set_default(subscriber), logging) }
    }

    /// Lines that contain all of these.
    fn lines(&self, parts: &[&str]) -> Vec<String> {
        let text = self.text.lock().unwrap();
        text.lines()
            .filter(|line| parts.iter().all(|part| line.contains(part)))
            .map(str::to_owned)
            .collect()
    }
}

fn polls(page: &Page, outcome: &str) -> f64 {
    page.sum("aliyun_task_exporter_polls_total", &[("kind", "ehpc_tasks"), ("outcome", outcome)])
}

/// A cluster with this name.
fn start(cluster: &str, tasks: usize, max_pages: u32) -> Exporter {
    let mut world = aliyun_task_exporter::sim::World::empty();
    worlds::add_cluster(&mut world, cluster);
    for number in 0..tasks {
        world.add_task(cluster, worlds::task(&format!("{cluster}-{number}"), -10, 10_000)).unwrap();
    }
    Exporter::start(Simulator::with_world(Settings::default(), world, Timestamp::now()), |config| {
        config.poll.history_max_pages = max_pages;
        config.poll.history_interval = Duration::from_millis(1);
    })
}

#[test]
fn a_failure_that_lasts_is_one_line_and_another_reason_is_another() {
    let log = Log::new();
    let exporter = start("lasting", 1, 20);
    exporter.wait("it is up", |page| polls(page, "ok") > 0.0);
    let strike = |reason: &str, status: u16, code: &str| {
        let fault = format!(r#"{{"kind": "error", "status": {status}, "code": "{code}"}}"#);
        exporter.fault(&format!(r#"{{"match": {{"action": "ListTasks"}}, "fault": {fault}}}"#));
        let before = polls(&exporter.metrics(), reason);
        exporter.wait("many polls have failed", |page| polls(page, reason) >= before + 20.0);
        exporter.clear_faults();
    };
    let told = |reason: &str| {
        log.lines(&["poll failed", "ehpc_tasks", "lasting", &format!("reason={reason}")])
    };
    strike("conflict", 403, "ConflictOpt");
    assert_eq!(told("conflict").len(), 1, "{:?}", told("conflict"));
    strike("credentials", 400, "SignatureDoesNotMatch");
    assert_eq!((told("conflict").len(), told("credentials").len()), (1, 1));
    exporter.wait("it is up again", |page| {
        page.sum("aliyun_task_exporter_target_up", &[("kind", "ehpc_tasks")]) == 1.0
    });
    let recovered = || log.lines(&["poll succeeded again", "ehpc_tasks", "lasting"]).len();
    exporter.wait("the recovery is logged", |_| recovered() > 0);
    assert!(recovered() <= 2, "{}", recovered());
}

#[test]
fn a_list_that_stays_too_long_is_one_line_and_each_reading_is_counted() {
    let log = Log::new();
    let exporter = start("toolong", 120, 1);
    let truncated = [("kind", "ehpc_tasks")];
    exporter.wait("many readings were cut", |page| {
        page.sum("aliyun_task_exporter_history_truncated_total", &truncated) >= 20.0
    });
    let told = log.lines(&["longer than poll.history_max_pages", "ehpc_tasks", "toolong"]);
    assert_eq!(told.len(), 1, "{told:?}");
}

/// Servers that all need one operation.
fn start_servers(names: &str, count: usize) -> Exporter {
    let mut world = aliyun_task_exporter::sim::World::empty();
    for number in 0..count {
        worlds::add_server(&mut world, &format!("{names}-{number}"));
    }
    Exporter::start(Simulator::with_world(Settings::default(), world, Timestamp::now()), |_| {})
}

#[test]
fn an_operation_that_is_throttled_is_told_once_and_not_each_target_that_needs_it() {
    let log = Log::new();
    let exporter = start_servers("throttled", 12);
    let swas_polls = |page: &Page, outcome: &str| {
        page.sum(
            "aliyun_task_exporter_polls_total",
            &[("kind", "swas_invocations"), ("outcome", outcome)],
        )
    };
    exporter.wait("all are up", |page| swas_polls(page, "ok") > 50.0);
    exporter.fault(
        r#"{"match": {"action": "DescribeInvocations"}, "fault": {"kind": "throttle", "retry_after_ms": 4000}, "times": 2}"#,
    );
    let of = [("operation", "DescribeInvocations")];
    let [resting, next] = ["resting_since", "next_try"]
        .map(|name| format!("aliyun_task_exporter_api_{name}_timestamp_seconds"));
    exporter.wait("it is told", |page| page.value(&resting, &of).is_some());
    let page = exporter.metrics();
    assert!(page.value(&next, &of) >= page.value(&resting, &of).map(|since| since + 4.0));
    assert!(swas_polls(&page, "throttled") >= 1.0);
    exporter.clear_faults();
    exporter.wait("it is answered again", |page| page.value(&resting, &of).is_none());
    let told = log.lines(&["DescribeInvocations", "the cloud throttles an operation"]);
    assert_eq!(told.len(), 1, "{told:#?}");
    for part in
        ["level=warn", "code=Throttling.User", "configured=", "in_force=", "planned=", "advice="]
    {
        assert!(told[0].contains(part), "{part}: {}", told[0]);
    }
    assert_eq!(log.lines(&["throttled-", "poll"]), Vec::<String>::new());
}
