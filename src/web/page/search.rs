//! The form that searches and filters: a plain one, so it needs no script.

use std::collections::BTreeSet;

use maud::{Markup, html};

use super::checks::work_name;
use super::context::Context;
use crate::target::Kind;
use crate::web::status::{Query, Show, Sort, StateFilter, WorkFilter};
use crate::web::text::Texts;

/// Maximum number of accounts, and of regions, that are offered.
const OFFERED: usize = 100;

/// The form, filled with `query`.
pub(super) fn form(cx: &Context<'_>, query: &Query, show: Option<Show>) -> Markup {
    let t = cx.t;
    html! {
        search {
            form.search method="get" action=(cx.to.of("")) {
                @if let Some(lang) = cx.to.lang() { input type="hidden" name="lang" value=(lang.word()); }
                @if let Some(show) = show { input type="hidden" name="show" value=(show.word()); }
                label.wide { span { (t.search_for) } input type="search" name="q" value=(query.q.as_deref().unwrap_or_default()) placeholder=(t.search_hint) autocomplete="off" spellcheck="false"; }
                (choice(t, "kind", t.kind_label, Kind::ALL.map(|kind| (kind.label(), (t.kind)(kind), query.kind == Some(kind))).to_vec()))
                (choice(t, "state", t.state, options(StateFilter::ALL, query.state, StateFilter::word, |state| condition(t, state))))
                (choice(t, "work", t.work, options(WorkFilter::ALL, query.work, WorkFilter::word, |work| work_name(t, work))))
                (named(t, "region", t.region, query.region.as_deref(), cx.facts.views.iter().map(|view| &*view.target.region)))
                (named(t, "account", t.account, query.account.as_deref(), cx.facts.views.iter().map(|view| &*view.target.account)))
                (choice(t, "sort", t.sort, options(Sort::ALL, query.sort, Sort::word, |sort| order(t, sort))))
                button type="submit" { (t.search) }
                @if !query.is_of_all() || query.sort.is_some() { a.clear href=(cx.to.overview(&Query::default(), show)) { (t.clear) } }
            }
        }
    }
}

/// The word for it, the text, and whether it is chosen.
type Choice<'a> = (&'a str, &'a str, bool);

fn options<T: Copy + PartialEq>(
    all: &[T],
    chosen: Option<T>,
    word: impl Fn(T) -> &'static str,
    name: impl Fn(T) -> &'static str,
) -> Vec<Choice<'static>> {
    all.iter().map(|it| (word(*it), name(*it), chosen == Some(*it))).collect()
}

fn choice(t: &Texts, name: &str, title: &str, choices: Vec<Choice<'_>>) -> Markup {
    html! {
        label {
            span { (title) }
            select name=(name) {
                option value="" { (if name == "sort" { t.default_order } else { t.any }) }
                @for (word, text, chosen) in choices { option value=(word) selected[chosen] { (text) } }
            }
        }
    }
}

/// A choice between what targets have; a text if that is too many.
fn named<'a>(
    t: &Texts,
    name: &str,
    title: &str,
    chosen: Option<&'a str>,
    all: impl Iterator<Item = &'a str>,
) -> Markup {
    let mut all: BTreeSet<&str> = all.collect();
    all.extend(chosen);
    if all.len() > OFFERED {
        let value = chosen.unwrap_or_default();
        return html! { label { span { (title) } input type="text" name=(name) value=(value) placeholder=(t.any); } };
    }
    choice(t, name, title, all.into_iter().map(|it| (it, it, chosen == Some(it))).collect())
}

fn condition(t: &Texts, condition: StateFilter) -> &'static str {
    match condition {
        StateFilter::Up => t.state_up,
        StateFilter::Down => t.state_down,
        StateFilter::Waiting => t.state_waiting,
        StateFilter::Stale => t.state_stale,
        StateFilter::Troubled => t.state_troubled,
    }
}

fn order(t: &Texts, sort: Sort) -> &'static str {
    match sort {
        Sort::Name => t.sort_name,
        Sort::Region => t.sort_region,
        Sort::State => t.sort_state,
        Sort::Work => t.sort_work,
        Sort::Age => t.sort_age,
        Sort::Series => t.sort_series,
    }
}
