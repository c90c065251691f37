//! The operations the simulator answers, and how a request finds its operation.

use std::str::FromStr;

/// A service of the cloud.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Product {
    /// Elastic High Performance Computing, 2018-04-12.
    Ehpc,
    /// Simple Application Server, 2020-06-01.
    Swas,
    /// Security Token Service, 2015-04-01.
    Sts,
    /// What the caller's own machine offers: the metadata server of ECS and a credentials URI. No product of the cloud.
    Machine,
}

/// An operation of one of the products.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// `EHPC.ListTasks`
    ListTasks,
    /// `EHPC.ListInvocationStatus`
    ListInvocationStatus,
    /// `EHPC.ListInvocationResults`
    ListInvocationResults,
    /// `EHPC.ListCommands`
    ListCommands,
    /// `EHPC.ListClusters`
    ListClusters,
    /// `EHPC.ListRegions`
    EhpcListRegions,
    /// `SWAS-OPEN.DescribeInvocations`
    DescribeInvocations,
    /// `SWAS-OPEN.DescribeInvocationResult`
    DescribeInvocationResult,
    /// `SWAS-OPEN.DescribeCommandInvocations`
    DescribeCommandInvocations,
    /// `SWAS-OPEN.ListInstances`
    ListInstances,
    /// `SWAS-OPEN.ListRegions`
    SwasListRegions,
    /// `Sts.AssumeRole`
    AssumeRole,
    /// `Sts.AssumeRoleWithOIDC`
    AssumeRoleWithOidc,
    /// `Sts.GetCallerIdentity`
    GetCallerIdentity,
    /// `PUT /latest/api/token`
    MetadataToken,
    /// `GET /latest/meta-data/ram/security-credentials/`
    MetadataRole,
    /// `GET /latest/meta-data/ram/security-credentials/<role>`
    MetadataCredentials,
    /// `GET /credentials`
    CredentialsUri,
}

impl Product {
    /// Every product.
    pub const ALL: [Self; 4] = [Self::Ehpc, Self::Swas, Self::Sts, Self::Machine];

    /// The product's code in the vendor's words.
    pub fn code(self) -> &'static str {
        match self {
            Self::Ehpc => "EHPC",
            Self::Swas => "SWAS-OPEN",
            Self::Sts => "Sts",
            Self::Machine => "MACHINE",
        }
    }

    /// The version of the product's API.
    pub fn version(self) -> &'static str {
        match self {
            Self::Ehpc => "2018-04-12",
            Self::Swas => "2020-06-01",
            Self::Sts => "2015-04-01",
            Self::Machine => "",
        }
    }

    /// The word before the region in the product's host names.
    pub(crate) fn host_prefix(self) -> &'static str {
        match self {
            Self::Ehpc => "ehpc",
            Self::Swas => "swas",
            Self::Sts => "sts",
            Self::Machine => "machine",
        }
    }

    fn ram_prefix(self) -> &'static str {
        match self {
            Self::Ehpc => "ehpc",
            Self::Swas => "swas-open",
            Self::Sts | Self::Machine => "sts",
        }
    }
}

impl FromStr for Product {
    type Err = String;

    /// Reads `EHPC`, `SWAS-OPEN` or `SWAS`, `Sts` or `MACHINE` in any letter case.
    fn from_str(word: &str) -> Result<Self, String> {
        let known = |product: &Self| {
            word.eq_ignore_ascii_case(product.code()) || word.eq_ignore_ascii_case(product.host_prefix())
        };
        Self::ALL
            .into_iter()
            .find(known)
            .ok_or_else(|| format!("unknown product {word:?}: EHPC, SWAS-OPEN, Sts or MACHINE"))
    }
}

impl Operation {
    /// Every operation, E-HPC's first.
    pub const ALL: [Self; 18] = [
        Self::ListTasks,
        Self::ListInvocationStatus,
        Self::ListInvocationResults,
        Self::ListCommands,
        Self::ListClusters,
        Self::EhpcListRegions,
        Self::DescribeInvocations,
        Self::DescribeInvocationResult,
        Self::DescribeCommandInvocations,
        Self::ListInstances,
        Self::SwasListRegions,
        Self::AssumeRole,
        Self::AssumeRoleWithOidc,
        Self::GetCallerIdentity,
        Self::MetadataToken,
        Self::MetadataRole,
        Self::MetadataCredentials,
        Self::CredentialsUri,
    ];

