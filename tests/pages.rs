//! Whatever is recorded, goes stale, appears or disappears: `/metrics` equals a plain rendering of
//! everything, byte for byte, in each format and encoding.

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use aliyun_task_exporter::catalog::{CATALOG, Family, Kind as Type, Source};
use aliyun_task_exporter::clock::Moment;
use aliyun_task_exporter::config::{InvocationWindow, Metrics, StatusStyle, TaskWindow};
use aliyun_task_exporter::exposition::{
    Encoding, Exposition, Format, Limits, PageBody, SampleLines, TargetSeries, reading_lines,
    target_lines,
};
use aliyun_task_exporter::model::*;
use aliyun_task_exporter::store::{PollEnd, Store, TargetState};
use aliyun_task_exporter::target::{Kind, Scope, Target, TargetId};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

/// Number of possible targets.
const TARGETS: usize = 12;

/// Something that happens.
#[derive(Clone, Debug)]
enum Step {
    /// A target is read; the numbers make the reading.
    Read(usize, u64, usize),
    /// What was read last is read again.
    ReadAgain(usize),
    /// A poll has ended, well or not; values go stale after this many seconds.
    Ended(usize, bool, u64),
    /// From now on, these are the targets (as bits), and statuses are written in this style.
    Targets(u16, StatusStyle),
    /// This many seconds pass.
    Pass(i64),
    /// The wall clock is set back or forward by this many seconds.
    Set(i64),
    /// Changes are rendered while the page is not requested.
    Update,
    /// The page is requested.
    Scrape,
}

fn step() -> impl Strategy<Value = Step> {
    let target = 0..TARGETS;
    prop_oneof![
        4 => (target.clone(), any::<u64>(), 0..120usize).prop_map(|(target, seed, things)| Step::Read(target, seed, things)),
        1 => target.clone().prop_map(Step::ReadAgain),
        3 => (target, any::<bool>(), 1..200u64).prop_map(|(target, good, age)| Step::Ended(target, good, age)),
        1 => (any::<u16>(), any::<bool>()).prop_map(|(bits, full)| {
            Step::Targets(bits, if full { StatusStyle::Full } else { StatusStyle::Current })
        }),
        2 => (0..100i64).prop_map(Step::Pass),
        1 => (-5000..5000i64).prop_map(Step::Set),
        2 => Just(Step::Update),
        2 => Just(Step::Scrape),
    ]
}

fn target(index: usize) -> Target {
    let (kind, scope) = match index % 2 {
        0 => (Kind::SwasInvocations, Scope::SwasInvocations(InvocationWindow::default())),
        _ => (Kind::EhpcTasks, Scope::EhpcTasks(TaskWindow::default())),
    };
    Target {
        id: TargetId { kind, id: format!("{index:02}-\"é\\").into() },
        account: "a\nb".into(),
        quota_group: "a".into(),
        region: "r".into(),
        name: "n".into(),
        scope,
    }
}

fn metrics(status_style: StatusStyle) -> Metrics {
    Metrics { status_style, max_series: usize::MAX, max_series_per_target: usize::MAX }
}

