//! Which requests go through which proxy: the account's, else the environment's. The variables are
//! read as in Go's `golang.org/x/net/http/httpproxy`, plus `ALL_PROXY`, which Go does not know, if
//! the others are not set.

use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderValue, Uri};
use percent_encoding::percent_decode_str;

use crate::config::{
    Account, NO_PROXY_FORM, NoProxy, Proxy as Configured, SecretSource, proxy_url,
};
use crate::files;
use crate::secret::Secret;

/// How the requests of an account are routed.
#[derive(Clone, Debug)]
pub(super) struct Proxies(Arc<Ways>);

#[derive(Debug)]
struct Ways {
    http: Way,
    https: Way,
    no_proxy: NoProxy,
    /// Host and port of the account's own metadata server, which is never reached through a proxy.
    metadata: Option<(String, u16)>,
    /// Which entries of `NO_PROXY` are invalid.
    warning: Option<String>,
}

/// How the requests of a scheme are routed.
#[derive(Clone, Debug)]
enum Way {
    Direct,
    Through(Proxy),
    /// What is wrong with the variable that names a proxy.
    Unusable(String),
}

/// A proxy. Displayed as its address and the setting that names it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Proxy {
    url: reqwest::Url,
    /// `Proxy-Authorization`.
    login: Option<HeaderValue>,
    named_by: &'static str,
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { url, named_by, .. } = self;
        write!(f, "the proxy {} ({named_by})", url.as_str().trim_end_matches('/'))
    }
}

impl Proxies {
    /// The proxies of an account; `env` looks up environment variables.
    ///
    /// # Errors
    /// If the account's own proxy cannot be used. An invalid variable is reported by
    /// [`Self::through`], since perhaps no request needs it.
    pub(super) fn of(
        account: &Account,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, String> {
        let ways = match &account.proxy {
            Some(own) => {
                let way = Way::Through(Proxy::configured(own)?);
                Ways {
                    http: way.clone(),
                    https: way,
                    no_proxy: own.no_proxy.clone(),
                    metadata: None,
                    warning: None,
                }
            }
            None => Ways::of_environment(env),
        };
        let metadata = account.endpoints.metadata.as_ref().and_then(|url| url.parse::<Uri>().ok());
        let metadata = metadata.and_then(|uri| Some((uri.host()?.to_owned(), port(&uri))));
        Ok(Self(Arc::new(Ways { metadata, ..ways })))
    }

    /// No proxy at all.
    #[cfg(test)]
    pub(super) fn none() -> Self {
        let http = Way::Direct;
        let https = Way::Direct;
        Self(Arc::new(Ways {
            http,
            https,
            no_proxy: NoProxy::default(),
            metadata: None,
            warning: None,
        }))
    }

    /// The proxy for requests to this URL, if any.
    ///
    /// # Errors
    /// If the environment names an unusable one.
    pub(super) fn through(&self, uri: &Uri) -> Result<Option<&Proxy>, &str> {
        let (Some(scheme), Some(host)) = (uri.scheme_str(), uri.host()) else { return Ok(None) };
        self.0.through(scheme, host, port(uri))
    }

    /// Which entries of `NO_PROXY` have no effect, if there is a proxy.
    pub(super) fn warning(&self) -> Option<&str> {
        let is_direct = matches!((&self.0.http, &self.0.https), (Way::Direct, Way::Direct));
        self.0.warning.as_deref().filter(|_| !is_direct)
    }

    /// Makes the client use these proxies, and read no variables itself.
    pub(super) fn lead(&self, builder: reqwest::ClientBuilder) -> reqwest::ClientBuilder {
        let led = |builder: reqwest::ClientBuilder, (scheme, way): (&'static str, &Way)| match way {
            Way::Through(proxy) => builder.proxy(self.for_scheme(scheme, proxy)),
            Way::Direct | Way::Unusable(_) => builder,
        };
        [("http", &self.0.http), ("https", &self.0.https)].into_iter().fold(builder.no_proxy(), led)
    }

    fn for_scheme(&self, scheme: &'static str, proxy: &Proxy) -> reqwest::Proxy {
        let ways = Arc::clone(&self.0);
        let made = reqwest::Proxy::custom(move |url| {
            let host = url.host_str()?;
            let port = url.port_or_known_default()?;
            let through =
                if url.scheme() == scheme { ways.through(scheme, host, port).ok()? } else { None };
            Some(through?.url.clone())
        });
        match &proxy.login {
            Some(login) => made.custom_http_auth(login.clone()),
            None => made,
        }
    }
}

/// The port of a URL, or its scheme's default.
fn port(uri: &Uri) -> u16 {
    uri.port_u16().unwrap_or(if uri.scheme_str() == Some("http") { 80 } else { 443 })
}

impl Ways {
    fn of_environment(env: &dyn Fn(&str) -> Option<String>) -> Self {
        let first = |names: &[&'static str]| {
            let set = names.iter().filter_map(|name| Some((*name, env(name)?.trim().to_owned())));
            set.into_iter().find(|(_, value)| !value.is_empty())
        };
        let way = |named: Option<(&'static str, String)>| match named {
            Some((name, value)) => {
                Proxy::of_variable(name, &value).map_or_else(Way::Unusable, Way::Through)
            }
            None => Way::Direct,
        };
        let all = || first(&["ALL_PROXY", "all_proxy"]);
        let of_http = first(&["HTTP_PROXY", "http_proxy"]);
        let http = match &of_http {
            // A CGI program gets its client's `Proxy` header as HTTP_PROXY.
            Some((name, _)) if first(&["REQUEST_METHOD"]).is_some() => Way::Unusable(format!(
                "{name} is not used where REQUEST_METHOD is set, as it is for a CGI program: unset one of them, or name the \
                 proxy in accounts[].proxy"
            )),
            _ => way(of_http.or_else(all)),
        };
        let https = way(first(&["HTTPS_PROXY", "https_proxy"]).or_else(all));
        let (name, list) = first(&["NO_PROXY", "no_proxy"]).unwrap_or_default();
        let (no_proxy, unknown) = NoProxy::read(&list);
        // A URL with a password may be there by mistake.
        let unknown: Vec<&str> =
            unknown.iter().map(|word| if word.contains('@') { "…" } else { word }).collect();
        let warning = (!unknown.is_empty()).then(|| {
            format!(
                "{name}: {} has no effect: the variable holds {NO_PROXY_FORM}",
                unknown.join(", ")
            )
        });
        Self { http, https, no_proxy, metadata: None, warning }
    }

