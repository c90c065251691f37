//! The status page: `/api/v1/status` for people. Its size is bounded, however many targets there
//! are.

mod accounts;
mod api;
mod clusters;
mod commands;
mod counts;
mod fixture;
mod invocations;
mod parts;
mod role;
mod series;
mod summary;
mod targets;
mod tasks;
mod time;
mod verdict;
mod words;

use jiff::Timestamp;
use maud::{DOCTYPE, Markup, html};

use self::parts::Tone;
use self::verdict::{Verdict, verdict, worst_first};
use super::status::Facts;
use crate::store::View;
use crate::target::Kind;

/// The page's style sheet.
pub(super) const STYLE: &str = include_str!("page.css");
/// The page's script.
pub(super) const SCRIPT: &str = include_str!("page.js");

/// URL of the documentation.
const DOCUMENTS: &str = "https://github.com/aliyun-task-exporter/aliyun-task-exporter#readme";

/// The whole page.
pub(super) fn page(facts: &Facts, now: Timestamp) -> String {
    let sorted = worst_first(&facts.views);
    let accounts = accounts::worst_first(&facts.accounts);
    let verdict =
        verdict(&sorted, &accounts).and(series::said(&facts.series, facts.target_series.values()));
    let verdict = role::judged(&facts.role, verdict);
    let of = |kind: Kind| {
        facts.views.iter().filter(|view| view.target.id.kind == kind).collect::<Vec<&View>>()
    };
    let [tasks, commands, invocations] =
        [Kind::EhpcTasks, Kind::EhpcInvocations, Kind::SwasInvocations].map(of);
    html! {
        (DOCTYPE)
        html lang="en" {
            (head(facts, &verdict))
            body {
                a.skip href="#main" { "Skip to the status" }
                (header(facts, now))
                p #link role="status" hidden {}
                main #main data-now=(now.as_millisecond()) data-build={ (facts.version) "-" (facts.revision) } {
                    (said(&verdict, facts, now))
                    @if facts.role.leads {
                        (summary::tiles(facts, now))
                        (targets::section(facts, &sorted, now))
                    }
                    @if !accounts.is_empty() { (accounts::section(&accounts, now)) }
                    @if !tasks.is_empty() { (tasks::section(&tasks, now)) }
                    @if !commands.is_empty() { (commands::section(&commands, now)) }
                    @if !invocations.is_empty() { (invocations::section(&invocations, now)) }
                    @if facts.role.leads { (api::section(&facts.budgets, facts.started, now)) }
                    @if !facts.unknown_words.is_empty() { (words::section(&facts.unknown_words)) }
                }
            }
        }
    }
    .into_string()
}