fn reading(target: usize, seed: u64, things: usize) -> Reading {
    let number = |thing: usize| seed.wrapping_add(thing as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let time = |thing: usize| Timestamp::from_millisecond((number(thing) >> 24) as i64).unwrap();
    if target.is_multiple_of(2) {
        let invocation = |thing: usize| Invocation {
            id: format!("t-hz0{:x}", number(thing)).into(),
            command_name: "备份".into(),
            command_type: CommandType::RunShellScript,
            status: InvocationStatus::parse(
                InvocationStatus::LABELS[(number(thing) % 14) as usize],
            ),
            record: None,
            created: (number(thing) % 3 > 0).then(|| time(thing)),
        };
        let invocations = (0..things).map(|thing| SeenSwasInvocation {
            invocation: Arc::new(invocation(thing)),
            result: None,
            timing: None,
        });
        let finished = BTreeMap::from([(InvocationStatus::Success, seed % 5)]);
        return Reading::SwasInvocations(SwasInvocationsReading {
            invocations: invocations.collect(),
            finished,
            ..SwasInvocationsReading::default()
        });
    }
    let task = |thing: usize| Task {
        id: format!("{:032X}", number(thing)).into(),
        task_type: TaskType::KNOWN[(number(thing) % 9) as usize].clone(),
        status: TaskStatus::KNOWN[(number(thing) % 4) as usize].clone(),
        current_step: Some((seed % 7) as i64),
        steps: None,
        errors: Some(number(thing) % 2),
        error_details: Default::default(),
        nodes: None,
    };
    let seen = |thing| SeenEhpcTask {
        task: Arc::new(task(thing)),
        first_seen: time(thing),
        last_progress: time(thing),
        finished: None,
        first_step: None,
    };
    let mut durations: BTreeMap<TaskType, Histogram> = BTreeMap::new();
    durations.entry(TaskType::AddComputes).or_default().observe(Duration::from_secs(seed % 9999));
    Reading::EhpcTasks(EhpcTasksReading {
        tasks: (0..things).map(seen).collect(),
        finished: BTreeMap::new(),
        durations,
    })
}

/// A plain model of a target.
#[derive(Debug)]
struct Known {
    target: usize,
    state: TargetState,
    series: TargetSeries,
    read: Option<(Reading, Moment)>,
    /// It was on the page; otherwise its place there is determined by its id.
    placed: bool,
}

/// A plain model of everything.
struct Plain {
    known: Vec<Known>,
    style: StatusStyle,
    now: Moment,
}

impl Plain {
    fn known(&mut self, target: usize) -> Option<&mut Known> {
        self.known.iter_mut().find(|known| known.target == target)
    }

    fn retarget(&mut self, targets: &[usize]) {
        self.known.retain(|known| targets.contains(&known.target));
        for target in targets {
            if self.known(*target).is_none() {
                self.known.push(Known {
                    target: *target,
                    state: TargetState::default(),
                    series: TargetSeries::default(),
                    read: None,
                    placed: false,
                });
            }
        }
    }

    fn read(&mut self, index: usize, read: Reading) {
        let now = self.now;
        let style = self.style;
        let Some(known) = self.known(index) else { return };
        known.state.last_read = Some(now.wall);
        known.series.shown =
            reading_lines(&target(index), &read, style, Limits::NONE).lines.series();
        known.read = Some((read, now));
    }

    /// The page, target by target and family by family.
    fn text(&mut self, format: Format) -> String {
        let by_id = |known: &Known| target(known.target).id;
        self.known.sort_by_key(|known| (!known.placed, (!known.placed).then(|| by_id(known))));
        for known in &mut self.known {
            known.placed = true;
        }
        let all: Vec<(SampleLines, bool)> =
            self.known.iter().flat_map(|known| self.lines(known)).collect();
        let mut text = String::new();
        for family in CATALOG.iter().filter(|family| family.source != Source::Process) {
            let shown = all.iter().filter(|(_, stale)| !stale || family.kind != Type::Gauge);
            let lines: String = shown.map(|(lines, _)| lines.lines_of(family)).collect();
            if !lines.is_empty() {
                text += &header(family, format);
                text += &lines;
            }
        }
        text
    }

    /// The lines about a target and those of its reading, each with whether they are stale.
    fn lines(&self, known: &Known) -> Vec<(SampleLines, bool)> {
        let target = target(known.target);
        let mut lines = vec![(target_lines(&target, &known.state, &known.series), false)];
        if let Some((read, at)) = &known.read {
            let stale = known.state.stale_after.is_some_and(|age| {
                at.boot + SignedDuration::try_from(age).unwrap() <= self.now.boot
            });
            lines.push((reading_lines(&target, read, self.style, Limits::NONE).lines, stale));
        }
        lines
    }
}

fn header(family: &Family, format: Format) -> String {
    let name = family.name;
    let help = family.help;
    match format {
        Format::Text => format!("# HELP {name} {help}\n# TYPE {name} {}\n", family.kind.word()),
        Format::OpenMetrics => {
            let name = name.trim_end_matches("_total");
            let unit = if name.ends_with("_seconds") {
                format!("# UNIT {name} seconds\n")
            } else {
                String::new()
            };
            format!("# HELP {name} {help}\n# TYPE {name} {}\n{unit}", family.kind.word())
        }
    }
}

/// A whole body, with an end.
fn whole(body: &PageBody, end: &str) -> Vec<u8> {
    let bytes: Vec<u8> = body.frames().iter().flat_map(|frame| frame.to_vec()).collect();
    assert_eq!(bytes.len() as u64, body.bytes());
    [bytes, body.end(end.to_owned()).to_vec()].concat()
}

/// The text of a body of exactly one gzip member.
fn gunzip(body: &[u8]) -> String {
    let mut text = String::new();
    let mut decoder = flate2::bufread::GzDecoder::new(body);
    decoder.read_to_string(&mut text).unwrap();
    assert!(decoder.into_inner().is_empty(), "something follows the member");
    let mut all = String::new();
    flate2::read::MultiGzDecoder::new(body).read_to_string(&mut all).unwrap();
    assert!(all == text);
    text
}

fn check(exposition: &Exposition, plain: &mut Plain) {
    let page = exposition.page(plain.now);
    for format in [Format::Text, Format::OpenMetrics] {
        let end = "the end\n";
        let wanted = plain.text(format) + end;
        assert_eq!(
            String::from_utf8(whole(&page.body(format, Encoding::Identity), end)).unwrap(),
            wanted
        );
        assert!(gunzip(&whole(&page.body(format, Encoding::Gzip), end)) == wanted);
        assert!(
            gunzip(&whole(&page.body_in_chunks(format), end)) == wanted,
            "in chunks, as large pages are"
        );
    }
    assert_eq!(page.series, exposition.series(plain.now).0);
    assert!(exposition.ready_page(plain.now).is_some(), "it is kept");
    assert!(Arc::ptr_eq(&exposition.page(plain.now), &page));
}

fn apply(step: Step, store: &Store, exposition: &Exposition, plain: &mut Plain) {
    match step {
        Step::Read(index, seed, things) => {
            plain.read(index, reading(index, seed, things));
            store.record(&target(index).id, reading(index, seed, things), plain.now);
        }
        Step::ReadAgain(index) => {
            let read = plain.known(index).and_then(|known| known.read.clone());
            if let Some((read, _)) = read {
                plain.read(index, read.clone());
                store.record(&target(index).id, read, plain.now);
            }
        }
        Step::Ended(index, good, age) => {
            let failure = (!good).then_some(Failure {
                reason: Reason::Timeout,
                message: "m".into(),
                advice: "a".into(),
            });
            let stale_after = Duration::from_secs(age);
            let end = PollEnd {
                failure,
                lists: ListState::default(),
                ended: plain.now,
                took: Duration::from_millis(age),
                next: plain.now.wall,
                stale_after,
            };
            ended(plain, index, &end);
            store.poll_ended(&target(index).id, end);
        }
        Step::Targets(bits, style) => {
            plain.style = style;
            let targets: Vec<usize> =
                (0..TARGETS).filter(|index| bits & (1 << index) != 0).collect();
            plain.retarget(&targets);
            store.retarget(targets.into_iter().map(target).map(Arc::new).collect());
            exposition.configure(metrics(style));
            let read: Vec<_> =
                plain.known.iter().map(|known| (known.target, known.read.clone())).collect();
            // The number of series depends on the style.
            for (index, (read, at)) in
                read.into_iter().filter_map(|(index, read)| Some((index, read?)))
            {
                let now = std::mem::replace(&mut plain.now, at);
                plain.read(index, read);
                plain.now = now;
            }
        }
        Step::Pass(seconds) => pass(plain, seconds),
        Step::Set(seconds) => plain.now.wall += SignedDuration::from_secs(seconds),
        Step::Update => exposition.update(plain.now),
        Step::Scrape => check(exposition, plain),
    }
}

fn empty(style: StatusStyle) -> (Arc<Store>, Exposition) {
    let store = Arc::new(Store::default());
    (Arc::clone(&store), Exposition::new(store, metrics(style)))
}

fn begin() -> Moment {
    Moment {
        wall: Timestamp::from_second(1_790_000_000).unwrap(),
        boot: SignedDuration::from_secs(9),
    }
}

/// Time passes, on both clocks.
fn pass(plain: &mut Plain, seconds: i64) {
    let passed = SignedDuration::from_secs(seconds);
    plain.now = Moment { wall: plain.now.wall + passed, boot: plain.now.boot + passed };
}

fn ended(plain: &mut Plain, index: usize, end: &PollEnd) {
    let Some(known) = plain.known(index) else { return };
    let state = &mut known.state;
    state.up = Some(end.failure.is_none());
    state.failing = end.failure.as_ref().map(|failure| failure.reason);
    state.took = Some(end.took);
    state.next_poll = Some(end.next);
    state.stale_after = Some(end.stale_after);
    if end.failure.is_none() {
        state.last_success = Some(end.ended.wall);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_page_is_to_the_byte_what_a_plain_rendering_would_be(steps in prop::collection::vec(step(), 1..60)) {
        let style = StatusStyle::Current;
        let (store, exposition) = empty(style);
        let mut plain = Plain { known: Vec::new(), style, now: begin() };
        apply(Step::Targets(0b1111_0111_1011, style), &store, &exposition, &mut plain);
        for step in steps {
            apply(step, &store, &exposition, &mut plain);
        }
        check(&exposition, &mut plain);
    }
}

#[test]
fn so_is_a_large_one_that_is_put_together_in_portions() {
    let style = StatusStyle::Current;
    let (store, exposition) = empty(style);
    let mut plain = Plain { known: Vec::new(), style, now: begin() };
    apply(Step::Targets(u16::MAX, style), &store, &exposition, &mut plain);
    for turn in 0..4 {
        // The page is not requested meanwhile, so parts of it are put in place beforehand.
        for index in 0..TARGETS {
            apply(Step::Read(index, turn, 1_000), &store, &exposition, &mut plain);
            apply(Step::Ended(index, true, 60), &store, &exposition, &mut plain);
            if turn % 2 == 1 {
                apply(Step::Update, &store, &exposition, &mut plain);
            }
        }
        check(&exposition, &mut plain);
        pass(&mut plain, 60);
        check(&exposition, &mut plain);
        assert!(plain.text(Format::Text).contains("finished_total"));
        assert_eq!(exposition.series(plain.now).0.shown, 0);
    }
}
