//! Product and region -> base URL. Source: "Endpoints" in `docs/alibaba-cloud-api.md`.

use std::collections::BTreeSet;

use crate::action::Product;
use crate::config::{Account, Config, Endpoints, Network, is_loopback};
use crate::regions::{EHPC, STS, SWAS, Service};

/// The base URL that `account` uses for `product` in `region`.
///
/// The vendor's rule is `<product>.<region>.aliyuncs.com`, and `<product>-vpc.…` inside a VPC. (For
/// Simple Application Server the vendor's own SDKs compute another host, which does not answer.)
pub fn endpoint(account: &Account, product: Product, region: &str) -> String {
    match own(account, product) {
        Some(template) => template.replace("{region}", region),
        None => by_rule(service(product), account.network, region),
    }
}

/// Warnings about the endpoints of a configuration: regions without a known endpoint, and requests
/// without TLS. `asked` has the product, account and region of each call. Each region is named once
/// per product and network.
pub fn warnings<'a>(
    config: &Config,
    asked: impl IntoIterator<Item = (Product, &'a str, &'a str)>,
) -> BTreeSet<String> {
    let mut warnings: BTreeSet<String> = config.accounts.iter().flat_map(without_tls).collect();
    for (product, name, region) in asked {
        let account = config.accounts.iter().find(|account| account.name == name);
        if let Some(account) = account.filter(|account| own(account, product).is_none()) {
            warnings.extend(unknown(service(product), account.network, region));
        }
    }
    warnings
}

/// The base URL of Security Token Service in a region, and a warning if no such endpoint is known.
pub(super) fn sts(network: Network, region: &str) -> (String, Option<String>) {
    (by_rule(&STS, network, region), unknown(&STS, network, region))
}

fn own(account: &Account, product: Product) -> Option<&str> {
    match product {
        Product::Ehpc => account.endpoints.ehpc.as_deref(),
        Product::Swas => account.endpoints.swas.as_deref(),
    }
}

fn service(product: Product) -> &'static Service {
    match product {
        Product::Ehpc => &EHPC,
        Product::Swas => &SWAS,
    }
}

fn by_rule(service: &Service, network: Network, region: &str) -> String {
    let host = service.host;
    match network {
        Network::Public => format!("https://{host}.{region}.aliyuncs.com"),
        Network::Vpc => format!("https://{host}-vpc.{region}.aliyuncs.com"),
    }
}

fn unknown(service: &Service, network: Network, region: &str) -> Option<String> {
    let Service { name, host, public, vpc } = service;
    let (kind, known, way_out) = match network {
        Network::Public => ("public", public, ""),
        Network::Vpc if public.contains(&region) => {
            ("VPC", vpc, " set accounts[].network to public,")
        }
        Network::Vpc => ("VPC", vpc, ""),
    };
    let url = by_rule(service, network, region);
    (!known.contains(&region)).then(|| {
        format!(
            "{name} has no {kind} endpoint in region {region} that this version knows, so {url} is asked, by the naming rule; \
             if it does not answer, check the name of the region,{way_out} or name the endpoint in accounts[].endpoints.{host}"
        )
    })
}

/// Warnings about plain HTTP beyond this machine, which only `accounts[].insecure_http` allows.
fn without_tls(account: &Account) -> Vec<String> {
    let Endpoints { ehpc, swas, sts, metadata } = &account.endpoints;
    let open = |url: &&String| url.starts_with("http://") && !is_local(url);
    let urls = [ehpc, swas, sts, metadata]
        .into_iter()
        .flatten()
        .filter(open)
        .filter(|_| account.insecure_http);
    let warning = |url: &String| {
        format!(
            "account {:?} asks {url} without TLS: who is on the way can read and forge the answers, and use what signs the \
             requests; use https:// and remove accounts[].insecure_http",
            account.name
        )
    };
    urls.map(warning).collect()
}

/// Whether a URL points to this machine.
fn is_local(url: &str) -> bool {
    let uri = url.replace("{region}", "region").parse::<http::Uri>();
    uri.is_ok_and(|uri| uri.host().is_some_and(is_loopback))
}

#[cfg(test)]
mod tests {
    use super::{EHPC, STS, SWAS, Service, endpoint, sts};
    use crate::action::Product;
    use crate::config::{Account, Config, Network, parse};

