//! The pages of one cluster, one server, one command.

use maud::{Markup, html};

use super::condition::{Condition, condition};
use super::context::Context;
use super::parts::{Tone, heading, id, pager};
use super::{commands, invocations, targets, tasks};
use crate::model::{Job, Reading, SeenEhpcInvocation, SeenEhpcTask, SeenSwasInvocation};
use crate::store::View;
use crate::target::Owner;
use crate::web::place::Place;
use crate::web::status::{Counted, Listed, Needle, Query, Show, Thing, called};

/// Rows of a list that stands beside others.
const BESIDE: usize = 50;
/// Rows of a list that stands alone.
const ALONE: usize = 100;
/// Maximum number of a server's commands that are shown; no more are remembered.
const JOBS: usize = 50;

/// A page of its own: what it is about, and what stands below that.
#[derive(Debug)]
pub(super) struct Single {
    /// How bad it is.
    pub(super) tone: Tone,
    /// What it is, and how it is.
    pub(super) line: String,
    /// More about what it is.
    pub(super) about: Markup,
    /// What stands below.
    pub(super) content: Markup,
}

/// The page of `place`; `None` if there is no such thing, or nothing of it is known.
pub(super) fn single(
    cx: &Context<'_>,
    place: &Place,
    query: &Query,
    show: Option<Show>,
) -> Option<Single> {
    match place {
        Place::Cluster(id) => cluster(cx, place, id, query, show),
        Place::Server(id) => server(cx, place, id, query),
        Place::Command(name) => command(cx, place, name, query),
        Place::Nodes(cluster, id) => nodes(cx, place, cluster, id, query),
        Place::Overview | Place::Region(_) => None,
    }
}

/// The targets of a cluster or a server, as places in `facts.views`.
fn targets_of(cx: &Context<'_>, owner: Owner, id: &str) -> Vec<usize> {
    let is_one = |view: &View| &*view.target.id.id == id && view.target.id.kind.owner() == owner;
    (0..cx.facts.views.len()).filter(|place| is_one(&cx.facts.views[*place])).collect()
}

fn cluster(
    cx: &Context<'_>,
    place: &Place,
    id: &str,
    query: &Query,
    show: Option<Show>,
) -> Option<Single> {
    let places = targets_of(cx, Owner::Cluster, id);
    let views: Vec<&View> = places.iter().map(|place| &cx.facts.views[*place]).collect();
    let first = views.first()?;
    let counts = counted(cx, &places);
    let lists = html! {
        @for view in &views {
            @match view.reading.as_deref() {
                Some(Reading::EhpcTasks(reading)) if show != Some(Show::Commands) => {
                    (task_list(cx, place, &reading.tasks, query, show))
                }
                Some(Reading::EhpcInvocations(reading)) if show != Some(Show::Tasks) => {
                    (command_list(cx, place, view, &reading.commands, query, show))
                }
                _ => {}
            }
        }
    };
    Some(Single {
        tone: tone(&views, counts),
        line: (cx.t.cluster_is)(called(first), &standing(cx, &views, counts)),
        about: about(cx, first),
        content: html! { (states(cx, &places)) (lists) },
    })
}

fn server(cx: &Context<'_>, place: &Place, id: &str, query: &Query) -> Option<Single> {
    let places = targets_of(cx, Owner::Server, id);
    let view = &cx.facts.views[*places.first()?];
    let counts = counted(cx, &places);
    let lists = html! {
        @if let Some(Reading::SwasInvocations(reading)) = view.reading.as_deref() {
            @let jobs: Vec<(&View, &Job)> = reading.jobs.iter().map(|job| (view, job)).take(JOBS).collect();
            @if !jobs.is_empty() {
                section #jobs aria-labelledby="jobs-title" {
                    (heading("jobs", cx.t.jobs, Some(jobs.len()), cx.t.jobs_are))
                    div.body data-held { (invocations::job_table(cx, &jobs, false)) }
                }
            }
            (invocation_list(cx, place, reading.invocations.iter().map(|seen| (view, seen)).collect(), query, false))
        }
    };
    Some(Single {
        tone: tone(&[view], counts),
        line: (cx.t.server_is)(called(view), &standing(cx, &[view], counts)),
        about: about(cx, view),
        content: html! { (states(cx, &places)) (lists) },
    })
}

