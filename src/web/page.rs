//! The status page: what is known, for people. Its size is bounded, however many targets there are.

mod accounts;
mod address;
mod api;
mod checks;
mod commands;
mod condition;
mod context;
mod fixture;
mod invocations;
mod overview;
mod parts;
mod search;
mod single;
mod targets;
mod tasks;
mod time;
mod words;
mod work;

use jiff::Timestamp;
use maud::{DOCTYPE, Markup, html};

use self::address::Address;
use self::checks::{Check, checks, oldest, worst};
use self::context::Context;
use self::parts::Tone;
use super::place::Place;
use super::status::{Facts, Query, Show};
use super::text::Lang;

/// The page's style sheet.
pub(super) const STYLE: &str = include_str!("page.css");
/// The page's script.
pub(super) const SCRIPT: &str = include_str!("page.js");

/// URL of the documentation.
const DOCUMENTS: &str = "https://github.com/aliyun-task-exporter/aliyun-task-exporter#readme";

/// What is asked for: a place, and how to show it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Asked {
    /// What to show.
    pub(super) place: Place,
    /// Which targets, in which order, which page.
    pub(super) query: Query,
    /// The one list to show.
    pub(super) show: Option<Show>,
    /// The language to show it in.
    pub(super) lang: Lang,
    /// Whether the URL says so; then its links say it too.
    pub(super) is_lang_asked: bool,
}

/// A page, and whether there is such a thing.
#[derive(Debug)]
pub(super) struct Page {
    /// The document.
    pub(super) html: String,
    /// Whether what was asked for is there.
    pub(super) is_found: bool,
}

/// A page's verdict, and what stands below it.
struct Body {
    tone: Tone,
    line: String,
    about: Markup,
    content: Markup,
    is_found: bool,
}

/// The page that is asked for.
pub(super) fn page(facts: &Facts, asked: &Asked, now: Timestamp) -> Page {
    let to = Address::seen_from(&asked.place, asked.is_lang_asked.then_some(asked.lang));
    let cx = Context { facts, t: asked.lang.texts(), to, now };
    let checks = checks(&cx);
    let body = body(&cx, &checks, asked);
    let html = html! {
        (DOCTYPE)
        html lang=(cx.t.html_lang) {
            (head(&cx, &body))
            body {
                a.skip href="#main" { (cx.t.skip) }
                (header(&cx, asked))
                p #link role="status" hidden {}
                button #changes type="button" hidden {}
                main #main data-now=(now.as_millisecond()) data-build={ (facts.version) "-" (facts.revision) } data-words=(time::words(cx.t)) {
                    (verdict(&cx, asked, &body, &checks))
                    (body.content)
                }
            }
        }
    };
    Page { html: html.into_string(), is_found: body.is_found }
}

fn body(cx: &Context<'_>, checks: &[Check], asked: &Asked) -> Body {
    let Asked { place, query, show, .. } = asked;
    let nothing = || html! {};
    let (tone, line) = worst(checks).map_or((Tone::Quiet, ""), |check| (check.tone, check.line()));
    let all = |content, about| {
        let tone = if tone == Tone::Active { Tone::Good } else { tone };
        Body { tone, line: line.to_owned(), about, content, is_found: true }
    };
    match place {
        Place::Overview if !cx.facts.role.leads => all(standby(checks), nothing()),
        Place::Overview => all(overview::content(cx, checks, place, query, *show), nothing()),
        Place::Region(id) if has_region(cx.facts, id) => Body {
            line: (cx.t.region_is)(id),
            tone: Tone::Quiet,
            ..all(overview::content(cx, checks, place, query, *show), nothing())
        },
        _ => match single::single(cx, place, query, *show) {
            Some(single::Single { tone, line, about, content }) => {
                Body { tone, line, about, content, is_found: true }
            }
            None => absent(cx, place),
        },
    }
}

fn has_region(facts: &Facts, id: &str) -> bool {
    facts.views.iter().any(|view| &*view.target.region == id)
}

