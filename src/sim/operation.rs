//! The operations that the simulator answers, and how requests are routed to them.

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
    /// Services of the caller's own machine, not a product of the cloud: the ECS metadata server
    /// and a credentials URI.
    Machine,
}

impl Product {
    /// Every product.
    pub const ALL: [Self; 4] = [Self::Ehpc, Self::Swas, Self::Sts, Self::Machine];

    /// The vendor's code of the product.
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

    /// What precedes the region in the product's host names.
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

    /// Parses `EHPC`, `SWAS-OPEN` or `SWAS`, `Sts` or `MACHINE` in any letter case.
    fn from_str(word: &str) -> Result<Self, String> {
        let known = |product: &Self| {
            word.eq_ignore_ascii_case(product.code())
                || word.eq_ignore_ascii_case(product.host_prefix())
        };
        Self::ALL
            .into_iter()
            .find(known)
            .ok_or_else(|| format!("unknown product {word:?}: EHPC, SWAS-OPEN, Sts or MACHINE"))
    }
}

/// Declares [`Operation`] from the table of operations.
macro_rules! operations {
    ($($(#[$doc:meta])* $product:ident.$action:ident($name:ident)),+ $(,)?) => {
        /// An operation of one of the products.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Operation {
            $(
                #[doc = concat!("`", stringify!($product), ".", stringify!($action), "`.")]
                $(#[$doc])*
                $name,
            )+
        }

        impl Operation {
            /// Every operation, E-HPC's first.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The product the operation belongs to.
            pub fn product(self) -> Product {
                match self { $(Self::$name => Product::$product,)+ }
            }

            /// The value of `Action`.
            pub fn action(self) -> &'static str {
                match self { $(Self::$name => stringify!($action),)+ }
            }
        }
    };
}

// Product, name at the cloud, and variant of each.
operations! {
    Ehpc.ListTasks(ListTasks),
    Ehpc.ListInvocationStatus(ListInvocationStatus),
    Ehpc.ListInvocationResults(ListInvocationResults),
    Ehpc.ListCommands(ListCommands),
    Ehpc.ListClusters(ListClusters),
    Ehpc.ListRegions(EhpcListRegions),
    Swas.DescribeInvocations(DescribeInvocations),
    Swas.DescribeInvocationResult(DescribeInvocationResult),
    Swas.DescribeCommandInvocations(DescribeCommandInvocations),
    Swas.ListInstances(ListInstances),
    Swas.ListRegions(SwasListRegions),
    Sts.AssumeRole(AssumeRole),
    Sts.AssumeRoleWithOIDC(AssumeRoleWithOidc),
    Sts.GetCallerIdentity(GetCallerIdentity),
    /// `PUT /latest/api/token`
    Machine.MetadataToken(MetadataToken),
    /// `GET /latest/meta-data/ram/security-credentials/`
    Machine.MetadataRole(MetadataRole),
    /// `GET /latest/meta-data/ram/security-credentials/<role>`
    Machine.MetadataCredentials(MetadataCredentials),
    /// `GET /credentials`
    Machine.CredentialsUri(CredentialsUri),
}

impl Operation {
    /// Whether the operation takes no signature: an OIDC token authenticates itself, and so does
    /// access from the machine.
    pub(crate) fn is_unsigned(self) -> bool {
        self == Self::AssumeRoleWithOidc || self.product() == Product::Machine
    }

    /// The RAM action that allows the operation.
    pub fn ram_action(self) -> String {
        format!("{}:{}", self.product().ram_prefix(), self.action())
    }

    /// The operation with a version and an action. Both are needed: two products have
    /// `ListRegions`.
    pub(crate) fn route(version: &str, action: &str) -> Option<Self> {
        let mut all = Self::ALL.iter().copied();
        all.find(|operation| {
            operation.product().version() == version && operation.action() == action
        })
    }

    /// The vendor's metadata allows only GET for E-HPC. It does not say for SWAS; the SDKs send
    /// POST.
    pub(crate) fn allows(self, method: &http::Method) -> bool {
        match self.product() {
            Product::Ehpc => method == http::Method::GET,
            Product::Swas | Product::Sts => {
                method == http::Method::GET || method == http::Method::POST
            }
            // Their methods are checked in `machine`.
            Product::Machine => true,
        }
    }
}

impl FromStr for Operation {
    type Err = String;

    /// Parses `EHPC.ListTasks`, `SWAS.DescribeInvocations` and the like.
    fn from_str(name: &str) -> Result<Self, String> {
        let (product, action) =
            name.split_once('.').ok_or_else(|| format!("{name:?} is not PRODUCT.Operation"))?;
        let product: Product = product.parse()?;
        let mut all = Self::ALL.iter().copied();
        all.find(|operation| operation.product() == product && operation.action() == action)
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
