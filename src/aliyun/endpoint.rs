//! Product and region -> base URL. Source: "Endpoints" in `docs/alibaba-cloud-api.md`.

use super::op::Product;
use crate::config::{Account, Network};

/// The base URL at which `account` asks `product` in `region`.
///
/// The vendor's rule is `<product>.<region>.aliyuncs.com`, `<product>-vpc.…` inside a VPC. (The vendor's own SDKs compute
/// another host for Simple Application Server, which does not answer.)
pub fn endpoint(account: &Account, product: Product, region: &str) -> String {
    let (own, host) = match product {
        Product::Ehpc => (&account.endpoints.ehpc, "ehpc"),
        Product::Swas => (&account.endpoints.swas, "swas"),
    };
    match (own, account.network) {
        (Some(template), _) => template.replace("{region}", region),
        (None, Network::Public) => format!("https://{host}.{region}.aliyuncs.com"),
        (None, Network::Vpc) => format!("https://{host}-vpc.{region}.aliyuncs.com"),
    }
}

#[cfg(test)]
mod tests {
    use super::endpoint;
    use crate::aliyun::op::Product;
    use crate::config::{Account, Network};

    #[test]
    fn the_vendors_rule_and_an_override() {
        let mut account = Account::default();
        assert_eq!(endpoint(&account, Product::Swas, "cn-hangzhou"), "https://swas.cn-hangzhou.aliyuncs.com");
        account.network = Network::Vpc;
        assert_eq!(endpoint(&account, Product::Ehpc, "cn-beijing"), "https://ehpc-vpc.cn-beijing.aliyuncs.com");
        account.endpoints.ehpc = Some("https://e.{region}.example.com".into());
        assert_eq!(endpoint(&account, Product::Ehpc, "cn-beijing"), "https://e.cn-beijing.example.com");
    }
}