fn head(facts: &Facts, verdict: &Verdict) -> Markup {
    html! {
        head {
            meta charset="utf-8";
            meta name="viewport" content="width=device-width, initial-scale=1";
            meta name="color-scheme" content="light dark";
            title { (verdict.line) " · aliyun-task-exporter" }
            link rel="icon" href=(icon(verdict.tone));
            link rel="stylesheet" href={ "static/page.css?" (facts.revision) };
            script src={ "static/page.js?" (facts.revision) } defer {}
            noscript { meta http-equiv="refresh" content="15"; }
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

fn header(facts: &Facts, now: Timestamp) -> Markup {
    html! {
        header #top {
            p.name { "aliyun-task-exporter " span.version { (facts.version) } }
            p.sub {
                "up " (time::since(facts.started, now))
                span.revision { " · built from " code { (facts.revision) } }
            }
            nav aria-label="Exporter" {
                @for (address, name) in [
                    (facts.telemetry_path.trim_start_matches('/'), "Metrics"),
                    ("config", "Configuration"),
                    ("api/v1/status", "JSON"),
                    ("-/healthy", "Healthy"),
                    ("-/ready", "Ready"),
                    (DOCUMENTS, "Documentation"),
                ] {
                    a href=(address) { (name) }
                }
            }
        }
    }
}

fn said(verdict: &Verdict, facts: &Facts, now: Timestamp) -> Markup {
    let oldest = facts
        .views
        .iter()
        .filter(|view| view.reading.is_some())
        .filter_map(|view| view.read_at)
        .min();
    html! {
        div #verdict.(verdict.tone.class()) {
            h1 { (verdict.line) }
            @for line in &verdict.rest { p { (line) "." } }
            p.sub {
                "As of " (time::ago(now, now))
                @if let Some(at) = oldest { "; the oldest data shown were read " (time::ago(at, now)) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::fixture::{
        account, at, cluster, discovery, facts, failing, server, throttled_budget, waiting,
        withdrawn,
    };
    use super::{SCRIPT, STYLE, page};
    use crate::model::Reason;
    use crate::target::Kind;
    use crate::web::budget::Budget;

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
        let html = page(&facts(views), at(9));
        for inline in [
            "<style",
            " style=",
            " onclick",
            " onload",
            "javascript:",
            "http-equiv=\"refresh\" content=\"0",
        ] {
            assert!(!html.contains(inline), "{inline}");
        }
        assert_eq!(html.matches("<script").count(), 1);
        assert!(values(&html, "src").iter().all(|address| address.starts_with("static/")));
        let links = html.split("<link ").skip(1).map(|rest| values(rest, "href")[0]);
        assert!(
            links
                .into_iter()
                .all(|address| address.starts_with("static/")
                    || address.starts_with("data:image/svg"))
        );
        assert!(!STYLE.contains("url(") && !STYLE.contains("@import") && !SCRIPT.contains("http"));
    }

    #[test]
    fn no_id_stands_twice() {
        let many = ["Processing"; 30];
        let invocations = [("n", "Success"); 60];
        let html = page(
            &facts(vec![cluster("c", &many), cluster("d", &many), server("s", &invocations)]),
            at(9),
        );
        let ids = values(&html, "id");
        let once: std::collections::BTreeSet<_> = ids.iter().collect();
        assert_eq!(ids.len(), once.len(), "{ids:?}");
        assert!(once.contains(&"tasks-c-more"));
    }

    #[test]
    fn what_others_wrote_is_text_and_never_markup() {
        let evil = "<script>alert(1)</script>";
        let html = page(
            &facts(vec![
                server(evil, &[(evil, evil)]),
                failing(cluster(evil, &[evil]), Reason::Decode, 0),
            ]),
            at(9),
        );
        assert!(!html.contains(evil) && !html.contains("<b>no</b>"));
        assert!(html.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
    }

    #[test]
    fn a_target_tells_how_it_is() {
        let recovered = {
            let view = failing(server("r", &[]), Reason::Timeout, 3);
            crate::store::View { failure: None, ..view }
        };
        let views = vec![
            failing(cluster("kept", &[]), Reason::Throttled, 1),
            failing(withdrawn(server("old", &[])), Reason::NotFound, 2),
            failing(waiting(Kind::EhpcInvocations, "never"), Reason::Permission, 2),
            waiting(Kind::SwasInvocations, "new"),
            recovered,
        ];
        let html = page(&facts(views), at(9));
        for said in [
            "The last good values are still shown and exported.",
            "too old and were withdrawn.",
            "There are no values yet.",
            "Do something.",
            "none before the first poll",
            "1 server not polled yet.",
            "1 server left out: no fresh values.",
            "1 cluster left out: no fresh values.",
            "not current",
            "id=\"past-swas_invocations-r\"",
        ] {
            assert!(html.contains(said), "{said}");
        }
    }

    #[test]
    fn discovery_tells_how_much_it_has_found_and_what_became_of_it() {
        let found = discovery("swas/a/cn-hangzhou", &["web-1", "web-2", "db"]);
        let failed = failing(discovery("swas/a/cn-beijing", &["web-3"]), Reason::Permission, 1);
        let never = failing(waiting(Kind::Discovery, "swas/a/r"), Reason::Timeout, 1);
        let html =
            page(&facts(vec![found, failed, never, waiting(Kind::Discovery, "swas/a/all")]), at(9));
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
            (0..count)
                .map(|id| {
                    server(&format!("{id:05}"), &[("backup", "Running"), ("backup", "Success")])
                })
                .collect()
        };
        let few = page(&facts(servers(300)), at(9));
        let many = page(&facts(servers(10_000)), at(9));
        assert!(
            many.len() < few.len() + 1000 && many.len() < 500_000,
            "{} and {} bytes",
            few.len(),
            many.len()
        );
        assert!(many.contains("9\u{202f}800 more targets not shown here"));
        assert!(many.contains("19\u{202f}850 more invocations not shown here"));
        assert!(many.contains("10\u{202f}000<span> running"), "the counts are those of all");
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
            let html = page(&facts, at(9));
            let words = "lowered to 66 of 900 a minute since 22:12 UTC after a refusal (Throttling.User); more is tried at 22:18 UTC; \
                         120 needed";
            assert_eq!(html.matches(words).count(), 2, "account and budget, {count} targets");
            let verdict = "Account a: the cloud throttles DescribeInvocations in cn-hangzhou.";
            assert_eq!(html.matches(verdict).count(), 1, "{count} targets");
            assert!(
                html.contains("13 % of the tightest quota, <strong class=\"loud\">1 operation throttled</strong>"),
                "{html}"
            );
            assert!(!html.contains("00 %") && html.len() < 500_000, "{}", html.len());
        }
        let mut facts = facts(vec![server("s", &[])]);
        facts.budgets = vec![throttled_budget(60.0)];
        facts.accounts = vec![account("a", None).throttled(&facts.budgets, at(9))];
        let html = page(&facts, at(9));
        assert!(
            html.contains("<h1>The target is fresh</h1>") && !html.contains("operation throttled"),
            "{html}"
        );
        assert_eq!(
            html.matches("lowered to 66 of 900 a minute").count(),
            1,
            "the budget alone tells what does no harm"
        );
    }

    #[test]
    fn what_runs_comes_first_then_the_newest() {
        let invocations = [("newest", "Success"), ("newer", "Failed"), ("open", "Running")];
        let html = page(&facts(vec![server("s", &invocations)]), at(9));
        let place = |name: &str| html.find(&format!(">{name}<"));
        assert!(place("open") < place("newest") && place("newest") < place("newer"));
        assert_eq!(html.matches("not read yet").count(), 2, "{html}");
    }
}