/// A command on the servers that have it, by name.
fn command(cx: &Context<'_>, place: &Place, name: &str, query: &Query) -> Option<Single> {
    let mut jobs: Vec<(&View, &Job)> = Vec::new();
    let mut seen: Vec<(&View, &SeenSwasInvocation)> = Vec::new();
    for view in &cx.facts.views {
        let job = view.reading.as_deref().and_then(|reading| reading.job(name));
        jobs.extend(job.map(|job| (view, job)));
        let of_name = |seen: &&SeenSwasInvocation| &*seen.invocation.command_name == name;
        seen.extend(view.each(Reading::invocations).filter(of_name).map(|seen| (view, seen)));
    }
    if jobs.is_empty() && seen.is_empty() {
        return None;
    }
    let has_failed =
        |(_, job): &&(&View, &Job)| job.last.as_ref().is_some_and(|last| last.status.is_failure());
    let failing = jobs.iter().filter(has_failed).count();
    jobs.sort_by_key(|job| (!has_failed(&job), called(job.0)));
    seen.sort_by_key(|(_, seen)| {
        (!seen.invocation.is_open(), std::cmp::Reverse(seen.invocation.created))
    });
    let listed = Listed::within(&jobs, query.page.unwrap_or(1), BESIDE);
    Some(Single {
        tone: if failing > 0 { Tone::Warn } else { Tone::Good },
        line: (cx.t.command_is)(name, failing, jobs.len()),
        about: html! {},
        content: html! {
            section #jobs aria-labelledby="jobs-title" {
                (heading("jobs", cx.t.servers, Some(jobs.len()), cx.t.jobs_are))
                div.body data-held { (invocations::job_table(cx, &listed.shown, true)) }
                (pager(cx, &listed, place, query, None))
            }
            (invocation_list(cx, place, seen, query, true))
        },
    })
}

/// A command on the nodes of a cluster.
fn nodes(
    cx: &Context<'_>,
    place: &Place,
    cluster: &str,
    id: &str,
    query: &Query,
) -> Option<Single> {
    let places = targets_of(cx, Owner::Cluster, cluster);
    let (view, seen) = places.into_iter().find_map(|place| {
        let view = &cx.facts.views[place];
        Some((view, view.each(Reading::commands).find(|seen| &*seen.id == id)?))
    })?;
    let all = commands::nodes_of(seen);
    let rows: Vec<&commands::Node<'_>> = all.iter().collect();
    let listed = Listed::within(&rows, query.page.unwrap_or(1), ALONE);
    let failed = seen.failed_nodes() as usize;
    let tone = match seen.invocation.is_open() {
        true => Tone::Active,
        false if failed > 0 => Tone::Bad,
        false => commands::tone(&seen.invocation.status),
    };
    let status = match failed > 0 && !seen.invocation.is_open() {
        true => (cx.t.failed_on_nodes)(failed, all.len()),
        false => (cx.t.word)(seen.invocation.status.word()).to_owned(),
    };
    Some(Single {
        tone,
        line: (cx.t.nodes_are)(id, &status),
        about: about(cx, view),
        content: html! {
            section #nodes aria-labelledby="nodes-title" {
                (heading("nodes", cx.t.nodes, Some(all.len()), ""))
                div.body.padded data-held { (commands::bar(cx, seen)) }
                div.body data-held {
                    @if listed.shown.is_empty() { p.empty { (cx.t.no_nodes) } } @else { (commands::node_table(cx, &listed.shown)) }
                }
                (pager(cx, &listed, place, query, None))
            }
        },
    })
}

/// Region, account and id of what a page is about.
fn about(cx: &Context<'_>, view: &View) -> Markup {
    let target = &view.target;
    html! {
        a href=(cx.to.target(view)) { (id(&target.id.id)) } " · "
        a.whole href=(cx.to.region(&target.region)) { (target.region) } " · "
        (cx.t.account) " " (target.account)
    }
}

fn tone(views: &[&View], counts: Counted) -> Tone {
    match views.iter().map(|view| condition(view)).min() {
        Some(Condition::Fresh) | None if counts.failed > 0 => Tone::Warn,
        Some(Condition::Fresh) | None => Tone::Good,
        Some(Condition::Waiting) => Tone::Warn,
        Some(Condition::FailsWithout | Condition::Fails | Condition::Withdrawn) => Tone::Bad,
    }
}

/// What the targets of a cluster or a server are working on.
fn counted(cx: &Context<'_>, places: &[usize]) -> Counted {
    let each = places.iter().map(|place| cx.facts.work.of(*place));
    each.fold(Counted::default(), |all, one| Counted {
        running: all.running + one.running,
        failed: all.failed + one.failed,
    })
}

/// How the targets of a cluster or a server are, in a few words.
fn standing(cx: &Context<'_>, views: &[&View], counts: Counted) -> String {
    let t = cx.t;
    let state = match views.iter().map(|view| condition(view)).min() {
        Some(Condition::FailsWithout | Condition::Fails) => t.state_down,
        Some(Condition::Withdrawn) => t.state_stale,
        Some(Condition::Waiting) => t.state_waiting,
        Some(Condition::Fresh) | None => t.state_up,
    };
    (t.standing)(state, counts.running, counts.failed)
}

