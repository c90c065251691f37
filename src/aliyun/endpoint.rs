//! Product and region -> base URL. Source: "Endpoints" in `docs/alibaba-cloud-api.md`.

use std::collections::BTreeSet;

use super::op::Product;
use crate::config::{Account, Config, Endpoints, Network, Regions, is_loopback};

/// Where a product is known to be reached.
struct Service {
    /// The first word of its host names.
    host: &'static str,
    /// Regions with an endpoint on the internet.
    public: &'static [&'static str],
    /// Regions with an endpoint inside a VPC.
    vpc: &'static [&'static str],
}

const EHPC: Service = Service {
    host: "ehpc",
    public: &[
        "ap-northeast-1",
        "ap-southeast-1",
        "ap-southeast-5",
        "cn-beijing",
        "cn-chengdu",
        "cn-guangzhou",
        "cn-hangzhou",
        "cn-heyuan",
        "cn-hongkong",
        "cn-huhehaote",
        "cn-qingdao",
        "cn-shanghai",
        "cn-shenzhen",
        "cn-wuhan-lr",
        "cn-wulanchabu",
        "cn-zhangjiakou",
        "eu-central-1",
        "me-east-1",
    ],
    vpc: &[
        "ap-northeast-1",
        "ap-southeast-1",
        "ap-southeast-5",
        "cn-beijing",
        "cn-chengdu",
        "cn-guangzhou",
        "cn-hangzhou",
        "cn-heyuan",
        "cn-hongkong",
        "cn-huhehaote",
        "cn-qingdao",
        "cn-shanghai",
        "cn-shenzhen",
        "cn-wuhan-lr",
        "cn-wulanchabu",
        "cn-zhangjiakou",
        "eu-central-1",
    ],
};

const SWAS: Service = Service {
    host: "swas",
    public: &[
        "ap-northeast-1",
        "ap-northeast-2",
        "ap-southeast-1",
        "ap-southeast-3",
        "ap-southeast-5",
        "ap-southeast-6",
        "ap-southeast-7",
        "cn-beijing",
        "cn-chengdu",
        "cn-fuzhou",
        "cn-guangzhou",
        "cn-hangzhou",
        "cn-heyuan",
        "cn-hongkong",
        "cn-huhehaote",
        "cn-nanjing",
        "cn-qingdao",
        "cn-shanghai",
        "cn-shenzhen",
        "cn-wuhan-lr",
        "cn-wulanchabu",
        "cn-zhangjiakou",
        "eu-central-1",
        "eu-west-1",
        "me-central-1",
        "us-east-1",
        "us-west-1",
    ],
    vpc: &[
        "ap-northeast-1",
        "ap-southeast-1",
        "ap-southeast-3",
        "ap-southeast-5",
        "cn-beijing",
        "cn-hangzhou",
        "cn-hongkong",
        "cn-huhehaote",
        "cn-qingdao",
        "cn-shanghai",
        "cn-shenzhen",
        "cn-zhangjiakou",
        "eu-central-1",
        "eu-west-1",
        "us-east-1",
        "us-west-1",
    ],
};

/// The base URL at which `account` asks `product` in `region`.
///
/// The vendor's rule is `<product>.<region>.aliyuncs.com`, `<product>-vpc.…` inside a VPC. (The vendor's own SDKs compute
/// another host for Simple Application Server, which does not answer.)
pub fn endpoint(account: &Account, product: Product, region: &str) -> String {
    match own(account, product) {
        Some(template) => template.replace("{region}", region),
        None => by_rule(product, account.network, region),
    }
}

/// What the user should know about the endpoints of a configuration, in words: regions in which none is known, and requests
/// without TLS. Each region is named once for each product and network.
pub fn warnings(config: &Config) -> BTreeSet<String> {
    let mut warnings: BTreeSet<String> = config.accounts.iter().flat_map(without_tls).collect();
    for (product, name, region) in places(config) {
        let account = config.accounts.iter().find(|account| account.name == name);
        if let Some(account) = account.filter(|account| own(account, product).is_none()) {
            warnings.extend(unknown(product, account.network, region));
        }
    }
    warnings
}

