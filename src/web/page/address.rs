//! Addresses of this server's pages, relative to the page that is shown, so that they hold under
//! any prefix and behind any proxy.

use crate::store::View;
use crate::target::Owner;
use crate::web::place::Place;
use crate::web::status::{Query, Show, encoded};
use crate::web::text::Lang;

/// Makes addresses as seen from a page.
#[derive(Clone, Copy, Debug)]
pub(super) struct Address {
    /// The way up to `/`.
    root: &'static str,
    /// The language that was asked for in the URL, kept in every link.
    lang: Option<Lang>,
}

impl Address {
    /// As seen from `place`.
    pub(super) fn seen_from(place: &Place, lang: Option<Lang>) -> Self {
        Self { root: ["", "../", "../../"][place.depth()], lang }
    }

    /// What is not a page of its own: the same in every language.
    pub(super) fn of(&self, path: &str) -> String {
        let address = format!("{}{path}", self.root);
        if address.is_empty() { "./".to_owned() } else { address }
    }

    /// A page with these parameters, in this language.
    pub(super) fn page(
        &self,
        path: &str,
        parameters: &[(&'static str, String)],
        lang: Option<Lang>,
    ) -> String {
        let lang = lang.map(|lang| ("lang", lang.word().to_owned()));
        let all = parameters.iter().cloned().chain(lang);
        let all: Vec<String> = all.map(|(name, value)| format!("{name}={value}")).collect();
        let address = self.of(path);
        if all.is_empty() { address } else { format!("{address}?{}", all.join("&")) }
    }

    /// A place with a query.
    pub(super) fn place(&self, place: &Place, query: &Query, show: Option<Show>) -> String {
        self.page(&place.path(), &parameters(place, query, show), self.lang)
    }

    /// The place that is shown, in another language.
    pub(super) fn in_language(
        &self,
        place: &Place,
        query: &Query,
        show: Option<Show>,
        lang: Lang,
    ) -> String {
        self.page(&place.path(), &parameters(place, query, show), Some(lang))
    }

    /// The overview with a query.
    pub(super) fn overview(&self, query: &Query, show: Option<Show>) -> String {
        self.place(&Place::Overview, query, show)
    }

    /// A region.
    pub(super) fn region(&self, id: &str) -> String {
        self.plain(&Place::Region(id.to_owned()))
    }

    /// The page of what a target belongs to: a cluster, a server, or the region where discovery
    /// looks.
    pub(super) fn target(&self, view: &View) -> String {
        let id = view.target.id.id.to_string();
        self.plain(&match view.target.id.kind.owner() {
            Owner::Cluster => Place::Cluster(id),
            Owner::Server => Place::Server(id),
            Owner::Region => Place::Region(view.target.region.to_string()),
        })
    }

    /// All invocations under a command's name.
    pub(super) fn command(&self, name: &str) -> String {
        self.plain(&Place::Command(name.to_owned()))
    }

    /// A command on the nodes of a cluster.
    pub(super) fn nodes(&self, cluster: &str, command: &str) -> String {
        self.plain(&Place::Nodes(cluster.to_owned(), command.to_owned()))
    }

    fn plain(&self, place: &Place) -> String {
        self.place(place, &Query::default(), None)
    }

    /// The language that a form must carry on.
    pub(super) fn lang(&self) -> Option<Lang> {
        self.lang
    }
}

fn parameters(place: &Place, query: &Query, show: Option<Show>) -> Vec<(&'static str, String)> {
    let name = match place {
        Place::Command(name) => Some(("name", encoded(name))),
        _ => None,
    };
    let show = show.map(|show| ("show", show.word().to_owned()));
    name.into_iter().chain(show).chain(query.parameters()).collect()
}

#[cfg(test)]
mod tests {
    use super::Address;
    use crate::web::place::Place;
    use crate::web::status::{Query, Show};
    use crate::web::text::Lang;

    #[test]
    fn addresses_are_relative_and_carry_what_was_asked_for() {
        let query = Query { q: Some("a&b".into()), page: Some(2), ..Query::default() };
        let root = Address::seen_from(&Place::Overview, None);
        assert_eq!(root.of(""), "./");
        assert_eq!(root.of("metrics"), "metrics");
        assert_eq!(root.overview(&Query::default(), None), "./");
        assert_eq!(root.command("a/../b c"), "command?name=a%2F..%2Fb%20c");
        let nodes = Place::Nodes("c".into(), "x/y".into());
        let deep = Address::seen_from(&nodes, Some(Lang::Chinese));
        assert_eq!(deep.of("static/page.css"), "../../static/page.css");
        assert_eq!(
            deep.overview(&query, Some(Show::Failed)),
            "../../?show=failed&q=a%26b&page=2&lang=zh"
        );
        assert_eq!(
            deep.place(&nodes, &query, None),
            "../../command/c/x%2Fy?q=a%26b&page=2&lang=zh"
        );
        assert_eq!(
            deep.in_language(&nodes, &Query::default(), None, Lang::English),
            "../../command/c/x%2Fy?lang=en"
        );
    }
}
