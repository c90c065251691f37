//! `/` and `/region/ID`: everything, or what fits a query.

use maud::{Markup, html};

use super::checks::{Check, tabs};
use super::context::Context;
use super::parts::{heading, pager};
use super::{accounts, api, search, targets, words, work};
use crate::web::place::Place;
use crate::web::status::{Found, Listed, Query, Show, Sort, StateFilter};

/// Maximum number of targets in trouble that are shown before a link leads to all.
const TROUBLED: usize = 10;
/// The same of what runs, and of what has failed.
const WORK: usize = 10;
/// Targets of a page.
const TARGETS: usize = 50;
/// The same of a list that stands alone.
const ALONE: usize = 100;

/// What stands below the verdict.
pub(super) fn content(
    cx: &Context<'_>,
    checks: &[Check],
    place: &Place,
    query: &Query,
    show: Option<Show>,
) -> Markup {
    let query = &match place {
        Place::Region(id) => Query { region: Some(id.clone()), ..query.clone() },
        _ => query.clone(),
    };
    let list = match show {
        Some(show @ Show::Targets) => target_list(cx, place, query, Some(show), ALONE),
        Some(show @ Show::Running) => work_list(cx, place, query, show, ALONE),
        Some(show @ Show::Failed) => work_list(cx, place, query, show, ALONE),
        Some(Show::Tasks | Show::Commands) | None => beginnings(cx, checks, place, query),
    };
    html! {
        (search::form(cx, query, show))
        nav.tabs aria-label=(cx.t.lists_of) {
            @for (tab, name, count) in tabs(cx) {
                a href=(cx.to.overview(&Query { page: None, ..query.clone() }, tab)) aria-current=[(tab == show).then_some("page")] {
                    (name) @if let Some(count) = count { " " span.count { (count) } }
                }
            }
        }
        (list)
    }
}

/// The beginnings of all lists.
fn beginnings(cx: &Context<'_>, checks: &[Check], place: &Place, query: &Query) -> Markup {
    html! {
        @if query.page.is_none_or(|page| page == 1) {
            (attention(cx, checks, query))
            (work_list(cx, place, query, Show::Running, WORK))
            (work_list(cx, place, query, Show::Failed, WORK))
        }
        (target_list(cx, place, query, None, TARGETS))
        @if *place == Place::Overview && query.is_of_all() {
            (accounts::section(cx))
            (api::section(cx))
            @if !cx.facts.unknown_words.is_empty() { (words::section(cx)) }
        }
    }
}

/// What a person must look at: what the checks have found, and the targets in trouble.
fn attention(cx: &Context<'_>, checks: &[Check], query: &Query) -> Markup {
    let t = cx.t;
    let troubles: Vec<&Check> = checks.iter().filter(|check| check.is_trouble()).collect();
    let wanted = Query {
        state: Some(StateFilter::Troubled),
        sort: Some(Sort::State),
        page: None,
        ..query.clone()
    };
    let is_asked = query.state.is_none_or(|state| state == StateFilter::Troubled);
    let places = if is_asked { wanted.matching(cx.facts) } else { Vec::new() };
    let shown = &places[..places.len().min(TROUBLED)];
    html! {
        section #attention aria-labelledby="attention-title" {
            (heading("attention", t.attention, None, ""))
            div.body data-held {
                ul.found data-keyed {
                    @for check in troubles {
                        li.(check.tone.class()) #{ (check.id) "-found" } data-held {
                            a href=(check.address) { (check.title) }
                            @for line in &check.found { p { (line) (t.stop) } }
                        }
                    }
                }
                @if shown.is_empty() && checks.iter().all(|check| !check.is_trouble()) { p.empty { (t.no_attention) } }
                (targets::troubles(cx, "trouble", shown))
                @if places.len() > shown.len() {
                    p.elsewhere { a href=(cx.to.overview(&wanted, Some(Show::Targets))) { ((t.all_of)(places.len())) } }
                }
            }
        }
    }
}

fn target_list(
    cx: &Context<'_>,
    place: &Place,
    query: &Query,
    show: Option<Show>,
    per_page: usize,
) -> Markup {
    let t = cx.t;
    let sorted = Query { sort: Some(query.sort.unwrap_or(Sort::Name)), ..query.clone() };
    let places = sorted.matching(cx.facts);
    let listed = Listed::within(&places, query.page.unwrap_or(1), per_page);
    html! {
        section #targets aria-labelledby="targets-title" {
            (heading("targets", t.targets, Some(listed.matching), &shown_of(cx, query, listed.matching)))
            div.body data-held {
                @if listed.shown.is_empty() { p.empty { (t.no_match) } } @else { (targets::table(cx, "target", t.targets, &listed.shown)) }
            }
            (pager(cx, &listed, place, &in_place(place, query), show))
        }
    }
}

fn shown_of(cx: &Context<'_>, query: &Query, matching: usize) -> String {
    match query.is_of_all() {
        true => String::new(),
        false => (cx.t.of_all)(matching, cx.facts.views.len()),
    }
}

/// The query as the place's own URL has it: what the path says is not said again.
fn in_place(place: &Place, query: &Query) -> Query {
    match place {
        Place::Region(_) => Query { region: None, ..query.clone() },
        _ => query.clone(),
    }
}

fn work_list(
    cx: &Context<'_>,
    place: &Place,
    query: &Query,
    show: Show,
    per_page: usize,
) -> Markup {
    let t = cx.t;
    let is_running = show == Show::Running;
    let all = if is_running { &cx.facts.work.running } else { &cx.facts.work.failed };
    let found = work::matching(cx, all, query);
    let page = if per_page == ALONE { query.page.unwrap_or(1) } else { 1 };
    let listed: Listed<Found> = Listed::within(&found, page, per_page);
    let (id, title, aside, empty) = match is_running {
        true => ("running", t.running, t.running_is, t.nothing_runs),
        false => ("failed", t.failed_lately, t.failed_is, t.nothing_failed),
    };
    let is_alone = per_page == ALONE;
    html! {
        section id=(id) aria-labelledby={ (id) "-title" } {
            (heading(id, title, Some(listed.matching), aside))
            div.body data-held {
                @if listed.shown.is_empty() { p.empty { (empty) } }
                @else if is_running { (work::running(cx, &listed.shown)) }
                @else { (work::failed(cx, &listed.shown)) }
            }
            @if is_alone {
                (pager(cx, &listed, place, &in_place(place, query), Some(show)))
            } @else if listed.pages > 1 {
                p.elsewhere { a href=(cx.to.overview(&Query { page: None, ..query.clone() }, Some(show))) { ((t.all_of)(listed.matching)) } }
            }
        }
    }
}