/// What a standby says of itself.
fn standby(checks: &[Check]) -> Markup {
    html! {
        @for check in checks { @for line in check.found.iter().skip(1) { p.padded { (line) "." } } }
    }
}

/// There is no such thing, or it is gone.
fn absent(cx: &Context<'_>, place: &Place) -> Body {
    let t = cx.t;
    let (name, line) = match place {
        Place::Cluster(id) => (id, (t.no_cluster)(id)),
        Place::Server(id) => (id, (t.no_server)(id)),
        Place::Region(id) => (id, (t.no_region)(id)),
        Place::Command(name) | Place::Nodes(_, name) => (name, (t.no_command)(name)),
        Place::Overview => unreachable!("it is always there"),
    };
    let query = Query { q: Some(name.clone()), ..Query::default() };
    let content = html! {
        div.padded {
            p { (t.absent_because) }
            ul.plain {
                li { a href=(cx.to.overview(&query, None)) { (t.search_it) } }
                li { a href=(cx.to.overview(&Query::default(), None)) { (t.to_overview) } }
            }
        }
        (search::form(cx, &query, None))
    };
    Body { tone: Tone::Warn, line, about: html! {}, content, is_found: false }
}

fn head(cx: &Context<'_>, body: &Body) -> Markup {
    let version = cx.facts.revision;
    html! {
        head {
            meta charset="utf-8";
            meta name="viewport" content="width=device-width, initial-scale=1";
            meta name="color-scheme" content="light dark";
            title { (body.line) " · aliyun-task-exporter" }
            link rel="icon" href=(icon(body.tone));
            link rel="stylesheet" href={ (cx.to.of("static/page.css")) "?" (version) };
            script src={ (cx.to.of("static/page.js")) "?" (version) } defer {}
        }
    }
}

/// A dot in the colour of the verdict, as the tab's icon.
fn icon(tone: Tone) -> String {
    let colour = match tone {
        Tone::Good => "1a7f4b",
        Tone::Bad => "cf2e3b",
        Tone::Warn | Tone::Active | Tone::Quiet | Tone::Unknown => "b7791f",
    };
    format!(
        "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E\
         %3Ccircle cx='8' cy='8' r='7' fill='%23{colour}'/%3E%3C/svg%3E"
    )
}

fn header(cx: &Context<'_>, asked: &Asked) -> Markup {
    let t = cx.t;
    let facts = cx.facts;
    let Asked { place, query, show, lang, .. } = asked;
    let other = lang.other();
    html! {
        header #top {
            p.name { a href=(cx.to.overview(&Query::default(), None)) { "aliyun-task-exporter" } " " span.version { (facts.version) } }
            p.sub {
                (t.up) " " (cx.since(facts.started))
                span.revision { " · " (t.built_from) " " code { (facts.revision) } }
            }
            nav aria-label=(t.exporter) {
                @for (path, name) in [
                    (facts.telemetry_path.trim_start_matches('/'), t.metrics),
                    ("config", t.configuration),
                    ("api/v1/status", "JSON"),
                    ("-/healthy", t.healthy),
                    ("-/ready", t.ready),
                ] {
                    a href=(cx.to.of(path)) { (name) }
                }
                a href=(DOCUMENTS) { (t.documentation) }
                a lang=(other.texts().html_lang) hreflang=(other.texts().html_lang) href=(cx.to.in_language(place, query, *show, other)) { (other.texts().own_name) }
            }
        }
    }
}