/// Where the configuration has something asked: product, account and region. Regions that only the cloud will name are not
/// among them.
fn places(config: &Config) -> impl Iterator<Item = (Product, &str, &str)> {
    let clusters = config.clusters.iter().map(|cluster| (Product::Ehpc, &*cluster.account, &*cluster.region));
    let servers = config.servers.iter().map(|server| (Product::Swas, &*server.account, &*server.region));
    let searches =
        [(Product::Ehpc, &config.cluster_discovery.entries), (Product::Swas, &config.server_discovery.entries)];
    let searched = searches.into_iter().flat_map(|(product, entries)| {
        entries.iter().flat_map(move |entry| match &entry.regions {
            Regions::Named(regions) => regions.iter().map(|region| (product, &*entry.account, &**region)).collect(),
            Regions::All => Vec::new(),
        })
    });
    clusters.chain(servers).chain(searched)
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

fn by_rule(product: Product, network: Network, region: &str) -> String {
    let host = service(product).host;
    match network {
        Network::Public => format!("https://{host}.{region}.aliyuncs.com"),
        Network::Vpc => format!("https://{host}-vpc.{region}.aliyuncs.com"),
    }
}

fn unknown(product: Product, network: Network, region: &str) -> Option<String> {
    let Service { host, public, vpc } = service(product);
    let (kind, known, way_out) = match network {
        Network::Public => ("public", public, ""),
        Network::Vpc if public.contains(&region) => ("VPC", vpc, " set accounts[].network to public,"),
        Network::Vpc => ("VPC", vpc, ""),
    };
    let url = by_rule(product, network, region);
    (!known.contains(&region)).then(|| {
        format!(
            "{} has no {kind} endpoint in region {region} that this version knows, so {url} is asked, by the naming rule; \
             if it does not answer, check the name of the region,{way_out} or name the endpoint in accounts[].endpoints.{host}",
            product.label()
        )
    })
}

/// Only `accounts[].insecure_http` allows that beyond this machine.
fn without_tls(account: &Account) -> Vec<String> {
    let Endpoints { ehpc, swas, sts, metadata } = &account.endpoints;
    let open = |url: &&String| url.starts_with("http://") && !is_local(url);
    let urls = [ehpc, swas, sts, metadata].into_iter().flatten().filter(open).filter(|_| account.insecure_http);
    let warning = |url: &String| {
        format!(
            "account {:?} asks {url} without TLS: who is on the way can read and forge the answers, and use what signs the \
             requests; use https:// and remove accounts[].insecure_http",
            account.name
        )
    };
    urls.map(warning).collect()
}

/// Whether a URL leads to this machine.
pub(super) fn is_local(url: &str) -> bool {
    let uri = url.replace("{region}", "region").parse::<http::Uri>();
    uri.is_ok_and(|uri| uri.host().is_some_and(is_loopback))
}

#[cfg(test)]
mod tests {
    use super::{EHPC, SWAS, Service, endpoint, warnings};
    use crate::aliyun::op::Product;
    use crate::config::{Account, Cluster, Config, Network, parse};

    #[test]
    fn the_vendors_rule_and_an_override() {
        let mut account = Account::default();
        assert_eq!(endpoint(&account, Product::Swas, "cn-hangzhou"), "https://swas.cn-hangzhou.aliyuncs.com");
        account.network = Network::Vpc;
        assert_eq!(endpoint(&account, Product::Ehpc, "cn-beijing"), "https://ehpc-vpc.cn-beijing.aliyuncs.com");
        account.endpoints.ehpc = Some("https://e.{region}.example.com".into());
        assert_eq!(endpoint(&account, Product::Ehpc, "cn-beijing"), "https://e.cn-beijing.example.com");
    }

    #[test]
    fn the_tables_are_in_order_and_name_no_region_twice() {
        for Service { public, vpc, .. } in [&EHPC, &SWAS] {
            assert!(public.is_sorted_by(|a, b| a < b) && vpc.is_sorted_by(|a, b| a < b));
            assert!(vpc.iter().all(|region| public.contains(region)));
        }
    }

    fn config(text: &str) -> Config {
        parse("config.yaml", text, &|_| None).unwrap()
    }

    #[test]
    fn a_region_without_a_known_endpoint_is_told_once() {
        let mut config = config(
            "accounts: [{name: a}, {name: b}, {name: v, network: vpc}, {name: o, endpoints: {ehpc: 'https://h'}}]\n\
             ehpc: {clusters: [{id: c1, region: cn-hangzhou}, {id: c2, region: xx-1}, {id: c3, region: xx-1, account: b}, \
             {id: c4, region: cn-chengdu, account: v}, {id: c5, region: xx-1, account: o}]}\n\
             swas: {servers: [{id: s1, region: cn-chengdu, account: v}, {id: s2, region: xx-2, account: v}]}",
        );
        let told: Vec<String> = warnings(&config).into_iter().collect();
        assert_eq!(told.len(), 3, "{told:#?}");
        assert!(told[0].starts_with("EHPC has no public endpoint in region xx-1"), "{}", told[0]);
        assert!(told[0].contains("https://ehpc.xx-1.aliyuncs.com") && told[0].contains("accounts[].endpoints.ehpc"));
        assert!(told[1].contains("cn-chengdu") && told[1].contains("set accounts[].network to public"), "{}", told[1]);
        assert!(told[2].contains("xx-2") && !told[2].contains("public"), "{}", told[2]);
        config.clusters.retain(|Cluster { region, .. }| region == "cn-hangzhou");
        config.servers.clear();
        assert!(warnings(&config).is_empty());
    }

    #[test]
    fn requests_without_tls_are_told_if_they_leave_the_machine() {
        let text = |more: &str, url: &str| {
            format!(
                "accounts: [{{name: a, endpoints: {{swas: '{url}'}}{more}}}]\nswas: {{servers: [{{id: s, region: r}}]}}"
            )
        };
        let told: Vec<String> =
            warnings(&config(&text(", insecure_http: true", "http://gateway.example"))).into_iter().collect();
        assert!(told.len() == 1 && told[0].contains("http://gateway.example without TLS"), "{told:?}");
        assert!(warnings(&config(&text("", "http://127.0.0.1:1"))).is_empty());
        assert!(warnings(&config(&text("", "https://gateway.example"))).is_empty());
    }

    #[test]
    fn where_discovery_looks_and_sts_are_warned_about_too() {
        let discovery = "[{regions: [us-nowhere-1]}]";
        let config = config(&format!(
            "accounts: [{{name: a, insecure_http: true, endpoints: {{sts: 'http://192.0.2.1'}}}}]\n\
             ehpc: {{discovery: {discovery}}}\nswas: {{discovery: {discovery}}}"
        ));
        let told: Vec<String> = warnings(&config).into_iter().collect();
        assert_eq!(told.iter().filter(|warning| warning.contains("us-nowhere-1")).count(), 2, "{told:?}");
        assert!(told.iter().any(|warning| warning.contains("192.0.2.1 without TLS")), "{told:?}");
    }
}