    #[test]
    fn the_vendors_rule_and_an_override() {
        let mut account = Account::default();
        assert_eq!(
            endpoint(&account, Product::Swas, "cn-hangzhou"),
            "https://swas.cn-hangzhou.aliyuncs.com"
        );
        account.network = Network::Vpc;
        assert_eq!(
            endpoint(&account, Product::Ehpc, "cn-beijing"),
            "https://ehpc-vpc.cn-beijing.aliyuncs.com"
        );
        account.endpoints.ehpc = Some("https://e.{region}.example.com".into());
        assert_eq!(
            endpoint(&account, Product::Ehpc, "cn-beijing"),
            "https://e.cn-beijing.example.com"
        );
    }

    #[test]
    fn the_tables_are_in_order_and_name_no_region_twice() {
        for Service { public, vpc, .. } in [&EHPC, &SWAS, &STS] {
            assert!(public.is_sorted_by(|a, b| a < b) && vpc.is_sorted_by(|a, b| a < b));
            assert!(public.len() > 15 && vpc.len() > 15);
        }
    }

    fn config(text: &str) -> Config {
        parse("config.yaml", text, &|_| None).unwrap()
    }

    fn warnings(config: &Config, asked: &[(Product, &str, &str)]) -> Vec<String> {
        super::warnings(config, asked.iter().copied()).into_iter().collect()
    }

    #[test]
    fn a_region_without_a_known_endpoint_is_told_once() {
        let config = config(
            "accounts: [{name: a}, {name: b}, {name: v, network: vpc}, {name: o, endpoints: {ehpc: 'https://h'}}]\n\
             ehpc: {clusters: [{id: c1, region: cn-hangzhou}]}",
        );
        let known = (Product::Ehpc, "a", "cn-hangzhou");
        let asked = [
            known,
            (Product::Ehpc, "a", "xx-1"),
            (Product::Ehpc, "b", "xx-1"),
            (Product::Ehpc, "o", "xx-1"),
            (Product::Ehpc, "v", "cn-chengdu"),
            (Product::Swas, "v", "cn-chengdu"),
            (Product::Swas, "v", "xx-2"),
        ];
        let told = warnings(&config, &asked);
        assert_eq!(told.len(), 3, "{told:#?}");
        assert!(told[0].starts_with("EHPC has no public endpoint in region xx-1"), "{}", told[0]);
        assert!(
            told[0].contains("https://ehpc.xx-1.aliyuncs.com")
                && told[0].contains("accounts[].endpoints.ehpc")
        );
        assert!(
            told[1].contains("cn-chengdu") && told[1].contains("set accounts[].network to public"),
            "{}",
            told[1]
        );
        assert!(told[2].contains("xx-2") && !told[2].contains("public"), "{}", told[2]);
        assert!(warnings(&config, &[known]).is_empty());
    }

    #[test]
    fn sts_is_asked_by_the_same_rule_and_knows_its_regions() {
        assert_eq!(
            sts(Network::Public, "cn-beijing"),
            ("https://sts.cn-beijing.aliyuncs.com".into(), None)
        );
        assert_eq!(
            sts(Network::Vpc, "cn-beijing"),
            ("https://sts-vpc.cn-beijing.aliyuncs.com".into(), None)
        );
        let (url, told) = sts(Network::Vpc, "xx-1");
        assert_eq!(url, "https://sts-vpc.xx-1.aliyuncs.com");
        assert!(
            told.unwrap()
                .starts_with("STS has no VPC endpoint in region xx-1 that this version knows")
        );
    }

    #[test]
    fn requests_without_tls_are_told_if_they_leave_the_machine() {
        let told = |url: &str, more: &str| {
            let account = format!("{{name: a, endpoints: {{sts: '{url}'}}{more}}}");
            let config = config(&format!(
                "accounts: [{account}]\nswas: {{servers: [{{id: s, region: r}}]}}"
            ));
            warnings(&config, &[])
        };
        let open = told("http://gateway.example", ", insecure_http: true");
        assert!(
            open.len() == 1 && open[0].contains("http://gateway.example without TLS"),
            "{open:?}"
        );
        assert!(
            told("http://127.0.0.1:1", "").is_empty()
                && told("https://gateway.example", "").is_empty()
        );
    }
}