/// The verdict, and on the overview what each check has found.
fn verdict(cx: &Context<'_>, asked: &Asked, body: &Body, checks: &[Check]) -> Markup {
    let t = cx.t;
    let is_overview = asked.place == Place::Overview;
    let troubles = checks.iter().filter(|check| check.is_trouble()).count();
    html! {
        div #verdict.(body.tone.class()) {
            @if !is_overview { p.sub { a href=(cx.to.overview(&Query::default(), None)) { (t.overview) } (t.colon) (overall(checks)) } }
            h1 { (body.line) }
            @if !is_overview { p.sub { (body.about) } }
            p.sub.state {
                @if is_overview && troubles > 1 { strong { ((t.more_checks)(troubles - 1)) } " · " }
                (t.updated) " " (time::ago(t, cx.now, cx.now))
                @if let Some(at) = oldest(&cx.facts.views) { " · " (t.oldest_data) " " (cx.ago(at)) }
                noscript { " · " (t.no_script) " " a href=(cx.to.place(&asked.place, &asked.query, asked.show)) { (t.refresh) } }
                button #pause type="button" hidden aria-pressed="false" { (t.pause) }
            }
        }
        @if is_overview && checks.len() > 1 {
            ul.checks {
                @for check in checks {
                    li #(check.id) {
                        a.(check.tone.class()) href=(check.address) {
                            span.title { (check.title) }
                            span.line { (check.line()) }
                        }
                    }
                }
            }
        }
    }
}