    fn through(&self, scheme: &str, host: &str, port: u16) -> Result<Option<&Proxy>, &str> {
        let way = match scheme {
            "http" => &self.http,
            "https" => &self.https,
            _ => return Ok(None),
        };
        match way {
            Way::Direct => Ok(None),
            _ if self.no_proxy.excepts(host, port) => Ok(None),
            _ if self.metadata.as_ref().is_some_and(|(own, at)| own == host && *at == port) => {
                Ok(None)
            }
            Way::Through(proxy) => Ok(Some(proxy)),
            Way::Unusable(problem) => Err(problem),
        }
    }
}

impl Proxy {
    fn configured(own: &Configured) -> Result<Self, String> {
        let named_by = "accounts[].proxy";
        let url = reqwest::Url::parse(&own.url).map_err(|error| format!("proxy.url: {error}"))?;
        let Some(username) = &own.username else { return Ok(Self { url, login: None, named_by }) };
        let password = own.password.as_ref().map(password).transpose()?;
        let login = Some(login(username, password.as_ref().map_or("", Secret::expose)));
        Ok(Self { url, login, named_by })
    }

    /// Parses `[http[s]://][user[:password]@]host[:port]`. Errors do not show the text, which may
    /// contain a password.
    fn of_variable(name: &'static str, value: &str) -> Result<Self, String> {
        let wrong = |problem: &str| format!("{name} {problem}");
        let (scheme, rest) = value.split_once("://").unwrap_or(("http", value));
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let (user, host) =
            authority.rsplit_once('@').map_or((None, authority), |(user, host)| (Some(user), host));
        let bare = format!("{scheme}://{host}");
        proxy_url(&bare).map_err(wrong)?;
        let url = reqwest::Url::parse(&bare).map_err(|error| wrong(&error.to_string()))?;
        let Some(user) = user else { return Ok(Self { url, login: None, named_by: name }) };
        let (user, password) = user.split_once(':').unwrap_or((user, ""));
        let decoded = |text| {
            percent_decode_str(text)
                .decode_utf8()
                .map_err(|_| wrong("holds a password that is not UTF-8"))
        };
        Ok(Self { url, login: Some(login(&decoded(user)?, &decoded(password)?)), named_by: name })
    }
}

/// HTTP basic authentication.
fn login(user: &str, password: &str) -> HeaderValue {
    let text = format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
    let Ok(mut header) = HeaderValue::from_str(&text) else {
        unreachable!("Base64 can stand in a header")
    };
    header.set_sensitive(true);
    header
}

fn password(source: &SecretSource) -> Result<Secret, String> {
    match source {
        SecretSource::Value(secret) => Ok(secret.clone()),
        SecretSource::File(path) => {
            let text = files::text(path, files::MAX_SMALL);
            let text = text
                .map_err(|error| format!("proxy.password: reading {}: {error}", path.display()))?;
            Ok(Secret::new(text.trim_end()))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use http::Uri;

    use super::Proxies;
    use crate::config::{Account, NoProxy, Proxy, SecretSource};
    use crate::secret::Secret;

    fn of(variables: &[(&str, &str)]) -> Proxies {
        let variables: HashMap<_, _> = variables.iter().copied().collect();
        let env = |name: &str| variables.get(name).map(|value| (*value).to_owned());
        Proxies::of(&Account::default(), &env).unwrap()
    }

    /// The proxy for a URL, or why there is none.
    fn way(proxies: &Proxies, url: &str) -> String {
        match proxies.through(&url.parse::<Uri>().unwrap()) {
            Ok(Some(proxy)) => proxy.to_string(),
            Ok(None) => "direct".to_owned(),
            Err(problem) => problem.to_owned(),
        }
    }

    const SECURE: &str = "https://ehpc.cn-hangzhou.aliyuncs.com";
    const PLAIN: &str = "http://gateway.example";

    #[test]
    fn each_scheme_has_its_variables_upper_case_first_and_all_proxy_last() {
        let [http, https, all] = ["http://h:1", "http://s:2", "http://a:3"];
        for (variables, plain, secure) in [
            (vec![], "direct", "direct"),
            (vec![("HTTP_PROXY", http)], "the proxy http://h:1 (HTTP_PROXY)", "direct"),
            (vec![("https_proxy", https)], "direct", "the proxy http://s:2 (https_proxy)"),
            (
                vec![("HTTPS_PROXY", https), ("https_proxy", http)],
                "direct",
                "the proxy http://s:2 (HTTPS_PROXY)",
            ),
            (
                vec![("HTTPS_PROXY", ""), ("https_proxy", https)],
                "direct",
                "the proxy http://s:2 (https_proxy)",
            ),
            (
                vec![("ALL_PROXY", all)],
                "the proxy http://a:3 (ALL_PROXY)",
                "the proxy http://a:3 (ALL_PROXY)",
            ),
            (
                vec![("all_proxy", all), ("HTTPS_PROXY", https)],
                "the proxy http://a:3 (all_proxy)",
                "the proxy http://s:2 (HTTPS_PROXY)",
            ),
            (vec![("HTTPS_PROXY", " s:2\n")], "direct", "the proxy http://s:2 (HTTPS_PROXY)"),
            (
                vec![("HTTPS_PROXY", "https://s/path")],
                "direct",
                "the proxy https://s (HTTPS_PROXY)",
            ),
            (
                vec![("HTTPS_PROXY", "http://user:hunter2@s:2")],
                "direct",
                "the proxy http://s:2 (HTTPS_PROXY)",
            ),
            (
                vec![("HTTPS_PROXY", https), ("REQUEST_METHOD", "GET")],
                "direct",
                "the proxy http://s:2 (HTTPS_PROXY)",
            ),
        ] {
            let proxies = of(&variables);
            assert_eq!(
                (&*way(&proxies, PLAIN), &*way(&proxies, SECURE)),
                (plain, secure),
                "{variables:?}"
            );
        }
    }

    #[test]
    fn a_variable_that_cannot_be_used_is_named_where_it_is_needed_and_its_value_is_not_shown() {
        let wanted = "must start with http:// or https://, like http://proxy.example.com:3128";
        for name in ["ALL_PROXY", "all_proxy", "HTTPS_PROXY", "https_proxy"] {
            for value in ["socks5://user:hunter2@s:1080", "SOCKS5H://s", "socks4://s"] {
                let told = way(&of(&[(name, value)]), SECURE);
                assert_eq!(
                    told,
                    format!("{name} {wanted}; SOCKS proxies cannot be used"),
                    "{value}"
                );
            }
        }
        assert_eq!(
            way(&of(&[("HTTPS_PROXY", "ftp://s")]), SECURE),
            format!("HTTPS_PROXY {wanted}")
        );
        for value in [
            "http://",
            "http://hunter2:x",
            "http://hunter 2",
            "http://s:99999",
            "http://u:hunter2%ff@s",
        ] {
            let told = way(&of(&[("HTTPS_PROXY", value)]), SECURE);
            assert!(
                told.starts_with("HTTPS_PROXY ") && !told.contains("hunter"),
                "{value}: {told}"
            );
        }
        let unused = of(&[
            ("ALL_PROXY", "socks5://s"),
            ("HTTPS_PROXY", "http://s:2"),
            ("NO_PROXY", ".example,*.test"),
        ]);
        assert_eq!(way(&unused, SECURE), "the proxy http://s:2 (HTTPS_PROXY)");
        assert_eq!(way(&unused, PLAIN), "direct", "it is excepted");
        assert_eq!(way(&unused, "http://127.0.0.1:10978"), "direct", "so is this machine");
        assert!(way(&unused, "http://elsewhere").starts_with("ALL_PROXY must start with"));
        let cgi = of(&[
            ("HTTP_PROXY", "http://evil"),
            ("REQUEST_METHOD", "GET"),
            ("ALL_PROXY", "http://a"),
        ]);
        assert!(way(&cgi, PLAIN).starts_with("HTTP_PROXY is not used where REQUEST_METHOD is set"));
    }

    #[test]
    fn what_no_proxy_excepts_is_reached_directly_and_what_it_does_not_mean_is_told() {
        let with = |list: &str| of(&[("HTTPS_PROXY", "http://s:2"), ("no_proxy", list)]);
        for list in [
            "*",
            "aliyuncs.com",
            ".aliyuncs.com",
            "*.aliyuncs.com",
            "a b, ehpc.cn-hangzhou.aliyuncs.com:443",
        ] {
            assert_eq!(
                (way(&with(list), SECURE), with(list).warning()),
                ("direct".into(), None),
                "{list}"
            );
        }
        assert!(!with("http://user:hunter2@host").warning().unwrap().contains("hunter2"));
        let odd = with("http://aliyuncs.com,10.0.0.0/40, localhost");
        assert_ne!(way(&odd, SECURE), "direct");
        let told = odd.warning().unwrap();
        assert!(
            told.starts_with(
                "no_proxy: http://aliyuncs.com, 10.0.0.0/40 has no effect: the variable holds a comma list"
            )
        );
        assert_eq!(of(&[("NO_PROXY", "http://x")]).warning(), None, "there is no proxy");
    }

    #[test]
    fn the_accounts_own_proxy_comes_before_those_of_the_environment_and_is_held_to_the_same_rules()
    {
        let own = Proxy {
            url: "http://own:3128".into(),
            username: Some("user".into()),
            password: Some(SecretSource::Value(Secret::new("hunter2"))),
            no_proxy: NoProxy::read("*.example").0,
        };
        let account = Account { proxy: Some(own), ..Account::default() };
        let proxies = Proxies::of(&account, &|_| Some("socks5://x".into())).unwrap();
        assert_eq!(way(&proxies, SECURE), "the proxy http://own:3128 (accounts[].proxy)");
        assert_eq!(
            (way(&proxies, PLAIN), way(&proxies, "https://localhost")),
            ("direct".into(), "direct".into())
        );
        let proxy = proxies.through(&SECURE.parse().unwrap()).unwrap().unwrap();
        // "user:hunter2" in Base64.
        assert_eq!(proxy.login.as_ref().unwrap(), "Basic dXNlcjpodW50ZXIy");
        let printed = format!("{proxies:?}");
        assert!(!printed.contains("hunter2") && !printed.contains("dXNlcjpodW50ZXIy"), "{printed}");
    }

    #[test]
    fn the_metadata_server_is_never_asked_through_a_proxy() {
        let mut account = Account::default();
        account.endpoints.metadata = Some("https://metadata.example:8443".into());
        let proxies = Proxies::of(&account, &|_| Some("http://s:2".into())).unwrap();
        assert_eq!(way(&proxies, "https://metadata.example:8443/latest/api/token"), "direct");
        assert_ne!(way(&proxies, "https://metadata.example"), "direct");
    }

    #[test]
    fn user_and_password_of_a_variable_are_decoded() {
        let login = |value: &str| {
            let proxies = of(&[("HTTPS_PROXY", value)]);
            proxies.through(&SECURE.parse().unwrap()).unwrap().unwrap().login.clone()
        };
        // "exporter:p@ss:w/rd %41" in Base64.
        let wanted = "Basic ZXhwb3J0ZXI6cEBzczp3L3JkICU0MQ==";
        assert_eq!(login("http://exporter:p%40ss%3Aw%2Frd%20%2541@s:2").unwrap(), wanted);
        assert_eq!(login("exporter:p@ss%3Aw%2Frd%20%2541@s:2").unwrap(), wanted);
        assert_eq!(login("http://user@s:2").unwrap(), "Basic dXNlcjo=");
        assert_eq!(login("http://s:2"), None);
    }
}