    /// The product the operation belongs to.
    pub fn product(self) -> Product {
        match self {
            Self::ListTasks
            | Self::ListInvocationStatus
            | Self::ListInvocationResults
            | Self::ListCommands
            | Self::ListClusters
            | Self::EhpcListRegions => Product::Ehpc,
            Self::DescribeInvocations
            | Self::DescribeInvocationResult
            | Self::DescribeCommandInvocations
            | Self::ListInstances
            | Self::SwasListRegions => Product::Swas,
            Self::AssumeRole | Self::AssumeRoleWithOidc | Self::GetCallerIdentity => Product::Sts,
            Self::MetadataToken | Self::MetadataRole | Self::MetadataCredentials | Self::CredentialsUri => {
                Product::Machine
            }
        }
    }

    /// Whether no signature is asked for: an OIDC token speaks for itself, and so does being on the machine.
    pub(crate) fn is_unsigned(self) -> bool {
        self == Self::AssumeRoleWithOidc || self.product() == Product::Machine
    }

    /// The word sent as `Action`.
    pub fn action(self) -> &'static str {
        match self {
            Self::ListTasks => "ListTasks",
            Self::ListInvocationStatus => "ListInvocationStatus",
            Self::ListInvocationResults => "ListInvocationResults",
            Self::ListCommands => "ListCommands",
            Self::ListClusters => "ListClusters",
            Self::EhpcListRegions | Self::SwasListRegions => "ListRegions",
            Self::DescribeInvocations => "DescribeInvocations",
            Self::DescribeInvocationResult => "DescribeInvocationResult",
            Self::DescribeCommandInvocations => "DescribeCommandInvocations",
            Self::ListInstances => "ListInstances",
            Self::AssumeRole => "AssumeRole",
            Self::AssumeRoleWithOidc => "AssumeRoleWithOIDC",
            Self::GetCallerIdentity => "GetCallerIdentity",
            Self::MetadataToken => "MetadataToken",
            Self::MetadataRole => "MetadataRole",
            Self::MetadataCredentials => "MetadataCredentials",
            Self::CredentialsUri => "CredentialsUri",
        }
    }

    /// The RAM action that allows the operation.
    pub fn ram_action(self) -> String {
        format!("{}:{}", self.product().ram_prefix(), self.action())
    }

    /// Version and action together name the operation: `ListRegions` exists in both products.
    pub(crate) fn route(version: &str, action: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|operation| operation.product().version() == version && operation.action() == action)
    }

    /// E-HPC is GET only in the vendor's metadata; for SWAS nothing is said, and the SDKs send POST.
    pub(crate) fn allows(self, method: &http::Method) -> bool {
        match self.product() {
            Product::Ehpc => method == http::Method::GET,
            Product::Swas | Product::Sts => method == http::Method::GET || method == http::Method::POST,
            // Each has its own.
            Product::Machine => true,
        }
    }
}

impl FromStr for Operation {
    type Err = String;

    /// Reads `EHPC.ListTasks`, `SWAS.DescribeInvocations` and the like.
    fn from_str(name: &str) -> Result<Self, String> {
        let (product, action) = name.split_once('.').ok_or_else(|| format!("{name:?} is not PRODUCT.Operation"))?;
        let product: Product = product.parse()?;
        Self::ALL
            .into_iter()
            .find(|operation| operation.product() == product && operation.action() == action)
            .ok_or_else(|| format!("{} has no operation {action:?} here", product.code()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_products_have_their_own_list_regions() {
        assert_eq!(Operation::route("2018-04-12", "ListRegions"), Some(Operation::EhpcListRegions));
        assert_eq!(Operation::route("2020-06-01", "ListRegions"), Some(Operation::SwasListRegions));
        assert_eq!(Operation::route("2020-06-01", "ListTasks"), None);
    }

    #[test]
    fn names_are_read_with_either_word_for_swas() {
        assert_eq!("swas.ListInstances".parse(), Ok(Operation::ListInstances));
        assert_eq!("SWAS-OPEN.ListInstances".parse(), Ok(Operation::ListInstances));
        assert!("EHPC.ListInstances".parse::<Operation>().is_err());
    }
}