/// How everything is, in a line.
fn overall(checks: &[Check]) -> Markup {
    let worst = worst(checks);
    html! { @if let Some(check) = worst { span.(check.tone.class()).overall { (check.line()) } } }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{Asked, SCRIPT, STYLE};
    use crate::model::Reason;
    use crate::store::View;
    use crate::target::Kind;
    use crate::web::budget::Budget;
    use crate::web::fixture::{
        account, at, cluster, discovery, facts, failing, server, throttled_budget, waiting,
        withdrawn,
    };
    use crate::web::place::Place;
    use crate::web::status::{Facts, Query, Show, StateFilter};
    use crate::web::text::Lang;

    fn asked(place: Place) -> Asked {
        Asked {
            place,
            query: Query::default(),
            show: None,
            lang: Lang::English,
            is_lang_asked: false,
        }
    }

    fn page(facts: &Facts, asked: &Asked) -> String {
        super::page(facts, asked, at(9)).html
    }

    fn overview(views: Vec<View>) -> String {
        page(&facts(views), &asked(Place::Overview))
    }

    /// Every value of an attribute.
    fn values<'a>(html: &'a str, attribute: &str) -> Vec<&'a str> {
        let mark = format!(" {attribute}=\"");
        html.split(mark.as_str()).skip(1).filter_map(|rest| rest.split('"').next()).collect()
    }

    #[test]
    fn everything_is_its_own_and_nothing_is_inline() {
        let views = vec![
            cluster("c", &["Processing", "Dozing"]),
            failing(server("s", &[("n", "Failed")]), Reason::Clock, 0),
        ];
        let html = overview(views);
        for inline in ["<style", " style=", " onclick", " onload", "javascript:", "http-equiv"] {
            assert!(!html.contains(inline), "{inline}");
        }
        assert_eq!(html.matches("<script").count(), 1);
        assert!(values(&html, "src").iter().all(|address| address.starts_with("static/")));
        let mut links = html.split("<link ").skip(1).map(|rest| values(rest, "href")[0]);
        let is_own = |at: &str| at.starts_with("static/") || at.starts_with("data:image/svg");
        assert!(links.all(is_own));
        assert!(!STYLE.contains("url(") && !STYLE.contains("@import") && !SCRIPT.contains("http"));
    }

    #[test]
    fn no_id_stands_twice() {
        let invocations = [("n", "Failed"); 60];
        let views = vec![
            cluster("c", &["Processing"; 30]),
            cluster("d", &["Processing"; 30]),
            failing(server("s", &invocations), Reason::Dns, 0),
        ];
        let facts = facts(views);
        let places = [
            Place::Overview,
            Place::Region("cn-hangzhou".into()),
            Place::Cluster("c".into()),
            Place::Server("s".into()),
            Place::Command("n".into()),
        ];
        for place in places {
            let html = page(&facts, &asked(place.clone()));
            let ids = values(&html, "id");
            let once: BTreeSet<_> = ids.iter().collect();
            assert_eq!(ids.len(), once.len(), "{place:?} {ids:?}");
        }
    }

    #[test]
    fn what_others_wrote_is_text_and_never_markup() {
        let evil = "<script>alert(1)</script>";
        let facts = facts(vec![
            server(evil, &[(evil, evil), (evil, "Failed")]),
            failing(cluster(evil, &[evil]), Reason::Decode, 0),
        ]);
        let places = [
            Place::Overview,
            Place::Server(evil.into()),
            Place::Cluster(evil.into()),
            Place::Command(evil.into()),
            Place::Region(evil.into()),
            Place::Nodes(evil.into(), evil.into()),
        ];
        for place in places {
            let query = Query { q: Some(evil.into()), ..Query::default() };
            let html = page(&facts, &Asked { query, ..asked(place.clone()) });
            assert!(!html.contains(evil) && !html.contains("<b>no</b>"), "{place:?}");
            assert!(html.contains("&lt;script&gt;alert(1)&lt;/script&gt;"), "{place:?}");
        }
    }

    #[test]
    fn a_target_tells_how_it_is() {
        let recovered = {
            let view = failing(server("r", &[]), Reason::Timeout, 3);
            View { failure: None, ..view }
        };
        let views = vec![
            failing(cluster("kept", &[]), Reason::Throttled, 1),
            failing(withdrawn(server("old", &[])), Reason::NotFound, 2),
            failing(waiting(Kind::EhpcInvocations, "never"), Reason::Permission, 2),
            waiting(Kind::SwasInvocations, "new"),
            recovered,
        ];
        let facts = facts(views);
        let html = page(&facts, &asked(Place::Overview));
        for said in [
            "The last good values are still shown and exported.",
            "too old and were withdrawn.",
            "There are no values yet.",
            "Do something.",
            "none before the first poll",
        ] {
            assert!(html.contains(said), "{said}");
        }
        let html = page(&facts, &asked(Place::Server("r".into())));
        assert!(html.contains("Last failure") && html.contains("timeout"), "{html}");
    }

    #[test]
    fn discovery_tells_how_much_it_has_found_and_what_became_of_it() {
        let found = discovery("swas/a/cn-hangzhou", &["web-1", "web-2", "db"]);
        let failed = failing(discovery("swas/a/cn-beijing", &["web-3"]), Reason::Permission, 1);
        let never = failing(waiting(Kind::Discovery, "swas/a/r"), Reason::Timeout, 1);
        let html = overview(vec![found, failed, never, waiting(Kind::Discovery, "swas/a/all")]);
        for said in [
            "servers: 2 of 3 taken",
            "servers: 1 found",
            "What was found before is still polled.",
            "Nothing has been found yet.",
            "none before the first poll",
            "swas/a/all",
        ] {
            assert!(html.contains(said), "{said}: {html}");
        }
    }

    #[test]
    fn ten_thousand_servers_make_no_larger_page_than_a_few_hundred() {
        let servers = |count: usize| {
            let of = |id| {
                let commands = [("backup", "Running"), ("backup", "Failed")];
                failing(server(&format!("{id:05}"), &commands), Reason::Timeout, 0)
            };
            facts((0..count).map(of).collect())
        };
        let few = servers(300);
        let many = servers(10_000);
        for show in [None, Some(Show::Targets), Some(Show::Running), Some(Show::Failed)] {
            let asked = Asked { show, ..asked(Place::Overview) };
            let small = page(&few, &asked).len();
            let large = page(&many, &asked).len();
            assert!(large < small + 2000 && large <= 200_000, "{show:?} {small} {large}");
        }
        let html = page(&many, &asked(Place::Overview));
        assert!(html.contains("Show all 10\u{202f}000") && html.contains("Page 1 of 200"));
        assert!(html.contains("10\u{202f}000 invocations"), "the counts are those of all");
    }

    #[test]
    fn a_search_finds_targets_and_work_and_a_link_to_it_says_all() {
        let facts = facts(vec![
            cluster("hpc", &["Processing"]),
            server("web", &[("backup", "Running"), ("renew", "Failed")]),
        ]);
        let shown = |query: Query| {
            let asked = Asked { query, ..asked(Place::Overview) };
            let html = page(&facts, &asked);
            ["name-of-hpc", "name-of-web", "runs-", "failed-"].map(|text| {
                html.contains(&format!(">{text}")) || html.contains(&format!("\"{text}"))
            })
        };
        let q = |text: &str| Query { q: Some(text.into()), ..Query::default() };
        let section = "failed-title";
        assert!(overview(vec![]).contains(section), "an empty list has its heading");
        assert_eq!(shown(q("HPC"))[..3], [true, false, true]);
        assert_eq!(shown(q("backup"))[..3], [false, true, true]);
        assert_eq!(shown(q("nothing"))[..3], [false, false, false]);
        let down = Query { state: Some(StateFilter::Down), ..Query::default() };
        assert_eq!(shown(down)[..3], [false, false, false]);
        let asked = Asked { show: Some(Show::Failed), query: q("a&b"), ..asked(Place::Overview) };
        let html = page(&facts, &asked);
        assert!(html.contains("href=\"./?show=running&amp;q=a%26b\""), "{html}");
        assert!(html.contains("<input type=\"hidden\" name=\"show\" value=\"failed\">"), "{html}");
    }

    #[test]
    fn what_is_not_there_is_told_with_what_can_be_done() {
        let facts = facts(vec![server("s", &[("job", "Success")])]);
        for place in [
            Place::Cluster("s".into()),
            Place::Server("c".into()),
            Place::Region("r".into()),
            Place::Command("other".into()),
            Place::Nodes("s".into(), "c".into()),
        ] {
            let page = super::page(&facts, &asked(place.clone()), at(9));
            assert!(!page.is_found, "{place:?}");
            assert!(page.html.contains("Search for it"), "{}", page.html);
        }
        for place in [
            Place::Server("s".into()),
            Place::Region("cn-hangzhou".into()),
            Place::Command("job".into()),
        ] {
            assert!(super::page(&facts, &asked(place.clone()), at(9)).is_found, "{place:?}");
        }
    }

    #[test]
    fn each_language_says_everything_and_a_link_keeps_the_one_that_was_asked_for() {
        let facts = facts(vec![
            failing(server("s", &[("job", "Failed")]), Reason::Permission, 0),
            cluster("c", &["Processing"]),
        ]);
        let chinese = Asked { lang: Lang::Chinese, ..asked(Place::Overview) };
        let html = page(&facts, &chinese);
        for said in ["lang=\"zh-CN\"", "监控目标", "无权限", "退出码", "失败"] {
            assert!(html.contains(said), "{said}: {html}");
        }
        for english in ["Targets", "Needs attention", "failed in the last", " ago<", "Search<"] {
            assert!(!html.contains(english), "{english}: {html}");
        }
        assert!(html.contains("href=\"server/s\"") && html.contains("href=\"./?lang=en\""));
        let html = page(&facts, &Asked { is_lang_asked: true, ..chinese });
        assert!(html.contains("href=\"server/s?lang=zh\""), "{html}");
        assert!(html.contains("<input type=\"hidden\" name=\"lang\" value=\"zh\">"), "{html}");
    }

    #[test]
    fn a_throttled_operation_is_told_once_however_many_targets_need_it() {
        for count in [2, 300, 10_000] {
            let servers = (0..count)
                .map(|id| failing(server(&format!("{id:05}"), &[]), Reason::Throttled, id));
            let mut facts = facts(servers.collect());
            facts.budgets =
                vec![throttled_budget(120.0), Budget { lowered: None, ..throttled_budget(1.0) }];
            facts.accounts = vec![account("a", None).throttled(&facts.budgets, at(9))];
            let html = page(&facts, &asked(Place::Overview));
            let words = "lowered to 66 of 900 a minute since 22:12 UTC after a refusal (Throttling.User); more is tried at 22:18 UTC; \
                         120 needed";
            assert_eq!(html.matches(words).count(), 4, "check, attention, account, budget");
            let account = "Account a: the cloud throttles DescribeInvocations in cn-hangzhou";
            assert_eq!(html.matches(account).count(), 2, "check and attention, {count} targets");
            assert!(html.len() <= 200_000, "{}", html.len());
        }
    }
}