/// The targets of a cluster or a server, and what is wrong with them.
fn states(cx: &Context<'_>, places: &[usize]) -> Markup {
    html! {
        section #targets aria-labelledby="targets-title" {
            (heading("targets", cx.t.polls, None, ""))
            div.body data-held { (targets::table(cx, "target", cx.t.polls, places)) }
            @for place in places {
                @let view = &cx.facts.views[*place];
                div.trouble data-held { (targets::trouble(cx, view)) (targets::recovered(cx, view)) }
            }
        }
    }
}

/// Open ones first, and those that a query asks for.
fn wanted<'a, T>(all: &'a [T], query: &Query, thing: impl Fn(&'a T) -> Thing<'a>) -> Vec<&'a T> {
    let needle = query.q.as_deref().map(Needle::new);
    let fits = |row: &&'a T| {
        let thing = thing(row);
        needle.as_ref().is_none_or(|needle| needle.is_in(thing.id()) || needle.is_in(thing.name()))
    };
    let mut rows: Vec<&T> = all.iter().filter(fits).collect();
    rows.sort_by_key(|row| !thing(row).is_open());
    rows
}

fn task_list(
    cx: &Context<'_>,
    place: &Place,
    tasks: &[SeenEhpcTask],
    query: &Query,
    show: Option<Show>,
) -> Markup {
    let rows = wanted(tasks, query, Thing::Task);
    let (page, per_page) = page_of(query, show);
    let listed = Listed::within(&rows, page, per_page);
    let empty = cx.t.no_tasks;
    let table = html! { @if rows.is_empty() { p.empty { (empty) } } @else { (tasks::table(cx, &listed.shown)) } };
    list(cx, place, query, show, (Show::Tasks, "tasks", cx.t.tasks), &listed, table)
}

fn command_list(
    cx: &Context<'_>,
    place: &Place,
    view: &View,
    commands: &[SeenEhpcInvocation],
    query: &Query,
    show: Option<Show>,
) -> Markup {
    let rows = wanted(commands, query, Thing::Command);
    let (page, per_page) = page_of(query, show);
    let listed = Listed::within(&rows, page, per_page);
    let table = html! {
        @if rows.is_empty() { p.empty { (cx.t.no_commands) } } @else { (commands::table(cx, view, &listed.shown)) }
    };
    list(cx, place, query, show, (Show::Commands, "commands", cx.t.commands), &listed, table)
}

/// A list beside others shows its first page, and leads to where it stands alone.
fn page_of(query: &Query, show: Option<Show>) -> (usize, usize) {
    match show {
        Some(_) => (query.page.unwrap_or(1), ALONE),
        None => (1, BESIDE),
    }
}

fn list<T>(
    cx: &Context<'_>,
    place: &Place,
    query: &Query,
    show: Option<Show>,
    (alone, id, title): (Show, &str, &str),
    listed: &Listed<T>,
    table: Markup,
) -> Markup {
    html! {
        section id=(id) aria-labelledby={ (id) "-title" } {
            (heading(id, title, Some(listed.matching), ""))
            div.body data-held { (table) }
            @if show.is_some() {
                (pager(cx, listed, place, query, show))
            } @else if listed.pages > 1 {
                p.elsewhere { a href=(cx.to.place(place, query, Some(alone))) { ((cx.t.all_of)(listed.matching)) } }
            }
        }
    }
}

fn invocation_list(
    cx: &Context<'_>,
    place: &Place,
    mut all: Vec<(&View, &SeenSwasInvocation)>,
    query: &Query,
    of_many: bool,
) -> Markup {
    let needle = query.q.as_deref().map(Needle::new);
    all.retain(|(_, seen)| {
        let texts = [&*seen.invocation.id, &*seen.invocation.command_name];
        needle.as_ref().is_none_or(|needle| texts.into_iter().any(|text| needle.is_in(text)))
    });
    all.sort_by_key(|(_, seen)| !seen.invocation.is_open());
    let page = if of_many { 1 } else { query.page.unwrap_or(1) };
    let listed = Listed::within(&all, page, BESIDE);
    let hidden = listed.matching - listed.shown.len();
    html! {
        section #invocations aria-labelledby="invocations-title" {
            (heading("invocations", cx.t.invocations, Some(listed.matching), cx.t.invocations_are))
            div.body data-held {
                @if listed.shown.is_empty() { p.empty { (cx.t.no_invocations) } } @else { (invocations::table(cx, &listed.shown, of_many)) }
            }
            @if of_many && hidden > 0 {
                p.elsewhere { ((cx.t.others_on_servers)(hidden)) }
            } @else if !of_many {
                (pager(cx, &listed, place, query, None))
            }
        }
    }
}
